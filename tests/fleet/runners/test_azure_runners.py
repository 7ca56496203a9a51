"""What the launcher asks of Azure, through the real clients: room, machines, boots, registrations, evidence."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.rehearsal.azure.machines import VAULT, open_vault, secret
from tests.rehearsal.azure.simulated import (
    GROUP,
    IMAGE,
    REGION,
    SUBSCRIPTION,
    Cloud,
    build,
    default_scenario,
)
from virtci.core.problems import Refusal
from virtci.core.runners import clouds
from virtci.core.runners.failures import Code
from virtci.core.runners.ladder import Rung
from virtci.core.runners.tags import RunTags, run_tags
from virtci.core.tags import TagSet
from virtci.fleet.clouds import Clouds, RehearsedClouds
from virtci.fleet.runners.azure import AzureRunners
from virtci.fleet.runners.objects import FileObjects
from virtci.fleet.runners.ports import Credential, StartFailed, Unanswered
from virtci.outputs.contract import AzureRunnersPart
from virtci.rehearsal import clock
from virtci.rehearsal.azure.secrets import held
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


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.setattr(clock, "QUIET_SECONDS", 0.0005)
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
            objects=FileObjects(tmp_path),
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


# --- room ---


def test_the_family_or_the_region_is_the_limit(place: Place) -> None:
    assert place.runners.room(RUNG) == 6
    place.cloud.machine("theirs", hardwareProfile={"vmSize": "Standard_E32s_v5"})
    assert place.runners.room(RUNG) == 4


def test_machines_of_ours_take_no_room_and_those_of_others_do_also_when_they_are_off(place: Place) -> None:
    place.machine()
    assert place.runners.room(RUNG) == 6
    theirs, _ = place.cloud.machine("theirs", hardwareProfile={"vmSize": RUNG.type})
    place.off(theirs)
    assert place.runners.room(RUNG) == 5


def test_a_machine_in_a_slot_without_our_tags_is_somebody_elses(place: Place) -> None:
    place.machine(tags={"owner": "somebody"})
    assert place.runners.room(RUNG) == 5


def test_spot_machines_have_a_quota_of_their_own(place: Place) -> None:
    spot = replace(RUNG, spot=True)
    place.machine(priority="Spot", evictionPolicy="Delete")
    assert (place.runners.room(RUNG), place.runners.room(spot)) == (6, 2)
    place.cloud.machine("theirs", hardwareProfile={"vmSize": RUNG.type}, priority="Spot")
    assert (place.runners.room(RUNG), place.runners.room(spot)) == (6, 1)


# --- what is there ---


def test_machines_and_what_is_kept_of_them_are_seen_and_nothing_else(place: Place) -> None:
    machine = place.machine()
    place.machine(SECOND, OTHER, tags={"managed-by": "virt-ci", "system": "kubevirt", "run": "a/b/1/1"})
    place.cloud.machine("theirs", tags=marks())
    place.runners.keep(STACK, SLOT, KEEP)

    first, second = place.runners.machines()

    assert (first.id, first.tags, first.holds_vcpus) == (machine, KEEP, True)
    assert (second.id.rsplit("/", 2)[1:], second.tags, second.holds_vcpus) == (["snapshots", STACK], KEEP, False)
    assert first.created <= second.created


def test_a_machine_whose_tags_somebody_changed_is_told_and_hides_no_other(place: Place) -> None:
    place.machine(tags={**marks(), "deadline": "soon"})
    place.machine(SECOND, OTHER)

    assert [item.tags.stack for item in place.runners.machines()] == [SECOND]
    assert [about for about, _ in place.said] == [STACK]
    assert "has the tags that it was made with" in place.said[0][1]


def test_the_state_is_that_of_the_machine_in_the_slot(place: Place) -> None:
    assert place.runners.state(STACK, SLOT) == "absent"
    machine = place.machine()
    assert (place.runners.state(STACK, SLOT), place.runners.state(STACK, OTHER)) == ("running", "absent")
    place.off(machine)
    assert place.runners.state(STACK, SLOT) == "stopped"


def test_a_spot_machine_that_was_taken_back_is_evicted_and_one_that_is_kept_is_stopped(place: Place) -> None:
    machine = place.machine(priority="Spot", evictionPolicy="Deallocate")
    place.cloud.manager.evict(machine)
    assert place.runners.state(STACK, SLOT) == "evicted"
    place.runners.keep(STACK, SLOT, KEEP)
    assert place.runners.state(STACK, SLOT) == "stopped"


def test_a_machine_that_said_that_it_is_taken_back_is_evicted(place: Place) -> None:
    place.machine()
    place.tell("failed", "SPOT_EVICTED: Preempt")
    assert place.runners.state(STACK, SLOT) == "evicted"


def test_a_boot_is_told_in_the_terms_of_the_launcher(place: Place) -> None:
    assert place.runners.boot(STACK, SLOT) is None
    place.machine()
    assert place.runners.boot(STACK, SLOT) is None
    seen = {}
    for stage, reason in (
        ("booting", "-"), ("probed", "-"), ("installed", "-"), ("ready", "-"),
        ("failed", "HYPERVISOR_ABSENT: no /dev/kvm"), ("failed", "K3S: what no runner has"),
    ):  # fmt: skip
        place.tell(stage, reason)
        found = place.runners.boot(STACK, SLOT)
        assert found
        seen[stage, reason] = (found.probed, found.failure)
    assert list(seen.values()) == [
        (False, None), (True, None), (True, None), (False, None), (False, Code.HYPERVISOR_ABSENT), (False, Code.INTERNAL),
    ]  # fmt: skip


def test_a_boot_that_cannot_be_read_ends_the_start_of_this_machine_alone(place: Place) -> None:
    place.machine(tags={**marks(), "bootstage": "flying"})
    found = place.runners.boot(STACK, SLOT)
    assert found
    assert (found.failure, "bootstage" in found.reason) == (Code.INTERNAL, True)
    assert place.runners.state(STACK, SLOT) == "running"


# --- images and registrations ---


def version(place: Place, name: str, *, offered: bool) -> str:
    """A version of the image, as a build leaves it."""
    base = f"{GROUP}/providers/Microsoft.Compute"
    disk = f"{base}/disks/build"
    creation = {"creationData": {"createOption": "Empty"}, "diskSizeGB": 30}
    source = {"storageProfile": {"osDiskImage": {"source": {"id": disk}}}}
    definition = {
        "osType": "Linux", "osState": "Generalized", "hyperVGeneration": "V2",
        "identifier": {"publisher": "kontain", "offer": "runner", "sku": "L0BaseImage"},
    }  # fmt: skip
    for target, properties in (
        (disk, creation),
        (f"{base}/galleries/gallery", {}),
        (DEFINITION, definition),
        (f"{DEFINITION}/versions/{name}", {**source, "publishingProfile": {"excludeFromLatest": not offered}}),
    ):
        answer = place.cloud.request("PUT", target, {"location": REGION, "properties": properties})
        assert answer.status < 300, answer.body
    return f"{DEFINITION}/versions/{name}"


def test_machines_are_made_from_the_newest_version_that_is_offered(place: Place) -> None:
    version(place, "2026.01.1", offered=True)
    promoted = version(place, "2026.01.2", offered=True)
    version(place, "2026.01.3", offered=False)
    assert place.runners.image(REGION) == promoted
    assert place.runners.place(RUNG) == {"subnet": "/subnet", "vault": f"https://{VAULT}.vault.azure.net/"}


def test_without_an_offered_version_the_image_is_what_is_missing(place: Place) -> None:
    version(place, "2026.01.1", offered=False)
    with pytest.raises(StartFailed, match="no version of L0BaseImage is offered") as failed:
        place.runners.image(REGION)
    assert failed.value.code is Code.IMAGE


def test_a_gallery_that_does_not_answer_is_asked_again(place: Place) -> None:
    version(place, "2026.01.1", offered=True)
    place.planned(operation="GET", target="*/versions", status=503)
    with pytest.raises(Unanswered):
        place.runners.image(REGION)
    assert place.runners.image(REGION)


def test_a_credential_lies_in_the_secret_of_its_slot_until_it_is_withdrawn(place: Place) -> None:
    open_vault(place.cloud)
    secret(place.cloud, f"{SLOT}-registration", contentType="text/plain")
    expires = datetime(2026, 1, 5, 9, tzinfo=UTC)

    place.runners.deliver(SLOT, Credential("the token", expires))
    given = held(place.cloud.manager, VAULT, f"{SLOT}-registration")[-1]
    place.runners.withdraw(SLOT)
    after = held(place.cloud.manager, VAULT, f"{SLOT}-registration")[-1]

    assert (given.value, datetime.fromtimestamp(given.attributes["exp"], UTC)) == ("the token", expires)
    assert (after.value, "exp" in after.attributes) == ("used", False)


# --- evidence ---


def test_what_is_kept_is_a_closed_snapshot_with_all_tags_and_the_end_of_the_log(place: Place) -> None:
    machine = place.machine()
    record = place.cloud.manager.store.get(machine)
    assert record
    record.notes["serial"] = "x" * 500_000 + "Kernel panic"

    place.runners.keep(STACK, SLOT, KEEP)

    (snapshot,) = place.kept()
    assert (snapshot["name"], snapshot["tags"]) == (STACK, marks(keep_until=KEEP.keep_until))
    closed = [snapshot["properties"][name] for name in ("incremental", "networkAccessPolicy", "publicNetworkAccess")]
    assert closed == [True, "DenyAll", "Disabled"]
    evidence = place.runners.objects.read(f"evidence/{STACK}")
    assert evidence
    assert evidence.document["serialLog"].endswith("xKernel panic")
    assert len(evidence.document["serialLog"]) == 400_000
    assert evidence.document["keepUntil"] == "2026-01-12T14:00:00Z"
    assert "sig=" not in str(evidence.document)


@pytest.mark.parametrize(
    ("operation", "target", "after"),
    [
        ("PATCH", "*/virtualMachines/*", False),
        ("POST", "*/deallocate", False),
        ("POST", "*/deallocate", True),
        ("PUT", "*/snapshots/*", False),
        ("PUT", "*/snapshots/*", True),
    ],
)
def test_keeping_goes_on_where_it_broke_off(place: Place, operation: str, target: str, after: bool) -> None:
    place.machine()
    place.planned(operation=operation, target=target, status=503, after=after)
    with pytest.raises(Unanswered):
        place.runners.keep(STACK, SLOT, KEEP)

    place.runners.keep(STACK, SLOT, KEEP)

    assert [item["name"] for item in place.kept()] == [STACK]
    assert [item.tags.keep_until for item in place.runners.machines()] == [KEEP.keep_until] * 2


def test_without_a_log_the_disk_is_kept_all_the_same(place: Place) -> None:
    place.machine(diagnosticsProfile={"bootDiagnostics": {"enabled": False}})

    place.runners.keep(STACK, SLOT, KEEP)

    evidence = place.runners.objects.read(f"evidence/{STACK}")
    assert evidence
    assert (evidence.document["serialLog"], evidence.document["why"][:13]) == ("", "no serial log")
    assert len(place.kept()) == 1


def test_of_a_machine_that_is_gone_nothing_can_be_kept(place: Place) -> None:
    place.runners.keep(STACK, SLOT, KEEP)
    assert place.kept() == []
    assert "gone before anything of it could be kept" in place.said[0][1]


# --- what goes wrong ---


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_service_that_is_busy_did_not_answer(place: Place, status: int) -> None:
    place.planned(operation="GET", target="*/usages", status=status)
    with pytest.raises(Unanswered):
        place.runners.room(RUNG)


def test_a_missing_right_is_a_refusal(place: Place) -> None:
    place.planned(operation="GET", target="*/virtualMachines/*", status=403, code="AuthorizationFailed")
    with pytest.raises(Refusal) as refusal:
        place.runners.state(STACK, SLOT)
    assert "give this login its role" in refusal.value.fix


def test_what_no_stack_knows_is_removed_and_nothing_else(place: Place) -> None:
    place.machine()
    place.interface(SECOND, OTHER, marks(SECOND, OTHER))
    theirs = place.interface("theirs", SLOT, {"owner": "somebody"})

    for stack in (STACK, SECOND, STACK):
        place.runners.remove(stack)

    left = [item for item in place.cloud.manager.remaining() if "/auto-runner-" in item and "/providers/" in item]
    assert left == [theirs]
