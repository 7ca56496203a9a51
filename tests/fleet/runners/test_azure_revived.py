"""Kept machines in Azure that come back: what they are made of, and what is kept of them afterwards."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fleet.runners.azure_place import KEEP, OTHER, SLOT, STACK, Place, marks, place_in
from tests.rehearsal.azure.simulated import REGION, SUBSCRIPTION
from virtci.fleet.runners.ports import StartFailed
from virtci.rehearsal import clock
from virtci.rehearsal.bridge import Values


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.setattr(clock, "QUIET_SECONDS", 0.0005)
    with place_in(tmp_path) as found:
        yield found


def test_what_a_machine_is_made_of_again_is_the_snapshot_of_its_disk(place: Place) -> None:
    with pytest.raises(StartFailed, match="has no snapshot"):
        place.runners.revive(STACK, SLOT, KEEP)
    place.machine()
    place.runners.keep(STACK, SLOT, KEEP)

    found = place.runners.revive(STACK, SLOT, replace(KEEP, slot=OTHER))

    (snapshot,) = place.kept()
    assert found == {"snapshot": snapshot["id"]}


def restored(place: Place) -> str:
    """The disk that a stack makes of what was kept."""
    (snapshot,) = place.kept()
    disk = f"{SUBSCRIPTION}/resourceGroups/{OTHER}/providers/Microsoft.Compute/disks/{STACK}-os"
    copy = {"createOption": "Copy", "sourceResourceId": snapshot["id"]}
    body: Values = {"location": REGION, "tags": marks(slot=OTHER), "properties": {"creationData": copy}}
    assert place.cloud.request("PUT", disk, body).status < 300
    return disk


def test_keeping_a_machine_that_came_back_leaves_the_evidence_of_the_failure(place: Place) -> None:
    first = place.machine()
    place.runners.keep(STACK, SLOT, KEEP)
    (snapshot,) = place.kept()
    evidence = place.runners.objects.read(f"evidence/{STACK}")
    place.cloud.delete(first)
    back = place.machine(STACK, OTHER)
    record = place.cloud.manager.store.get(back)
    assert record
    record.notes["serial"] = "what people did"

    place.runners.keep(STACK, OTHER, replace(KEEP, slot=OTHER))

    assert place.kept() == [snapshot]
    assert place.runners.objects.read(f"evidence/{STACK}") == evidence
    assert [(item.id, item.in_stack) for item in place.runners.machines()] == [(back, True), (snapshot["id"], False)]


def test_a_disk_that_no_stack_knows_is_removed_and_what_it_was_made_of_stays(place: Place) -> None:
    first = place.machine()
    place.runners.keep(STACK, SLOT, KEEP)
    place.cloud.delete(first)
    disk = restored(place)

    place.runners.remove(STACK)

    assert not place.cloud.exists(disk)
    assert len(place.kept()) == 1
