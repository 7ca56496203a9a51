"""A kept machine comes back for people: in EC2, in a slot of its own, until a deadline that only turns it off."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.fleet.runners.ec2_account import (
    REGION,
    SECOND_SLOT,
    SETTLED,
    SLOT,
    STACK,
    Account,
    account_in,
    tags_for,
)
from virtci.core.runners.aws import PATH
from virtci.fleet.runners.ec2 import BACKSTOP_GRACE
from virtci.fleet.runners.ports import StartFailed
from virtci.rehearsal.clock import START

UNTIL = START + timedelta(days=7)
KEPT = tags_for(deadline=START + timedelta(minutes=30), keep_until=UNTIL)
BACK = tags_for(slot=SECOND_SLOT, deadline=START + timedelta(hours=5), keep_until=UNTIL)


@pytest.fixture
def account(tmp_path: Path) -> Iterator[Account]:
    with account_in(tmp_path) as found:
        iam = found.clouds._client("iam", "us-east-1")
        for slot in (SLOT, SECOND_SLOT):
            iam.create_instance_profile(InstanceProfileName=slot, Path=PATH)
        yield found


def kept(account: Account) -> str:
    """A machine with the profile of its slot, whose run failed."""
    instance = account.machine()
    account.clouds.ec2(REGION).associate_iam_instance_profile(InstanceId=instance, IamInstanceProfile={"Name": SLOT})
    account.runners.keep(STACK, SLOT, KEPT)
    account.aws.clock.advance(SETTLED)
    return instance


def profile_of(account: Account, instance: str) -> str:
    found = account.clouds.ec2(REGION).describe_iam_instance_profile_associations(
        Filters=[{"Name": "instance-id", "Values": [instance]}]
    )
    return found["IamInstanceProfileAssociations"][-1]["IamInstanceProfile"]["Arn"].rpartition("/")[2]


def test_a_machine_comes_back_as_one_of_another_slot(account: Account) -> None:
    instance = kept(account)

    assert account.runners.revive(STACK, SLOT, BACK) == {}, "its stack declares it as before"
    account.aws.clock.advance(SETTLED)

    (seen,) = account.runners.machines()
    assert account.state_of(instance) == "running"
    assert profile_of(account, instance) == SECOND_SLOT
    assert (seen.tags.slot, seen.tags.deadline, seen.tags.keep_until) == (SECOND_SLOT, BACK.deadline, UNTIL)
    assert account.runners.state(STACK, SECOND_SLOT) == "running"


def test_powering_off_at_its_deadline_does_not_lose_it(account: Account) -> None:
    instance = kept(account)
    account.runners.revive(STACK, SLOT, BACK)

    told = account.clouds.ec2(REGION).describe_instance_attribute(
        InstanceId=instance, Attribute="instanceInitiatedShutdownBehavior"
    )

    assert told["InstanceInitiatedShutdownBehavior"]["Value"] == "stop"


def test_its_week_goes_on_meanwhile(account: Account) -> None:
    instance = kept(account)
    account.runners.revive(STACK, SLOT, BACK)

    account.pass_to(UNTIL + BACKSTOP_GRACE)
    account.aws.settle()
    account.aws.clock.advance(SETTLED)

    assert account.state_of(instance) == "terminated"


def test_coming_back_twice_gives_more_time(account: Account) -> None:
    instance = kept(account)
    account.runners.revive(STACK, SLOT, BACK)
    account.aws.clock.advance(SETTLED)

    account.runners.revive(
        STACK, SLOT, tags_for(slot=SECOND_SLOT, deadline=START + timedelta(hours=9), keep_until=UNTIL)
    )

    assert account.tags_of(instance)["deadline"] == "2026-01-05T17:00:00Z"


def test_a_machine_that_is_gone_is_said_to_be(account: Account) -> None:
    with pytest.raises(StartFailed, match="its week is over"):
        account.runners.revive(STACK, SLOT, BACK)
