"""What a stack file says to the templates in `cloud/`, as variables of Packer."""

from typing import Any, TypeVar

from virtci.core.lifetimes import Lifetime
from virtci.core.problems import Refusal
from virtci.core.runners.clouds import Cloud
from virtci.core.runners.images import Version
from virtci.core.runners.substrate import ENVIRONMENT
from virtci.core.tags import TagSet, tags
from virtci.settings.models import Settings
from virtci.settings.runners import AwsRunners, AzureRunners, RunnerFleet

Part = TypeVar("Part", AzureRunners, AwsRunners)


def require_runners(settings: Settings, stack: str) -> RunnerFleet:
    """The section about on-demand runners. Raises `Refusal` for a stack without."""
    if settings.runners is None:
        raise Refusal(
            f"stack `{stack}` has a section `runners`", "it has no images", "name the stack that has: --stack kontain"
        )
    return settings.runners


def packer_variables(
    settings: Settings, stack: str, cloud: Cloud, version: Version, agent: dict[str, str]
) -> dict[str, Any]:
    """The variables of the template of a cloud. Raises `Refusal` when the stack is not in that cloud."""
    runners = require_runners(settings, stack)
    common = TagSet(owner=settings.owner, system=settings.system, stack=stack)
    return {
        **(_azure(settings, _there(runners.azure, stack, cloud)) if cloud is Cloud.AZURE else {}),
        **(_aws(_there(runners.aws, stack, cloud)) if cloud is Cloud.EC2 else {}),
        "image_name": runners.image,
        "image_version": str(version),
        "agent_version": agent["version"],
        "agent_sha256": agent["sha256"],
        "tags": tags(common, ENVIRONMENT, Lifetime.DURABLE),
    }


def _there(section: Part | None, stack: str, cloud: Cloud) -> Part:
    if section is None:
        raise Refusal(f"stack `{stack}` has runners in {cloud}", "it has no image there", "choose the other cloud")
    return section


def _azure(settings: Settings, azure: AzureRunners) -> dict[str, Any]:
    """A gallery is in the region of its stack, so the first copy of a version is."""
    return {
        "subscription": settings.subscription,
        "resource_group": azure.resource_group,
        "gallery": azure.gallery,
        "region": settings.region,
        "replica_regions": [region for region in azure.regions if region != settings.region],
    }


def _aws(aws: AwsRunners) -> dict[str, Any]:
    home, *others = aws.regions
    return {"region": home, "replica_regions": others, "network": aws.regions[home].network}
