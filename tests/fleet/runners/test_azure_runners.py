"""What the launcher asks of Azure, through the real clients: room, machines, boots, images, registrations."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.fleet.runners.azure_place import DEFINITION, KEEP, OTHER, RUNG, SECOND, SLOT, STACK, Place, marks, place_in
from tests.rehearsal.azure.machines import VAULT, open_vault, secret
from tests.rehearsal.azure.simulated import GROUP, REGION
from virtci.core.problems import Refusal
from virtci.core.runners.failures import Code
from virtci.fleet.runners.ports import Credential, StartFailed, Unanswered
from virtci.rehearsal import clock
from virtci.rehearsal.azure.secrets import held


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.setattr(clock, "QUIET_SECONDS", 0.0005)
    with place_in(tmp_path) as found:
        yield found


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


def test_a_machine_of_a_stack_in_a_slot_is_ours_whatever_its_tags_say(place: Place) -> None:
    place.machine(tags={"owner": "somebody"})
    assert place.runners.room(RUNG) == 6


def test_another_machine_in_a_slot_is_somebody_elses(place: Place) -> None:
    place.machine("debug", tags=marks())
    assert place.runners.room(RUNG) == 5
    assert place.runners.machines() == []


def test_spot_machines_have_a_quota_of_their_own(place: Place) -> None:
    spot = replace(RUNG, spot=True)
    place.machine(priority="Spot", evictionPolicy="Delete")
    assert (place.runners.room(RUNG), place.runners.room(spot)) == (6, 2)
    place.cloud.machine("theirs", hardwareProfile={"vmSize": RUNG.type}, priority="Spot")
    assert (place.runners.room(RUNG), place.runners.room(spot)) == (6, 1)


def test_machines_and_what_is_kept_of_them_are_seen_and_nothing_else(place: Place) -> None:
    machine = place.machine()
    place.cloud.machine("theirs", tags=marks())
    place.runners.keep(STACK, SLOT, KEEP)

    first, second = place.runners.machines()

    assert (first.id, first.tags, first.holds_vcpus) == (machine, KEEP, True)
    assert (second.id.rsplit("/", 2)[1:], second.tags, second.holds_vcpus) == (["snapshots", STACK], KEEP, False)
    assert first.created <= second.created


def test_a_machine_is_known_by_its_name_and_its_slot_and_not_by_its_tags(place: Place) -> None:
    place.machine(tags=marks(SECOND, OTHER))
    place.machine(SECOND, OTHER, tags={})

    first, second = place.runners.machines()

    assert (first.tags.stack, first.tags.slot) == (STACK, SLOT)
    assert (second.tags.stack, second.tags.slot, second.tags.run, second.tags.keep_until) == (SECOND, OTHER, "", None)


def test_a_machine_whose_tags_cannot_be_read_is_told_and_seen_without_them(place: Place) -> None:
    place.machine(tags={**marks(), "deadline": "soon"})
    place.machine(SECOND, OTHER)

    assert [(item.tags.stack, item.tags.run) for item in place.runners.machines()] == [
        (STACK, ""), (SECOND, "rehearsal-org/km/7/1"),
    ]  # fmt: skip
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
    with pytest.raises(
        StartFailed, match="image `L0BaseImage` has a version in azure that is offered; it has 2026"
    ) as failed:
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


@pytest.mark.parametrize("tags", [None, {}, {"owner": "somebody"}])
def test_what_no_stack_knows_is_removed_and_nothing_else(place: Place, tags: dict[str, str] | None) -> None:
    place.machine(tags=tags)
    place.interface(SECOND, OTHER, marks(SECOND, OTHER))
    theirs = place.interface("theirs", SLOT, {"owner": "somebody"})

    for stack in (STACK, SECOND, STACK):
        place.runners.remove(stack)

    left = [item for item in place.cloud.manager.remaining() if "/auto-runner-" in item and "/providers/" in item]
    assert left == [theirs]


def test_people_log_in_by_the_private_address_where_the_stack_lets_them_in(place: Place) -> None:
    place.machine()
    (machine,) = place.runners.machines()
    region = place.runners.part.regions[REGION]
    open_to = place.runners.part.model_copy(
        update={"regions": {REGION: region.model_copy(update={"entry": "10.9.0.0/16"})}}
    )

    with pytest.raises(Refusal, match="says from where people log in to machines in westus"):
        place.runners.login(machine, "kontain")

    command = replace(place.runners, part=open_to).login(machine, "kontain")
    assert command[0] == "ssh"
    assert command[1].startswith("kontain@10.")
