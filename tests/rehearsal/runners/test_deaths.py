"""A launcher that dies at any call it makes: whatever is left is gone after the next sweeps, and nobody else suffers."""

from datetime import timedelta

import pytest

from tests.rehearsal.runners.lives import (
    ask,
    calm,
    done,
    ended,
    job,
    remains,
    reviving,
    started,
    starting,
    stopping,
    sweeping,
    swept,
)
from virtci.core.runners.clouds import Cloud
from virtci.core.runners.retention import Result
from virtci.rehearsal.runners.town import Town

DEATH = timedelta(minutes=30)
"""Time for what goes on to come to its end."""
BOTH = (ask(Cloud.AZURE), ask(Cloud.EC2))


def sweeps(world: Town, number: int = 4) -> None:
    """Sweeps at the pace of their schedule."""
    for _ in range(number):
        world.stage.run(world.stage.now + timedelta(minutes=10))
        swept(world)


def all_calls(scenario: str) -> int:
    world = calm()
    if scenario == "start":
        process = starting(world, BOTH)
    else:
        for record in started(world, *BOTH):
            job(world, record, minutes=5, fails=True)
        world.stage.run(world.stage.now + timedelta(minutes=10))
        process = stopping(world, Result.SUCCESS if scenario == "destroy" else Result.FAILURE)
    world.stage.run(world.stage.now + timedelta(minutes=30))
    return process.calls


START, DESTROY, KEEP = (all_calls(name) for name in ("start", "destroy", "keep"))


def test_lives_make_calls_worth_dying_at() -> None:
    assert START > 60
    assert DESTROY > 20
    assert KEEP > 20


@pytest.mark.parametrize("call", range(1, START + 1))
def test_start_that_dies_leaves_nothing(call: int) -> None:
    world = calm()
    starting(world, BOTH, kill_at=call)
    world.stage.run(world.stage.now + DEATH)
    ended(world)
    sweeps(world)
    assert remains(world) == []


@pytest.mark.parametrize("call", range(1, DESTROY + 1))
def test_stop_that_dies_is_finished_by_sweeps(call: int) -> None:
    world = calm()
    started(world, *BOTH)
    stopping(world, Result.SUCCESS, kill_at=call)
    world.stage.run(world.stage.now + DEATH)
    ended(world)
    sweeps(world)
    assert remains(world) == []


@pytest.mark.parametrize("call", range(1, KEEP + 1))
def test_keeping_that_dies_is_finished_by_sweeps_and_loses_no_evidence(call: int) -> None:
    world = calm()
    for record in started(world, *BOTH):
        job(world, record, minutes=5, fails=True)
    world.stage.run(world.stage.now + timedelta(minutes=10))
    stopping(world, Result.FAILURE, kill_at=call)
    world.stage.run(world.stage.now + DEATH)
    ended(world)
    sweeps(world, 8)
    found = remains(world)
    assert "evidence run-azure-991-1-1" in found
    assert "stopped machine run-ec2-991-1-1" in found
    assert [item for item in found if item.startswith(("running", "lease", "runner", "credential"))] == []


def with_evidence(cloud: Cloud) -> tuple[Town, str]:
    """A town in which one machine is kept, and its stack."""
    world = calm()
    (record,) = started(world, ask(cloud, overflow=False))
    done(world, stopping(world, Result.FAILURE))
    ended(world)
    return world, record.stack


def calls_of_revival(cloud: Cloud) -> int:
    world, stack = with_evidence(cloud)
    process = reviving(world, stack)
    done(world, process)
    return process.calls


REVIVAL = [(cloud, call) for cloud in Cloud for call in range(1, calls_of_revival(cloud) + 1)]


@pytest.mark.parametrize(("cloud", "call"), REVIVAL)
def test_revival_that_dies_holds_nothing_after_its_hours_and_can_be_tried_again(cloud: Cloud, call: int) -> None:
    world, stack = with_evidence(cloud)
    before = world.launcher().record(stack)
    kept = remains(world)
    assert before
    reviving(world, stack, hours=1, kill_at=call)
    world.stage.run(world.stage.now + DEATH)
    sweeps(world, 10)

    after = world.launcher().record(stack)
    assert remains(world) == kept
    assert after
    assert (after.phase, after.keep_until) == (before.phase, before.keep_until)
    assert written(world)[stack]
    assert all(line["ended"] for line in written(world)[stack])
    done(world, reviving(world, stack))
    assert f"running machine {stack}" in remains(world)
    assert before.keep_until
    world.stage.run(before.keep_until)
    sweeps(world)
    assert remains(world) == []


@pytest.mark.parametrize("cloud", list(Cloud))
def test_sweep_that_dies_at_the_end_of_a_revival_is_finished_by_the_next(cloud: Cloud) -> None:
    for call in range(1, 40):
        world, stack = with_evidence(cloud)
        kept = remains(world)
        done(world, reviving(world, stack, hours=1))
        world.stage.run(world.stage.now + timedelta(hours=1))
        sweeping(world, kill_at=call)
        world.stage.run(world.stage.now + DEATH)
        sweeps(world, 6)
        assert remains(world) == kept, f"after a death at call {call}"


def test_sweep_that_dies_is_finished_by_the_next() -> None:
    for call in range(1, 40):
        world = calm()
        started(world, *BOTH)
        ended(world)
        world.stage.run(world.stage.now + timedelta(minutes=30))
        sweeping(world, kill_at=call)
        world.stage.run(world.stage.now + DEATH)
        sweeps(world)
        assert remains(world) == [], f"after a death at call {call}"


def test_ledger_has_every_machine_whenever_its_launcher_died() -> None:
    for call in range(1, START + 1, 3):
        world = calm()
        starting(world, BOTH, kill_at=call)
        world.stage.run(world.stage.now + DEATH)
        ended(world)
        sweeps(world)
        for platform in world.platforms.values():
            for paid in platform.bill:
                assert all(line["ended"] for line in written(world)[paid.stack]), f"{paid.stack}, death at call {call}"


def written(world: Town) -> dict[str, list[dict[str, object]]]:
    """The lines of the ledger by stack."""
    return {
        stack: lines
        for key, found in world.objects.found.items()
        if key.startswith("ledger/")
        for stack, lines in found.document["machines"].items()
    }
