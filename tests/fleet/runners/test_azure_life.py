"""The life of a runner in Azure with everything real but the clouds: launcher, engine, program, policies, SDK clients."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.fleet.runners.quarter import NO_CREDENTIAL, Quarter, ask, quarter, run_of
from tests.rehearsal.test_runner_stacks import SLOT
from tests.settings.test_runner_faults import MACHINE
from virtci.core.runners.clouds import Cloud
from virtci.core.runners.failures import Code
from virtci.core.runners.requests import Phase, Record
from virtci.core.runners.retention import OnCancel, Result
from virtci.core.runners.tags import RunTags, read_run_tags, run_tags
from virtci.core.tags import TagSet
from virtci.fleet.runners.ledger import all_entries
from virtci.fleet.runners.ports import StartFailed, Unanswered
from virtci.fleet.runners.revive import revive
from virtci.fleet.runners.start import start, start_all
from virtci.fleet.runners.stop import stop_run
from virtci.fleet.runners.sweep import sweep

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Quarter]:
    with quarter(tmp_path_factory.mktemp("quarter")) as found:
        yield found


def test_two_runners_start_side_by_side_and_leave_nothing(there: Quarter) -> None:
    asked = [ask(501, slot) for slot in (1, 2)]

    records = start_all(there.launcher, asked, there.together)

    assert all(isinstance(item, Record) and item.phase is Phase.ONLINE for item in records), records
    assert sorted(item.name for item in there.machines()) == ["run-azure-501-1-1", "run-azure-501-1-2"]
    assert [there.registration(f"auto-runner-westus-0{number}") for number in (1, 2)] == ["used", "used"]
    assert sorted(stack.name for stack in there.stacks.all()) == ["run-azure-501-1-1", "run-azure-501-1-2"]
    runner = there.runner(asked[0].name.label)
    assert runner
    assert runner.online

    stop_run(there.launcher, run_of(501), {"tests": Result.SUCCESS}, OnCancel.IF_HANGING)

    assert there.left_in_slots() == []
    assert there.stacks.all() == []
    assert there.launcher.leases.leases() == []
    assert there.runner(asked[0].name.label) is None


def test_a_failed_run_leaves_a_snapshot_and_a_log_and_no_machine(there: Quarter) -> None:
    record = start(there.launcher, ask(502))

    stop_run(there.launcher, run_of(502), {"tests": Result.FAILURE}, OnCancel.IF_HANGING)

    assert there.left_in_slots() == []
    assert there.stacks.all() == []
    assert there.launcher.leases.leases() == []
    (kept,) = there.azure.machines()
    assert (kept.tags.stack, kept.tags.run, kept.holds_vcpus) == (record.stack, "rehearsal-org/km/502/1", False)
    assert kept.tags.keep_until
    week = kept.tags.keep_until - there.on.world.clock.now
    assert timedelta(days=6, hours=23) < week <= timedelta(days=7)
    tags = there.substrate.ask("GET", kept.id)["tags"]
    assert read_run_tags(tags, "kontain") == kept.tags
    assert "bootstage" not in tags
    evidence = there.objects.read("evidence/run-azure-502-1-1")
    assert evidence
    assert (evidence.document["serialLog"], evidence.document["why"]) == ("run-azure-502-1-1: probed", "")

    there.azure.discard(kept)
    there.azure.discard(kept)

    assert there.azure.machines() == []
    assert there.objects.read("evidence/run-azure-502-1-1") is None


def test_a_kept_machine_comes_back_for_people_in_another_slot_and_is_kept_again(there: Quarter) -> None:
    launcher, clock = there.launcher, there.on.world.clock
    record = start(launcher, ask(503))
    stop_run(launcher, run_of(503), {"tests": Result.FAILURE}, OnCancel.IF_HANGING)
    (before,) = there.azure.machines()
    other = start(launcher, ask(504))
    assert other.slot == record.slot
    kept, asked = launcher.record(record.stack), clock.now
    assert kept

    back = revive(launcher, kept, 4)

    machine, snapshot = sorted(
        (item for item in there.azure.machines() if item.tags.stack == record.stack), key=lambda item: not item.in_stack
    )
    body = there.substrate.ask("GET", machine.id)
    assert (back.phase, machine.tags.slot, snapshot) == (Phase.REVIVED, back.slot, before)
    assert back.slot != record.slot
    assert machine.tags.keep_until == before.tags.keep_until
    assert abs(machine.tags.deadline - asked - timedelta(hours=4)) < timedelta(seconds=1)
    assert body["properties"]["storageProfile"]["osDisk"]["createOption"] == "Attach"
    assert "identity" not in body
    assert there.registration(back.slot) in NO_CREDENTIAL
    assert there.runner(record.request.name.label) is None

    clock.advance(3 * 3_600)
    sweep(launcher, there.together)
    longer = revive(launcher, back, 4)
    clock.advance(3 * 3_600)
    swept = sweep(launcher, there.together)
    assert (longer.slot, swept.failures) == (back.slot, ())
    assert record.stack in [item.name for item in there.machines()]

    clock.advance(3_600)
    swept = sweep(launcher, there.together)
    assert swept.failures == ()
    stop_run(launcher, run_of(504), {"tests": Result.SUCCESS}, OnCancel.IF_HANGING)
    assert there.left_in_slots() == []
    assert there.stacks.all() == []
    assert launcher.leases.leases() == []
    assert there.azure.machines() == [before]
    evidence = there.objects.read("evidence/run-azure-503-1-1")
    assert evidence
    assert evidence.document["serialLog"] == "run-azure-503-1-1: probed", "that of the failure"
    hours = [entry.hours(clock.now) for entry in all_entries(launcher) if entry.stack == record.stack]
    assert sum(hours[1:]) == pytest.approx(7, abs=0.5)
    there.azure.discard(before)


def declared(there: Quarter, **changes: object) -> dict[str, object]:
    """The section `runner` of a machine in the first slot."""
    azure = there.substrate.azure
    return {
        **MACHINE, "deadline": "2026-01-06T06:00:00Z", "slot": SLOT, "subnet": azure.regions["westus"].subnet_id,
        "vault": azure.vault.uri, "image": f"{azure.gallery_image_id}/versions/2026.11.1", **changes,
    }  # fmt: skip


def declared_tags(stack: str) -> dict[str, str]:
    """The tags of everything of a machine."""
    item = RunTags(
        stack=stack,
        label="l",
        shown="s",
        run="rehearsal-org/km/515/1",
        slot=SLOT,
        deadline=datetime(2026, 1, 6, tzinfo=UTC),
    )
    return run_tags(TagSet(owner="kontain-ci", system="kontain", stack=stack), Cloud.AZURE, item)


def deployment(there: Quarter, name: str, change: Callable[[dict[str, Any]], None]) -> None:
    """Changes the state of a stack by hand."""
    file = there.on.folder / "run" / "state" / ".pulumi" / "stacks" / "virt-ci" / f"{name}.json"
    content = json.loads(file.read_text())
    change(content["checkpoint"]["latest"])
    file.write_text(json.dumps(content))


def lock(there: Quarter, name: str, age: timedelta) -> Path:
    """What the engine of a killed launcher leaves in the backend."""
    folder = there.on.folder / "run" / "state" / ".pulumi" / "locks" / "organization" / "virt-ci" / name
    folder.mkdir(parents=True, exist_ok=True)
    since = datetime.now(UTC) - age
    holder = {"pid": 1, "username": "runner", "hostname": "elsewhere", "timestamp": f"{since:%Y-%m-%dT%H:%M:%SZ}"}
    file = folder / "left.json"
    file.write_text(json.dumps(holder))
    return file


def test_what_breaks_a_policy_is_refused_before_anything_is_made(there: Quarter) -> None:
    name = "run-azure-511-1-1"
    with pytest.raises(StartFailed, match="the policies refuse it") as refused:
        there.stacks.up(name, declared(there, region="eastus", slot="auto-runner-eastus-01"))

    assert "regions-allowed" in refused.value.said
    there.stacks.destroy(name)
    assert there.left_in_slots() == []
    assert there.stacks.all() == []


def test_what_the_platform_refuses_has_its_code_and_leaves_a_stack_that_can_be_destroyed(there: Quarter) -> None:
    name, image = "run-azure-512-1-1", f"{there.substrate.azure.gallery_image_id}/versions/2026.11.9"
    with pytest.raises(StartFailed) as refused:
        there.stacks.up(name, declared(there, image=image))

    assert refused.value.code is Code.IMAGE
    assert [stack.name for stack in there.stacks.all()] == [name]
    there.stacks.destroy(name)
    there.stacks.destroy(name)
    assert (there.left_in_slots(), there.stacks.all()) == ([], [])


def test_a_lock_is_respected_while_somebody_may_hold_it_and_cancelled_afterwards(there: Quarter) -> None:
    name = "run-azure-513-1-1"
    there.stacks.up(name, declared(there))
    lock(there, name, timedelta(minutes=5))
    with pytest.raises(Unanswered, match=r"locked by runner@elsewhere \(pid 1\)"):
        there.stacks.destroy(name)
    left = lock(there, name, timedelta(hours=1))

    there.stacks.destroy(name)

    assert not left.exists()
    assert (there.left_in_slots(), there.stacks.all()) == ([], [])
    assert any("lock of a launcher that was killed" in sentence for about, sentence in there.said if about == name)


def test_a_machine_that_was_being_made_when_its_launcher_was_killed_goes_with_its_stack(there: Quarter) -> None:
    """The engine knows that it was creating it, and not what became of that."""
    name = "run-azure-514-1-1"
    there.stacks.up(name, declared(there))

    def forget(state: dict[str, Any]) -> None:
        (machine,) = [item for item in state["resources"] if item["type"].endswith(":VirtualMachine")]
        state["resources"].remove(machine)
        state["pending_operations"] = [{"resource": {**machine, "id": "", "outputs": {}}, "type": "creating"}]

    deployment(there, name, forget)

    there.stacks.destroy(name)

    assert (there.left_in_slots(), there.stacks.all()) == ([], [])


def test_what_is_there_of_a_machine_without_a_stack_goes_as_well(there: Quarter) -> None:
    place, interface = there.substrate.interface()
    there.substrate.ask("PUT", place, {**interface, "tags": declared_tags("run-azure-515-1-1")})

    there.stacks.destroy("run-azure-515-1-1")

    assert there.left_in_slots() == []


def test_no_stack_is_selected(there: Quarter) -> None:
    before = {file: file.read_text() for file in (there.on.folder / "run" / "home").rglob("*-workspace.json")}
    there.stacks.destroy("run-azure-599-1-1")
    after = {file: file.read_text() for file in (there.on.folder / "run" / "home").rglob("*-workspace.json")}
    assert after == before
    assert not any("run-azure" in text for text in after.values())
