"""The program: settings in, components, outputs. A section that a stack file leaves out is not there."""

from typing import Any

from virtci import collector

collector.pause()

import pulumi

from components.ci_environment import CiEnvironment
from components.directory import look_up
from components.hub import SharedHub, SharedHubArgs, fleet_budget
from components.hub_reference import read_hub
from components.providers import explicit_providers
from virtci.core.problems import ProblemsError
from virtci.core.tags import TagSet
from virtci.outputs.contract import VERSION
from virtci.settings.load import from_pulumi


def main() -> None:
    """Declares what the stack file declares."""
    collector.settle()
    try:
        settings = from_pulumi()
        providers = explicit_providers(settings)
        directory = look_up(settings, providers.github)
    except ProblemsError as problems:
        raise pulumi.RunError(str(problems)) from None
    stack = pulumi.get_stack()
    common_tags = TagSet(owner=settings.owner, system=settings.system, stack=stack)
    options = pulumi.ResourceOptions(providers=list(providers))
    outputs: dict[str, Any] = {"contractVersion": VERSION, "stack": stack, "region": settings.region}

    fleet_budget(settings, stack, options)
    if settings.hub:
        shared: SharedHubArgs = {
            "settings": settings,
            "hub": settings.hub,
            "directory": directory,
            "common_tags": common_tags,
        }
        outputs |= SharedHub("hub", shared, options).outputs
    if settings.environments:
        reference = read_hub(settings.hub_stack)
        environments = {
            name: CiEnvironment(
                name.value,
                {
                    "settings": settings,
                    "environment": name,
                    "declared": declared,
                    "hub": reference,
                    "directory": directory,
                    "common_tags": common_tags,
                },
                options,
            )
            for name, declared in settings.environments.items()
        }
        outputs["environments"] = {name.value: item.outputs for name, item in environments.items()}
        outputs["machines"] = [machine for item in environments.values() for machine in item.machines]
        outputs["clusters"] = [cluster for item in environments.values() for cluster in item.clusters]
    for name, value in outputs.items():
        pulumi.export(name, value)


main()
