"""Kept machines that come back for people: for their time, in units of the quota, and whoever dies meanwhile leaves nothing."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.rehearsal.runners.lives import (
    RUN,
    ask,
    calm,
    done,
    ended,
    job,
    remains,
    reviving,
    started,
    stopping,
    sweeping,
    swept,
)
from virtci.core.problems import Refusal
from virtci.core.runners.clouds import Cloud
from virtci.core.runners.failures import Code
from virtci.core.runners.ledger import Entry
from virtci.core.runners.requests import Phase, Record
from virtci.core.runners.retention import Result
from virtci.fleet.runners import ledger
from virtci.fleet.runners.ports import StartFailed
from virtci.rehearsal.runners.platform import Machine, State
from virtci.rehearsal.runners.town import Town

BOTH = pytest.mark.parametrize("cloud", list(Cloud))
KEPT = {Cloud.AZURE: "evidence run-azure-991-1-1", Cloud.EC2: "stopped machine run-ec2-991-1-1"}
STACK = {cloud: f"run-{cloud}-991-1-1" for cloud in Cloud}
HOURS = 4


def kept(cloud: Cloud) -> Town:
    """A town with one machine, whose run failed."""
    world = calm()
    job(world, started(world, ask(cloud, overflow=False))[0], minutes=5, fails=True)
    passes(world, minutes=10)
    done(world, stopping(world, Result.FAILURE))
    ended(world)
    passes(world, minutes=30)
    return world


def passes(world: Town, **span: float) -> None:
    world.stage.run(world.stage.now + timedelta(**span))


def sweeps(world: Town, hours: float) -> None:
    """Sweeps at the pace of their schedule."""
    end = world.stage.now + timedelta(hours=hours)
    while world.stage.now < end:
        done(world, sweeping(world), minutes=10)


def back(world: Town, cloud: Cloud, hours: float = HOURS) -> Record:
    """The machine's record after it came back."""
    found = done(world, reviving(world, STACK[cloud], hours))
    assert isinstance(found, Record)
    return found


def running(world: Town) -> list[Machine]:
    return [machine for platform in world.platforms.values() for machine in platform.paid()]


def record_of(world: Town, cloud: Cloud) -> Record:
    found = world.launcher().record(STACK[cloud])
    assert found
    return found


def entries(world: Town, cloud: Cloud) -> list[Entry]:
    return [entry for entry in ledger.all_entries(world.launcher()) if entry.stack == STACK[cloud]]


@BOTH
def test_machine_comes_back_for_its_hours_in_units_of_the_quota_and_is_kept_again(cloud: Cloud) -> None:
    world = kept(cloud)
    before = record_of(world, cloud)

    found = back(world, cloud)
    (machine,) = running(world)

    assert (found.phase, found.slot) == (Phase.REVIVED, machine.slot)
    assert machine.tags.keep_until
    assert before.keep_until
    assert abs(machine.tags.keep_until - before.keep_until) < timedelta(seconds=1)
    assert [lease.slots for lease in world.launcher().leases.leases()] == [(found.slot,)]
    sweeps(world, HOURS - 1)
    assert [item.stack for item in running(world)] == [STACK[cloud]]
    sweeps(world, 2)
    assert running(world) == []
    assert [item for item in remains(world) if not item.startswith(("record", "stack run-ec2"))] == [KEPT[cloud]]
    assert (record_of(world, cloud).phase, record_of(world, cloud).keep_until) == (Phase.KEPT, before.keep_until)


@BOTH
def test_end_in_its_time_is_no_leak(cloud: Cloud) -> None:
    world = kept(cloud)
    back(world, cloud)
    passes(world, hours=HOURS)
    assert swept(world).plan.leaks == {}
    assert running(world) == []


@BOTH
def test_machine_that_came_back_takes_no_jobs(cloud: Cloud) -> None:
    world = kept(cloud)
    back(world, cloud)
    passes(world, hours=1)
    assert world.github.records == {}


@BOTH
def test_its_slot_may_be_another_one(cloud: Cloud) -> None:
    world = kept(cloud)
    first = record_of(world, cloud).slot
    (other,) = started(world, ask(cloud, run=replace(RUN, run_id=992), overflow=False))
    assert other.slot == first

    assert back(world, cloud).slot != first


@BOTH
def test_brought_back_again_it_has_more_time(cloud: Cloud) -> None:
    world = kept(cloud)
    first = back(world, cloud)
    passes(world, hours=HOURS - 1)

    again = back(world, cloud)

    sweeps(world, 2)
    assert [item.stack for item in running(world)] == [STACK[cloud]]
    assert (again.slot, sum(len(platform.bill) for platform in world.platforms.values())) == (first.slot, 2)
    sweeps(world, 2)
    assert running(world) == []


