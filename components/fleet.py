"""The sections of a stack file that are about clouds: the hub and the environments."""

from typing import Any

import pulumi

from components.ci_environment import CiEnvironment
from components.directory import look_up
from components.hub import SharedHub, SharedHubArgs, fleet_budget
from components.hub_reference import read_hub
from components.providers import explicit_providers
from virtci.core.tags import TagSet
from virtci.settings.models import Settings


def declare_fleet(settings: Settings, stack: str) -> dict[str, Any]:
    """Declares the hub and the environments of a stack and returns their outputs.

    Raises `ProblemsError` when GitHub does not know a repository or a reviewer.
    """
    providers = explicit_providers(settings)
    directory = look_up(settings, providers.github)
    common_tags = TagSet(owner=settings.owner, system=settings.system, stack=stack)
    options = pulumi.ResourceOptions(providers=list(providers))
    outputs: dict[str, Any] = {}
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
    return outputs
