"""Four views of the same runs held together: what fits is left alone, what does not has one action and one reason."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtci.core.runners.clouds import Cloud
from virtci.core.runners.sweep import (
    BOOTING,
    CLOSING,
    LATE,
    Action,
    Do,
    Leak,
    Seen,
    SeenLease,
    SeenMachine,
    SeenRun,
    SeenRunner,
    SeenStack,
    plan,
)
from virtci.core.runners.tags import RunTags
from virtci.rehearsal.clock import START

NOW = START + timedelta(hours=2)
STACK, LABEL, RUN = "run-azure-7-1-1", "virt-ci-azure-7-1-1-0123abcd", "o/r/7/1"
TAGS = RunTags(
    stack=STACK,
    label=LABEL,
    shown="azure-runner-7",
    run=RUN,
    slot="auto-runner-westus-01",
    deadline=NOW + timedelta(hours=4),
)
MACHINE = SeenMachine(cloud=Cloud.AZURE, id=STACK, tags=TAGS, created=START, holds_vcpus=True)
RUNNER = SeenRunner(id=1, label=LABEL, online=True, busy=True)
GOOD = Seen(
    now=NOW,
    machines=(MACHINE,),
    runners=(RUNNER,),
    stacks=(SeenStack(name=STACK, updated=START),),
    runs={RUN: SeenRun(run=RUN, ended=None)},
    leases=(SeenLease(holder=STACK, heartbeat=NOW),),
)


def seen(**changes: Any) -> Seen:
    return replace(GOOD, **changes)


def machine(**changes: Any) -> tuple[SeenMachine, ...]:
    return (replace(MACHINE, **changes),)


def kept(until: timedelta, **changes: Any) -> tuple[SeenMachine, ...]:
    return machine(tags=replace(TAGS, keep_until=NOW + until), holds_vcpus=False, **changes)


def test_what_fits_together_is_left_alone_and_its_lease_renewed() -> None:
    found = plan(GOOD)
    assert [(action.do, action.target) for action in found.actions] == [(Do.RENEW, STACK)]
    assert found.leaks == {}


@pytest.mark.parametrize(
    ("change", "do", "leak"),
    [
        ({"runs": {RUN: SeenRun(run=RUN, ended=NOW - CLOSING)}}, Do.DESTROY, Leak.LEFT_RUNNING),
        ({"runs": {}}, Do.DESTROY, Leak.LEFT_RUNNING),
        ({"runs": {RUN: SeenRun(run=RUN, ended=NOW - CLOSING, failed=frozenset({LABEL}))}}, Do.KEEP, Leak.LEFT_RUNNING),
        ({"machines": machine(tags=replace(TAGS, deadline=NOW))}, Do.DESTROY, Leak.TOO_OLD),
        ({"runners": ()}, Do.DESTROY, Leak.NEVER_ONLINE),
        ({"runners": (replace(RUNNER, online=False),)}, Do.DESTROY, Leak.NEVER_ONLINE),
        ({"machines": kept(timedelta())}, Do.DESTROY, None),
        ({"machines": kept(-LATE)}, Do.DESTROY, Leak.KEPT_TOO_LONG),
        ({"machines": (), "runners": (), "leases": ()}, Do.DESTROY, Leak.EMPTY_STACK),
    ],
)  # fmt: skip
def test_machine_or_stack_that_does_not_fit_has_one_action(change: dict[str, Any], do: Do, leak: Leak | None) -> None:
    acted = [action for action in plan(seen(**change)).actions if action.do in (Do.DESTROY, Do.KEEP)]
    assert [(action.do, action.target, action.leak) for action in acted] == [(do, STACK, leak)]
    assert acted[0].why


@pytest.mark.parametrize(
    "change",
    [
        {"runs": {RUN: SeenRun(run=RUN, ended=NOW - CLOSING + timedelta(seconds=1))}},
        {"runners": (), "machines": machine(created=NOW - BOOTING + timedelta(seconds=1))},
        {"runners": (), "came_online": frozenset({STACK})},
        {"runs": {}, "machines": machine(created=NOW - timedelta(minutes=1))},
        {"machines": kept(timedelta(seconds=1))},
        {"machines": (), "runners": (), "stacks": (SeenStack(name=STACK, updated=NOW),)},
    ],
)
def test_grace_is_given_to_what_is_in_the_making_or_kept(change: dict[str, Any]) -> None:
    assert [action for action in plan(seen(**change)).actions if action.do in (Do.DESTROY, Do.KEEP)] == []


@pytest.mark.parametrize(("late", "leak"), [(timedelta(), None), (LATE, Leak.KEPT_RUNNING)])
def test_kept_machine_that_takes_vcpu_after_its_deadline_is_kept_properly(late: timedelta, leak: Leak | None) -> None:
    found = acted(seen(machines=came_back(deadline=NOW - late)))
    assert [(action.do, action.leak) for action in found] == [(Do.KEEP, leak)]


def came_back(**changes: Any) -> tuple[SeenMachine, ...]:
    """A machine that people look at, and the snapshot that it came from."""
    tags = replace(TAGS, **{"keep_until": NOW + timedelta(days=1), **changes})
    return (
        *machine(tags=tags),
        replace(MACHINE, id="snapshot", tags=replace(tags, deadline=START), holds_vcpus=False, in_stack=False),
    )


def acted(found: Seen) -> list[Action]:
    """What is destroyed or kept."""
    return [action for action in plan(found).actions if action.do in (Do.DESTROY, Do.KEEP)]


def test_machine_that_came_back_is_left_alone_in_its_time_and_holds_its_units() -> None:
    found = plan(seen(machines=came_back(), runners=(), runs={}))
    assert [(action.do, action.target) for action in found.actions] == [(Do.RENEW, STACK)]


def test_machine_that_came_back_and_its_snapshot_go_once_when_the_week_is_over() -> None:
    found = acted(seen(machines=came_back(keep_until=NOW)))
    assert [(action.do, action.target, action.leak) for action in found] == [(Do.DESTROY, STACK, None)]


def test_half_made_revival_is_taken_down_and_its_snapshot_stays() -> None:
    _, snapshot = came_back()
    found = acted(seen(machines=(snapshot,)))
    assert [(action.do, action.leak) for action in found] == [(Do.KEEP, Leak.EMPTY_STACK)]
    assert acted(seen(machines=(snapshot,), stacks=(SeenStack(name=STACK, updated=NOW),))) == []


def test_runner_record_without_a_machine_is_forgotten_by_its_number() -> None:
    ghost = SeenRunner(id=42, label="virt-ci-ec2-9-1-1-0123abcd", online=False, busy=False)
    found = [action for action in plan(seen(runners=(RUNNER, ghost))).actions if action.leak]
    assert [(action.do, action.id, action.leak) for action in found] == [(Do.FORGET_RUNNER, 42, Leak.GHOST_RUNNER)]


@pytest.mark.parametrize("change", [{"online": True}, {"busy": True}])
def test_runner_that_lives_is_never_forgotten(change: dict[str, Any]) -> None:
    ghost = replace(SeenRunner(id=42, label="virt-ci-ec2-9-1-1-0123abcd", online=False, busy=False), **change)
    assert not [action for action in plan(seen(runners=(RUNNER, ghost))).actions if action.do is Do.FORGET_RUNNER]


def test_lease_without_a_machine_comes_back_after_its_grace() -> None:
    lost = SeenLease(holder="run-ec2-9-1-1", heartbeat=NOW - BOOTING)
    fresh = SeenLease(holder="run-ec2-8-1-1", heartbeat=NOW - BOOTING + timedelta(seconds=1))
    found = [action for action in plan(seen(leases=(*GOOD.leases, lost, fresh))).actions if action.leak]
    assert [(action.do, action.target, action.leak) for action in found] == [
        (Do.RELEASE, "run-ec2-9-1-1", Leak.LOST_LEASE)
    ]


@given(st.data())
def test_no_plan_names_what_was_not_seen(data: st.DataObject) -> None:
    found = seen(
        machines=data.draw(st.sampled_from([(), GOOD.machines, kept(timedelta(days=-1))])),
        runners=data.draw(st.sampled_from([(), GOOD.runners, (replace(RUNNER, online=False, busy=False),)])),
        stacks=data.draw(st.sampled_from([(), GOOD.stacks])),
        runs=data.draw(st.sampled_from([{}, GOOD.runs])),
        leases=data.draw(st.sampled_from([(), GOOD.leases, (SeenLease(holder=STACK, heartbeat=START),)])),
    )
    assert {action.target for action in plan(found).actions} <= {STACK, LABEL}
