"""The launcher of a deployment: its rules from the output contract of the stack, its clients from this shell's logins.

In a rehearsal (`VIRTCI_CLOUDS`) the same clients speak to the simulated clouds.
"""

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from virtci.core.kubeconfigs import VARIABLE
from virtci.core.problems import Refusal
from virtci.core.runners.clouds import Cloud, pool
from virtci.core.runners.ladder import Place
from virtci.core.runners.leases import LeaseStore, Store
from virtci.core.tags import TagSet
from virtci.fleet.clouds import Clouds, connect, github, kubernetes
from virtci.fleet.runners.embedded_leases import EmbeddedLeases
from virtci.fleet.runners.launcher import Launcher, Observe, Rules
from virtci.fleet.runners.objects import BlobObjects, Objects
from virtci.fleet.runners.ports import Limits, RunnerCloud, Together
from virtci.fleet.waiting import now, pace_of
from virtci.outputs.contract import AwsRunnersPart, AzureRunnersPart, Outputs, RunnersPart
from virtci.settings.cluster_access import require_kubeconfig
from virtci.settings.models import Settings

Found = TypeVar("Found")
AT_ONCE = 8
"""Machines that are made or taken down at the same time; each runs an engine of its own."""
BACKEND = "PULUMI_BACKEND_URL"
SECRETS = "VIRTCI_SECRETS_PROVIDER"
"""Names the key that seals secrets in the state of machines' stacks; without it, there is a passphrase."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Desk:
    """A launcher, and how it does several things at once."""

    launcher: Launcher
    together: Together


def desk(
    outputs: Outputs, settings: Settings, keys: tuple[str, ...], observe: Observe, limits: Limits | None = None
) -> Desk:
    """The launcher of a deployed stack. Raises `Refusal` where something that it stands on is missing."""
    from virtci.fleet.runners.github import GitHubActions
    from virtci.fleet.runners.stacks import RunStacks, common_settings

    part = require_part(outputs)
    actions = GitHubActions(http=github(), repository=part.repository, now=now)
    require_backend()
    azure = _require_azure(part, outputs.stack)
    tags = TagSet(owner=settings.owner, system=settings.system, stack=outputs.stack)
    clouds = connect(azure.subscription)
    objects = BlobObjects(clouds.container(azure.state.account, azure.state.endpoint, azure.state.records))
    there = _runner_clouds(part, azure, _Common(clouds, tags, objects, observe))
    launcher = Launcher(
        rules=rules(part, tags, keys),
        clouds=there,
        github=actions,
        stacks=RunStacks(
            common=common_settings(settings),
            observe=observe,
            remove=lambda stack: _remove(there, stack),
            secrets_provider=os.environ.get(SECRETS, ""),
        ),
        leases=lease_store(part, objects),
        objects=objects,
        pace=pace_of(clouds),
        limits=limits or Limits(),
        observe=observe,
    )
    return Desk(launcher=launcher, together=together)


@dataclass(frozen=True, slots=True)
class _Common:
    """What the adapters of both clouds share."""

    clouds: Clouds
    tags: TagSet
    objects: BlobObjects
    observe: Observe


def _runner_clouds(part: RunnersPart, azure: AzureRunnersPart, common: _Common) -> dict[Cloud, RunnerCloud]:
    from virtci.fleet.runners.azure import AzureRunners

    found: dict[Cloud, RunnerCloud] = {
        Cloud.AZURE: AzureRunners(
            clouds=common.clouds,
            part=azure,
            image_name=part.image,
            tags=common.tags,
            objects=common.objects,
            observe=common.observe,
        )
    }
    if part.aws:
        from virtci.fleet import aws_clouds
        from virtci.fleet.runners.ec2 import Ec2Runners

        found[Cloud.EC2] = Ec2Runners(
            part=part.aws,
            image_name=part.image,
            system=common.tags.system,
            clouds=aws_clouds.connect(),
            objects=common.objects,
            observe=common.observe,
        )
    return found


def _remove(clouds: Mapping[Cloud, RunnerCloud], stack: str) -> None:
    """Deletes what the clouds have of a stack's machine that no state knows."""
    from virtci.fleet.runners.azure import AzureRunners

    for cloud in clouds.values():
        if isinstance(cloud, AzureRunners):
            cloud.remove(stack)
            continue
        for machine in cloud.machines():
            if machine.tags.stack == stack:
                cloud.discard(machine)