@BOTH
def test_week_after_the_failure_everything_is_gone_whatever_happened(cloud: Cloud) -> None:
    world = kept(cloud)
    until = record_of(world, cloud).keep_until
    assert until
    world.stage.run(until - timedelta(hours=2))
    back(world, cloud, hours=24)
    world.stage.run(until - timedelta(minutes=20))
    swept(world)
    assert running(world)
    world.stage.run(until + timedelta(minutes=5))

    assert swept(world).plan.leaks == {}

    assert remains(world) == []


@BOTH
def test_ledger_has_the_hours_of_people_and_no_job_in_them(cloud: Cloud) -> None:
    world = kept(cloud)
    back(world, cloud)
    passes(world, hours=1.5)
    back(world, cloud)
    sweeps(world, HOURS + 1)

    jobs, *people = entries(world, cloud)
    hours = sum(entry.hours(world.stage.now) for entry in people)

    assert (jobs.busy > timedelta(), [entry.busy for entry in people]) == (True, [timedelta(), timedelta()])
    assert HOURS + 2 <= hours < HOURS + 2.5
    assert all(entry.ended for entry in people)


@BOTH
def test_machine_that_works_under_its_label_meanwhile_stays(cloud: Cloud) -> None:
    """Somebody has the failed jobs run again while another one looks at the first failure."""
    world = kept(cloud)
    back(world, cloud, hours=1)
    label = record_of(world, cloud).request.name.label
    again = job(world, record_of(world, cloud), minutes=5)
    world.github.runs["rehearsal-org/km/991"] = None
    assert swept(world).restarted == (label,)

    sweeps(world, 2)

    assert again.result == "success"
    assert [item.stack for item in running(world)] == [f"{STACK[cloud]}-again-1"]
    assert list(world.github.records) == [label], "more jobs may come"


def test_spot_machine_comes_back_on_demand() -> None:
    world = kept(Cloud.AZURE)
    record = record_of(world, Cloud.AZURE)
    assert record.rung
    world.launcher().reached(record.stack, Phase.KEPT, rung=replace(record.rung, spot=True))

    back(world, Cloud.AZURE)

    assert [item.spot for item in running(world)] == [False]


def test_machine_that_turned_itself_off_comes_back_anew() -> None:
    """In Azure it takes vCPU until it is deleted, and nobody turns it on again."""
    world = kept(Cloud.AZURE)
    back(world, Cloud.AZURE)
    platform = world.platforms[Cloud.AZURE]
    platform.alive[STACK[Cloud.AZURE]].state = State.STOPPED

    back(world, Cloud.AZURE)

    assert [item.stack for item in running(world)] == [STACK[Cloud.AZURE]]
    assert platform.used("westus") == 4


def test_without_a_machine_nothing_is_held_and_the_evidence_stays() -> None:
    world = kept(Cloud.AZURE)
    before = record_of(world, Cloud.AZURE)
    world.platforms[Cloud.AZURE].dice = calm(capacity=1).dice

    with pytest.raises(StartFailed) as failed:
        back(world, Cloud.AZURE)

    assert failed.value.code is Code.CAPACITY
    assert [item for item in remains(world) if not item.startswith("record")] == [KEPT[Cloud.AZURE]]
    assert (record_of(world, Cloud.AZURE).phase, record_of(world, Cloud.AZURE).why) == (Phase.KEPT, before.why)
    assert all(entry.ended for entry in entries(world, Cloud.AZURE))


def test_while_its_disk_is_not_kept_yet_a_machine_is_not_touched() -> None:
    world = calm()
    job(world, started(world)[0], minutes=5, fails=True)
    passes(world, minutes=10)
    stopping(world, Result.FAILURE)
    passes(world, seconds=30)
    assert (record_of(world, Cloud.AZURE).phase, remains(world)[0]) == (
        Phase.KEPT,
        f"running machine {STACK[Cloud.AZURE]}",
    )

    with pytest.raises(Refusal, match="holds no units any more"):
        done(world, reviving(world, STACK[Cloud.AZURE]))

    ended(world)
    sweeps(world, 2)
    assert KEPT[Cloud.AZURE] in remains(world)


def test_machine_that_is_gone_is_refused() -> None:
    world = calm()
    started(world)
    done(world, stopping(world, Result.SUCCESS))
    with pytest.raises(Refusal, match="it is ended"):
        back(world, Cloud.AZURE)
