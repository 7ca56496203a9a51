"""A subscription of the simulated Azure with slots for runners, behind the launcher's real clients."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.rehearsal.azure.machines import VAULT
from tests.rehearsal.azure.simulated import GROUP, IMAGE, REGION, SUBSCRIPTION, Cloud, build, default_scenario
from virtci.core.runners import clouds
from virtci.core.runners.ladder import Rung
from virtci.core.runners.tags import RunTags, run_tags
from virtci.core.tags import TagSet
from virtci.fleet.clouds import Clouds, RehearsedClouds
from virtci.fleet.runners.azure import AzureRunners
from virtci.fleet.runners.objects import FileObjects
from virtci.outputs.contract import AzureRunnersPart
from virtci.rehearsal.azure.server import serve
from virtci.rehearsal.bridge import Values
from virtci.rehearsal.journal import Fault, FaultPlan

STACK, SECOND, SLOT = "run-azure-7-1-1", "run-azure-7-1-2", "auto-runner-westus-01"
OTHER, KEPT = "auto-runner-westus-02", "auto-github-runner-kept"
LIMITS = {"cores": 48, "STANDARDDSv5Family": 24, "standardEsv5Family": 48, "lowPriorityCores": 8}
RUNG = Rung(cloud=clouds.Cloud.AZURE, region=REGION, zone="", type="Standard_D4s_v5")
DEFINITION = f"{GROUP}/providers/Microsoft.Compute/galleries/gallery/images/L0BaseImage"
DEADLINE = datetime(2026, 1, 5, 14, tzinfo=UTC)
COMMON = TagSet(owner="ci", system="kontain", stack="kontain")
TAGS = RunTags(
    stack=STACK,
    label="virt-ci-azure-7-1-1-0a1b2c3d",
    shown="azure-runner-CI-1",
    run="rehearsal-org/km/7/1",
    slot=SLOT,
    deadline=DEADLINE,
)
KEEP = TAGS.kept(DEADLINE + timedelta(days=7))


@dataclass
class Place:
    """The simulated subscription, and the launcher's side of it."""

    cloud: Cloud
    runners: AzureRunners
    said: list[tuple[str, str]]

    def machine(self, stack: str = STACK, slot: str = SLOT, tags: Values | None = None, **more: Any) -> str:
        """A machine in a slot, as the engine makes it."""
        found = marks(stack, slot) if tags is None else tags
        nic = self.interface(stack, slot, found)
        inputs = self.cloud.machine_inputs(
            stack, nic, resourceGroupName=slot, tags=found, hardwareProfile={"vmSize": RUNG.type},
            diagnosticsProfile={"bootDiagnostics": {"enabled": True}},
        )  # fmt: skip
        return self.cloud.create("compute:VirtualMachine", **(inputs | more))[0]

    def interface(self, stack: str, slot: str, tags: Values) -> str:
        subnet = f"{GROUP}/providers/Microsoft.Network/virtualNetworks/net/subnets/a"
        return self.cloud.create(
            "network:NetworkInterface", resourceGroupName=slot, networkInterfaceName=f"{stack}-nic", tags=tags,
            ipConfigurations=[{"name": "private", "subnet": {"id": subnet}}],
        )[0]  # fmt: skip

    def tell(self, stage: str, reason: str = "-") -> None:
        tags = {"bootstage": stage, "bootid": "b", "bootat": "2026-01-05T08:10:00Z", "bootreason": reason}
        body = {"operation": "Merge", "properties": {"tags": tags}}
        group = f"{SUBSCRIPTION}/resourceGroups/{SLOT}/providers/Microsoft.Compute/virtualMachines/{STACK}"
        answer = self.cloud.request("PATCH", f"{group}/providers/Microsoft.Resources/tags/default", body)
        assert answer.status == 200, answer.body

    def off(self, machine: str) -> None:
        self.cloud.request("POST", f"{machine}/deallocate")

    def planned(self, **fault: object) -> None:
        self.cloud.journal.plan = FaultPlan(faults=(Fault.model_validate({"cloud": "azure", **fault}),))

    def kept(self) -> list[Values]:
        """The snapshots in the kept group."""
        found = self.cloud.get(f"{SUBSCRIPTION}/resourceGroups/{KEPT}/providers/Microsoft.Compute/snapshots")["value"]
        return list(found)


def marks(stack: str = STACK, slot: str = SLOT, **more: Any) -> dict[str, str]:
    return run_tags(replace(COMMON, stack=stack), clouds.Cloud.AZURE, replace(TAGS, stack=stack, slot=slot, **more))


@contextmanager
def place_in(folder: Path) -> Iterator[Place]:
    """The subscription, until the block ends."""
    cloud = build(default_scenario(limits={REGION: LIMITS}, images={IMAGE, DEFINITION}))
    for name in ("rg", SLOT, OTHER, KEPT):
        cloud.group(name)
    cloud.network()
    with serve(cloud.manager) as endpoint:
        said: list[tuple[str, str]] = []
        rehearsed = RehearsedClouds.model_validate({"resourceManager": endpoint.url})
        runners = AzureRunners(
            clouds=Clouds(SUBSCRIPTION.rsplit("/", 1)[-1], rehearsed),
            part=part(),
            image_name="L0BaseImage",
            tags=COMMON,
            objects=FileObjects(folder),
            observe=lambda about, sentence: said.append((about, sentence)),
        )
        yield Place(cloud, runners, said)


def part() -> AzureRunnersPart:
    """The outputs of a substrate with two slots."""
    vault = {
        "name": VAULT,
        "resourceGroup": "rg",
        "resourceId": f"{GROUP}/vault",
        "uri": f"https://{VAULT}.vault.azure.net/",
    }
    state = {"account": "state", "endpoint": "https://state", "stacks": "run-stacks", "records": "records"}
    slots = {
        name: {"resourceGroup": name, "identityId": "/identity", "clientId": "c", "secret": f"{name}-registration"}
        for name in (SLOT, OTHER)
    }
    region = {
        "subnetId": "/subnet",
        "egressAddress": "203.0.113.1",
        "cores": 48,
        "families": {},
        "reserve": 4,
        "slots": slots,
    }
    return AzureRunnersPart.model_validate(
        {
            "subscription": SUBSCRIPTION.rsplit("/", 1)[-1], "resourceGroup": "rg", "keptGroup": KEPT,
            "launcher": {"clientId": "c", "principalId": "p"}, "galleryImageId": DEFINITION, "vault": vault,
            "state": state, "sizes": [RUNG.type], "regions": {REGION: region},
        }
    )  # fmt: skip
