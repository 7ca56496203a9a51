"""Machines in AWS whose run failed: stopped, kept for a week with what their console showed, and then gone."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.fleet.runners.ec2_account import (
    DEADLINE,
    KEPT,
    SECOND,
    SECOND_SLOT,
    SETTLED,
    SLOT,
    STACK,
    UNTIL,
    Account,
    account_in,
    tags_for,
)
from virtci.fleet.runners.ec2 import BACKSTOP_GRACE
from virtci.fleet.runners.ports import Unanswered
from virtci.rehearsal.journal import Fault


@pytest.fixture
def account(tmp_path: Path) -> Iterator[Account]:
    with account_in(tmp_path) as found:
        yield found


def test_a_kept_machine_is_stopped_and_says_until_when(account: Account) -> None:
    instance = account.machine()
    before = account.tags_of(instance)
    account.runners.keep(STACK, SLOT, KEPT)
    account.aws.clock.advance(SETTLED)
    changed = {"deadline": "2026-01-05T00:30:00Z", "keep-until": UNTIL.strftime("%Y-%m-%dT%H:%M:%SZ")}
    assert account.state_of(instance) == "stopped"
    assert set(changed) == {key for key, value in account.tags_of(instance).items() if before.get(key) != value}
    (seen,) = account.runners.machines()
    assert (seen.tags.keep_until, seen.holds_vcpus) == (UNTIL, False)


def test_a_kept_machine_outlives_its_first_deadline_and_not_its_week(account: Account) -> None:
    instance = account.machine()
    account.runners.keep(STACK, SLOT, KEPT)
    account.pass_to(UNTIL)
    assert account.state_of(instance) == "stopped"
    account.pass_to(UNTIL + BACKSTOP_GRACE)
    account.aws.settle()
    account.aws.clock.advance(SETTLED)
    assert account.state_of(instance) == "terminated"
    assert account.schedules() == {}


def test_a_machine_that_is_not_kept_goes_at_its_deadline(account: Account) -> None:
    instance = account.machine()
    account.pass_to(DEADLINE)
    account.aws.settle()
    account.aws.clock.advance(SETTLED)
    assert account.state_of(instance) == "terminated"


def test_a_kept_machine_whose_schedule_is_missing_gets_one(account: Account) -> None:
    instance = account.machine()
    account.schedules().clear()
    account.runners.keep(STACK, SLOT, KEPT)
    (made,) = account.schedules().values()
    assert (made.name, json.loads(made.target["Input"])) == (STACK, {"InstanceIds": [instance]})


def test_keeping_twice_is_keeping_once(account: Account) -> None:
    instance = account.machine()
    for _ in range(2):
        account.runners.keep(STACK, SLOT, KEPT)
        account.aws.clock.advance(SETTLED)
    assert account.state_of(instance) == "stopped"
    assert set(account.schedules()) == {STACK}


@pytest.mark.parametrize("operation", ["ec2:CreateTags", "scheduler:UpdateSchedule", "ec2:StopInstances"])
@pytest.mark.parametrize("after", [False, True])
def test_keeping_that_broke_off_is_finished_by_the_next(account: Account, operation: str, after: bool) -> None:
    instance = account.machine()
    account.plan(Fault(operation=operation, status=503, code="Unavailable", after=after))
    with pytest.raises(Unanswered):
        account.runners.keep(STACK, SLOT, KEPT)
    account.runners.keep(STACK, SLOT, KEPT)
    account.pass_to(DEADLINE + timedelta(hours=1))
    assert account.state_of(instance) == "stopped"


def test_tags_come_before_the_machine_is_off(account: Account) -> None:
    instance = account.machine()
    account.plan(Fault(operation="ec2:CreateTags", status=503, code="Unavailable"))
    with pytest.raises(Unanswered):
        account.runners.keep(STACK, SLOT, KEPT)
    assert account.state_of(instance) == "running"


def test_the_console_is_evidence(account: Account) -> None:
    instance = account.machine()
    account.runners.keep(STACK, SLOT, KEPT)
    kept = account.objects.read(f"evidence/{STACK}")
    assert kept
    assert kept.document["machine"] == instance
    assert "Linux version" in kept.document["console"]


def test_a_console_that_cannot_be_read_keeps_no_machine_running_and_spoils_no_evidence(account: Account) -> None:
    instance = account.machine()
    account.plan(Fault(operation="ec2:GetConsoleOutput", status=400, code="UnsupportedOperation"))
    account.runners.keep(STACK, SLOT, KEPT)
    account.aws.clock.advance(SETTLED)
    assert account.state_of(instance) == "stopped"
    first = account.objects.read(f"evidence/{STACK}")
    assert first
    assert first.document["console"] == ""
    assert "UnsupportedOperation" in first.document["why"]
    account.runners.keep(STACK, SLOT, KEPT)
    second = account.objects.read(f"evidence/{STACK}")
    account.plan(Fault(operation="ec2:GetConsoleOutput", status=503, code="Unavailable"))
    account.runners.keep(STACK, SLOT, KEPT)
    assert second
    assert second.document["console"]
    assert account.objects.read(f"evidence/{STACK}") == second


def test_of_a_spot_machine_the_console_is_kept_and_no_vcpu(account: Account) -> None:
    instance = account.machine(spot=True)
    account.runners.keep(STACK, SLOT, KEPT)
    account.aws.clock.advance(SETTLED)
    assert account.state_of(instance) == "terminated"
    assert account.objects.read(f"evidence/{STACK}")


def test_a_machine_that_is_gone_is_not_kept(account: Account) -> None:
    account.runners.keep(STACK, SLOT, KEPT)
    assert account.objects.keys() == []
    assert account.asked("ec2:CreateTags") == account.asked("scheduler:CreateSchedule") == 0


def test_nothing_of_others_is_kept_or_discarded(account: Account) -> None:
    foreign = account.machine(system="other")
    account.runners.keep(STACK, SLOT, KEPT)
    assert "keep-until" not in account.tags_of(foreign)
    assert account.state_of(foreign) == "running"
    ours = account.machine(tags_for(SECOND, SECOND_SLOT))
    (seen,) = account.runners.machines()
    account.tag(ours, system="other")
    account.runners.discard(seen)
    assert [account.state_of(item) for item in (foreign, ours)] == ["running", "running"]


def test_a_discarded_machine_is_terminated_with_its_schedule_also_the_second_time(account: Account) -> None:
    instance, other = account.machine(), account.machine(tags_for(SECOND, SECOND_SLOT))
    account.runners.keep(STACK, SLOT, KEPT)
    seen = next(machine for machine in account.runners.machines() if machine.id == instance)
    for _ in range(2):
        account.runners.discard(seen)
        account.aws.clock.advance(SETTLED)
    assert [account.state_of(item) for item in (instance, other)] == ["terminated", "running"]
    assert set(account.schedules()) == {SECOND}