def require_backend() -> None:
    """Raises `Refusal` where nobody says in which state the machines' stacks are."""
    if not os.environ.get(BACKEND):
        raise Refusal(
            f"{BACKEND} names the state of the machines' stacks",
            "the engine would keep them on this machine, where no sweep finds them",
            f"export {BACKEND}='azblob://run-stacks?storage_account=<state account>'",
        )


def require_part(outputs: Outputs) -> RunnersPart:
    """What runners stand on. Raises `Refusal` for a stack without."""
    if outputs.runners is None:
        raise Refusal(
            f"stack `{outputs.stack}` declares on-demand runners",
            "there is nothing to start them in",
            "hand over the outputs of the stack that does: virtci outputs --stack kontain",
        )
    return outputs.runners


def rules(part: RunnersPart, tags: TagSet, keys: tuple[str, ...]) -> Rules:
    """The rules of the runners' life."""
    return Rules(
        tags=tags,
        labels=part.labels,
        keys=keys,
        agent={"version": part.agent.version, "sha256": part.agent.sha256},
        places=places(part),
        retention_days=part.retention_days,
        maximum=timedelta(hours=part.maximum_hours),
        daily_budget_usd=part.daily_budget_usd,
    )


def places(part: RunnersPart) -> dict[Cloud, tuple[Place, ...]]:
    """Where machines may be, by cloud, in the order of choice."""
    found: dict[Cloud, tuple[Place, ...]] = {}
    if part.azure:
        found[Cloud.AZURE] = tuple(
            Place(cloud=Cloud.AZURE, region=name, zones=region.zones, types=part.azure.sizes)
            for name, region in part.azure.regions.items()
        )
    if part.aws:
        found[Cloud.EC2] = tuple(
            Place(cloud=Cloud.EC2, region=name, zones=tuple(region.subnet_ids), types=part.aws.types)
            for name, region in part.aws.regions.items()
        )
    return found


def pools(part: RunnersPart) -> dict[str, tuple[str, ...]]:
    """The slots of each pool."""
    parts: tuple[tuple[Cloud, AzureRunnersPart | AwsRunnersPart | None], ...] = (
        (Cloud.AZURE, part.azure),
        (Cloud.EC2, part.aws),
    )
    return {
        pool(cloud, name): tuple(region.slots)
        for cloud, there in parts
        if there
        for name, region in there.regions.items()
    }


def lease_store(part: RunnersPart, objects: Objects) -> LeaseStore:
    """Where leases are kept. Raises `ProblemsError` where no kubeconfig leads to the cluster of the lease server."""
    if part.leases.store is Store.EMBEDDED:
        return EmbeddedLeases(objects, pools(part), now)
    from virtci.fleet.runners.boskos import BoskosLeases
    from virtci.fleet.runners.boskos_api import through

    require_kubeconfig(f"{part.leases.cluster}")
    return BoskosLeases(through(kubernetes(Path(os.environ[VARIABLE]).read_text()), part.leases.path))


def together(*tasks: Callable[[], Found]) -> list[Found]:
    """Runs several things at once, as `Together` says."""
    with ThreadPoolExecutor(max_workers=AT_ONCE) as threads:
        begun = [threads.submit(task) for task in tasks]
    return [item.result() for item in begun]


def _require_azure(part: RunnersPart, stack: str) -> AzureRunnersPart:
    if part.azure is None:
        raise Refusal(
            f"stack `{stack}` has runners in Azure",
            "leases and records have no place: they are in its state account",
            "declare `runners.azure` in the stack file, and deploy it",
        )
    return part.azure
