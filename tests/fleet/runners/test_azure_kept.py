"""Machines in Azure whose run failed: their disk and the end of their log are kept for a week."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fleet.runners.azure_place import KEEP, SLOT, STACK, Place, marks, place_in
from virtci.fleet.runners.ports import Unanswered
from virtci.rehearsal import clock


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.setattr(clock, "QUIET_SECONDS", 0.0005)
    with place_in(tmp_path) as found:
        yield found


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
