"""One-shot schedules in the simulated AWS: they happen, once, and only for those whom the service may act for."""

import json
from datetime import timedelta
from typing import Any

import pytest

from tests.rehearsal.aws.account import ACCOUNT, REGION, TAGS, Account, Made, trust
from virtci.core.runners.aws import TERMINATE, backstop_policy, backstop_trust
from virtci.rehearsal.journal import CloudError

HOURS = 6


def backstop(account: Account, instance: str, **more: Any) -> Made:
    """A schedule that terminates an instance after some hours."""
    if not any(made.id == "auto-runners" for made in account.made):
        account.make("group", name="auto-runners", tags=TAGS)
        role = account.make("role", name="backstop", assumeRolePolicy=json.dumps(backstop_trust(ACCOUNT, [REGION])))
        rights = json.dumps(backstop_policy(ACCOUNT, [REGION], "kontain"))
        account.make("rights", name="terminate", role=role.id, policy=rights)
    at = account.aws.clock.now + timedelta(hours=HOURS)
    inputs: dict[str, Any] = {
        "name": "run-ec2-1-1-1",
        "groupName": "auto-runners",
        "scheduleExpression": f"at({at:%Y-%m-%dT%H:%M:%S})",
        "flexibleTimeWindow": {"mode": "OFF"},
        "actionAfterCompletion": "DELETE",
        "target": {
            "arn": TERMINATE,
            "roleArn": f"arn:aws:iam::{ACCOUNT}:role/backstop",
            "input": json.dumps({"InstanceIds": [instance]}),
        },
        **more,
    }
    return account.make("schedule", **inputs)


def test_what_was_made_is_read_as_it_was_written(account: Account) -> None:
    schedule = backstop(account, "i-1")
    group = next(made for made in account.made if made.id == "auto-runners")

    for made in (schedule, group):
        assert account.read(made) == made.outputs
        assert made.outputs.items() >= made.inputs.items()


def test_a_machine_is_gone_after_its_deadline_and_so_is_its_schedule(account: Account) -> None:
    machine = account.machine()
    deadline = account.aws.clock.seconds + HOURS * 3_600
    schedule = backstop(account, machine.id)
    account.aws.clock.advance(deadline - 1 - account.aws.clock.seconds)
    assert account.read(machine)
    assert account.read(schedule)

    account.aws.clock.advance(1)

    assert account.read(schedule) is None
    assert account.read(machine) is None
    assert [call.target for call in account.aws.journal.calls if call.operation.startswith("schedule:")] == [
        f"us-east-2/{machine.id}"
    ]


def test_a_schedule_does_nothing_to_a_machine_of_somebody_else(account: Account) -> None:
    machine = account.machine(tags={"managed-by": "somebody", "system": "kontain"})
    backstop(account, machine.id)

    account.aws.clock.advance(HOURS * 3_600)

    assert account.read(machine)
    assert "UnauthorizedOperation" in [call.code for call in account.aws.journal.calls]


def test_a_schedule_for_what_is_gone_already_ends_as_well(account: Account) -> None:
    machine = account.machine()
    schedule = backstop(account, machine.id)
    account.delete(machine)

    account.aws.clock.advance(HOURS * 3_600)

    assert account.read(schedule) is None
    assert account.aws.journal.calls[-2].status >= 400


def test_a_schedule_that_was_moved_happens_later(account: Account) -> None:
    machine = account.machine()
    schedule = backstop(account, machine.id)
    later = account.aws.clock.now + timedelta(days=7)

    account.update(schedule, scheduleExpression=f"at({later:%Y-%m-%dT%H:%M:%S})")
    account.aws.clock.advance(HOURS * 3_600)

    assert account.read(machine)
    account.aws.clock.advance(7 * 86_400)
    assert account.read(machine) is None


def test_a_schedule_and_its_group_go(account: Account) -> None:
    schedule = backstop(account, "i-1")
    group = next(made for made in account.made if made.id == "auto-runners")

    changed = account.update(group, tags={"owner": "other"})
    account.delete(schedule)
    account.delete(schedule)
    account.delete(group)

    assert changed.outputs["tags"] == {"owner": "other"}
    assert account.read(schedule) is None
    assert account.read(group) is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"scheduleExpression": "at(tomorrow)"}, "Invalid Schedule Expression"),
        ({"groupName": "other"}, "Schedule group other does not exist"),
        ({"flexibleTimeWindow": {"mode": "FLEXIBLE"}}, "has a length"),
        ({"flexibleTimeWindow": {"mode": "SOMETIMES"}}, "is invalid"),
        ({"actionAfterCompletion": "KEEP"}, "is invalid"),
    ],
)
def test_what_the_service_would_not_take_is_refused(account: Account, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(CloudError, match=words):
        backstop(account, "i-1", **changes)


def test_a_role_that_does_not_trust_the_service_is_refused(account: Account) -> None:
    account.make("group", name="auto-runners")
    account.made[-1] = Made("", "auto-runners", {}, {})
    account.make("role", name="backstop", assumeRolePolicy=trust("ec2.amazonaws.com"))

    with pytest.raises(CloudError, match="must allow AWS EventBridge Scheduler to assume the role"):
        backstop(account, "i-1")
