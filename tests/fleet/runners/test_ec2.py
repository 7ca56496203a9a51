"""Machines of runs in AWS: what is ours is found, kept and taken down; nothing else is touched."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.fleet.runners.ec2_account import (
    FAR_SLOT,
    KEPT,
    OTHER_REGION,
    REGION,
    SECOND,
    SECOND_SLOT,
    SETTLED,
    SLOT,
    STACK,
    Account,
    account_in,
    rung,
    stacks_of,
    tags_for,
)
from virtci.core.problems import Refusal
from virtci.core.runners.boot_record import boot_parameter
from virtci.core.runners.failures import Code
from virtci.fleet.aws_clouds import AwsClouds
from virtci.fleet.runners import ec2_instances
from virtci.fleet.runners.ports import Credential, StartFailed, Unanswered
from virtci.rehearsal.clock import START
from virtci.rehearsal.journal import Fault


@pytest.fixture
def account(tmp_path: Path) -> Iterator[Account]:
    with account_in(tmp_path) as found:
        yield found


def credential(size: int = 20) -> Credential:
    return Credential("r" * size, START + timedelta(hours=1))


def test_room_is_the_quota_without_what_others_run(account: Account) -> None:
    account.instance(kind="m5.2xlarge")
    account.machine()
    assert account.runners.room(rung()) == (64 - 8) // 4


def test_room_of_an_empty_region_is_the_quota_that_aws_has_not_the_declared_one(account: Account) -> None:
    assert account.runners.room(rung()) == 16


def test_what_is_stopped_spot_or_of_another_quota_takes_no_room(account: Account) -> None:
    account.clouds.ec2(REGION).stop_instances(InstanceIds=[account.instance()])
    account.instance(spot=True)
    account.instance(kind="g4dn.xlarge")
    account.instance(region=OTHER_REGION)
    assert account.runners.room(rung()) == 16


def test_a_machine_of_another_system_or_with_broken_tags_takes_room(account: Account) -> None:
    account.machine(system="other")
    account.tag(account.machine(tags_for(SECOND, SECOND_SLOT)), deadline="soon")
    assert account.runners.room(rung()) == 14


def test_others_above_the_quota_leave_no_room(tmp_path: Path) -> None:
    with account_in(tmp_path, vcpus=64) as account:
        account.instance(count=16)
        account.aws.scenario = replace(account.aws.scenario, vcpus={REGION: 32})
        assert account.runners.room(rung()) == 0


@pytest.mark.parametrize(("status", "code"), [(403, "AccessDeniedException"), (400, "NoSuchResourceException"), (503, "ServiceException")])  # fmt: skip
def test_the_declared_quota_counts_where_aws_does_not_tell(account: Account, status: int, code: str) -> None:
    account.plan(Fault(operation="servicequotas:GetServiceQuota", status=status, code=code))
    account.instance()
    assert account.runners.room(rung()) == (32 - 4) // 4
    assert [about for about, said in account.told if "declared quota of 32 vCPU" in said] == [REGION]


def test_the_image_is_the_newest_that_is_promoted_in_the_region(account: Account) -> None:
    account.publish("2026.01.1")
    promoted = account.publish("2026.01.2")
    account.publish("2026.02.1", state="candidate")
    account.publish("2026.03.1", region=OTHER_REGION)
    assert account.runners.image(REGION) == promoted


def test_without_a_promoted_image_no_machine_starts_in_the_region(account: Account) -> None:
    account.publish("2026.01.1", state="candidate")
    with pytest.raises(StartFailed, match="make -C cloud/aws L0BaseImage") as failed:
        account.runners.image(REGION)
    assert failed.value.code is Code.IMAGE


def test_a_machine_is_placed_in_the_subnet_of_its_zone(account: Account) -> None:
    runners = account.runners
    assert runners.place(rung(zone=f"{REGION}b")) == {"subnet": f"subnet-{REGION}-b"}
    assert runners.place(rung()) == {"subnet": f"subnet-{REGION}-a"}
    with pytest.raises(StartFailed, match="none in us-east-2z") as failed:
        runners.place(rung(zone="us-east-2z"))
    assert failed.value.code is Code.NETWORK


def test_machines_are_those_with_our_tags_in_all_regions_in_every_state_but_gone(account: Account) -> None:
    ec2 = account.clouds.ec2(REGION)
    stopped, gone = (account.machine(tags_for(f"run-ec2-1-1-{number}", SECOND_SLOT)) for number in (1, 2))
    ec2.stop_instances(InstanceIds=[stopped])
    ec2.terminate_instances(InstanceIds=[gone])
    running = account.machine()
    account.machine(tags_for("run-ec2-1-1-3", FAR_SLOT), region=OTHER_REGION)
    account.machine(tags_for("run-ec2-9-1-1"), system="other")
    account.instance({"managed-by": "virt-ci", "system": "kontain", "stack": STACK})
    account.instance({"run": "rehearsal-org/km/4711/1", "system": "kontain"})

    found = {machine.tags.stack: machine for machine in account.runners.machines()}

    assert set(found) == {STACK, "run-ec2-1-1-1", "run-ec2-1-1-3"}
    assert (found[STACK].id, found[STACK].tags, found[STACK].holds_vcpus) == (running, tags_for(), True)
    assert not found["run-ec2-1-1-1"].holds_vcpus
    assert START < found[STACK].created < account.aws.clock.now


def test_a_machine_whose_tags_were_changed_is_told_of_and_hides_no_other(account: Account) -> None:
    tampered = account.machine(tags_for(SECOND, SECOND_SLOT))
    elsewhere = account.machine(tags_for("run-ec2-1-1-9", FAR_SLOT))
    account.tag(tampered, run="rehearsal-org/km")
    account.machine()
    assert stacks_of(account.runners.machines()) == {STACK}
    assert {about for about, _ in account.told} == {tampered, elsewhere}


def test_machines_on_later_pages_are_found(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ec2_instances, "PAGE", 5)
    slots = [f"auto-runner-{REGION}-{number:02}" for number in range(1, 13)]
    for number, slot in enumerate(slots):
        account.machine(tags_for(f"run-ec2-1-1-{number}", slot))
    before = account.asked("ec2:DescribeInstances")
    assert {machine.tags.slot for machine in account.runners.machines()} == set(slots)
    assert account.asked("ec2:DescribeInstances") - before == 4  # three pages, and the other region


def test_a_boot_is_told_from_the_first_word_to_the_last(account: Account) -> None:
    runners, instance = account.runners, account.machine()
    assert runners.boot(STACK, SLOT) is None
    account.tell(instance, bootstage="booting")
    booting = runners.boot(STACK, SLOT)
    account.tell(instance, bootstage="probed", boothypervisor="kvm")
    probed = runners.boot(STACK, SLOT)
    account.tell(instance, bootstage="failed", bootreason="HYPERVISOR_ABSENT: no /dev/kvm")
    failed = runners.boot(STACK, SLOT)
    assert booting
    assert probed
    assert failed
    assert (booting.stage, booting.probed, booting.failure) == ("booting", False, None)
    assert (probed.stage, probed.probed, probed.failure) == ("probed", True, None)
    assert (failed.probed, failed.failure, failed.reason) == (False, Code.HYPERVISOR_ABSENT, "HYPERVISOR_ABSENT: no /dev/kvm")  # fmt: skip
    assert failed.at.isoformat() == "2026-01-05T12:00:00+00:00"


def test_what_an_earlier_machine_of_the_slot_told_is_not_this_ones(account: Account) -> None:
    account.tell("i-00000000000000000", bootstage="probed")
    account.machine()
    assert account.runners.boot(STACK, SLOT) is None


def test_a_boot_of_no_machine_is_none(account: Account) -> None:
    account.tell("i-00000000000000000", bootstage="probed")
    assert account.runners.boot(STACK, SLOT) is None


def test_a_boot_that_cannot_be_read_is_a_failure_of_the_machine(account: Account) -> None:
    account.machine()
    account.put(boot_parameter(SLOT), "rubbish")
    report = account.runners.boot(STACK, SLOT)
    assert report
    assert (report.failure, report.probed) == (Code.IMAGE, False)
    assert "rubbish" in report.reason


def test_a_machine_is_running_stopped_or_absent(account: Account) -> None:
    runners = account.runners
    assert runners.state(STACK, SLOT) == "absent"
    instance = account.machine()
    assert runners.state(STACK, SLOT) == "running"
    assert runners.state(STACK, SECOND_SLOT) == "absent"
    account.clouds.ec2(REGION).stop_instances(InstanceIds=[instance])
    assert runners.state(STACK, SLOT) == "stopped"
    account.clouds.ec2(REGION).terminate_instances(InstanceIds=[instance])
    assert runners.state(STACK, SLOT) == "absent"


def test_a_spot_machine_that_was_taken_back_is_evicted(account: Account) -> None:
    account.aws.interrupt(REGION, account.machine(spot=True))
    assert account.runners.state(STACK, SLOT) == "running"
    account.aws.clock.advance(SETTLED + 10)
    assert account.runners.state(STACK, SLOT) == "evicted"
    account.machine(tags_for(SECOND))
    assert account.runners.state(STACK, SLOT) == "evicted"


def test_the_next_machine_of_a_stack_counts_not_the_evicted_one(account: Account) -> None:
    account.aws.interrupt(REGION, account.machine(spot=True))
    account.aws.clock.advance(SETTLED + 10)
    del account.schedules()[STACK]
    account.machine()
    assert account.runners.state(STACK, SLOT) == "running"


def test_a_credential_is_a_secret_parameter_of_the_slot_that_the_next_one_replaces(account: Account) -> None:
    runners = account.runners
    runners.deliver(SLOT, credential())
    runners.deliver(SLOT, credential(30))
    held = account.registration()
    value = account.clouds.parameters(REGION).get_parameter(Name=held.name, WithDecryption=True)
    assert value["Parameter"]["Value"] == "r" * 30
    assert held.parameter_type == "SecureString"
    assert account.registration(SECOND_SLOT) is None


@pytest.mark.parametrize("size", [4_096, 4_097, 8_192])
def test_a_large_credential_fits(account: Account, size: int) -> None:
    account.runners.deliver(SLOT, credential(size))
    assert account.registration() is not None


def test_a_withdrawn_credential_is_gone_and_can_be_withdrawn_again(account: Account) -> None:
    account.runners.deliver(SLOT, credential())
    account.runners.deliver(SECOND_SLOT, credential())
    account.runners.withdraw(SLOT)
    account.runners.withdraw(SLOT)
    assert account.registration() is None
    assert account.registration(SECOND_SLOT) is not None


def test_a_slot_of_a_region_that_the_stack_does_not_have_is_refused(account: Account) -> None:
    for slot in ("auto-runner-eu-west-1-01", "somebody"):
        with pytest.raises(Refusal, match="is one of the runners' stack"):
            account.runners.deliver(slot, credential())


@pytest.mark.parametrize(
    ("operation", "status", "code"),
    [
        ("ec2:DescribeInstances", 503, "RequestLimitExceeded"),
        ("ec2:DescribeInstances", 400, "Throttling"),
        ("ec2:DescribeInstances", 500, "InternalError"),
    ],
)
def test_who_is_throttled_or_broken_did_not_answer(account: Account, operation: str, status: int, code: str) -> None:
    account.plan(Fault(operation=operation, status=status, code=code))
    with pytest.raises(Unanswered, match=operation):
        account.runners.machines()


def test_images_that_are_not_answered_for_are_not_missing(account: Account) -> None:
    account.plan(Fault(operation="ec2:DescribeImages", status=503, code="RequestLimitExceeded"))
    with pytest.raises(Unanswered, match="ec2:DescribeImages"):
        account.runners.image(REGION)


def test_nobody_at_the_address_did_not_answer(account: Account) -> None:
    account.clouds = AwsClouds("http://127.0.0.1:9")
    with pytest.raises(Unanswered, match="was not reached"):
        account.runners.machines()


@pytest.mark.parametrize(
    ("operation", "code"),
    [("ssm:PutParameter", "AccessDeniedException"), ("ssm:PutParameter", "ExpiredTokenException")],
)
def test_a_missing_right_or_an_ended_login_names_the_action(account: Account, operation: str, code: str) -> None:
    account.plan(Fault(operation=operation, status=400, code=code))
    with pytest.raises(Refusal, match=operation):
        account.runners.deliver(SLOT, credential())


def test_what_aws_has_too_little_of_is_an_answer_although_its_status_is_500(account: Account) -> None:
    account.machine()
    account.plan(Fault(operation="ec2:StopInstances", status=500, code="InsufficientInstanceCapacity"))
    with pytest.raises(StartFailed) as failed:
        account.runners.keep(STACK, SLOT, KEPT)
    assert failed.value.code is Code.CAPACITY
    assert not isinstance(failed.value, Unanswered)


def test_what_nobody_foresaw_is_internal_and_says_what_was_asked(account: Account) -> None:
    account.plan(Fault(operation="ssm:DeleteParameter", status=400, code="InvalidKeyId", message="no such key"))
    with pytest.raises(StartFailed, match=r"ssm:DeleteParameter: .*InvalidKeyId: no such key") as failed:
        account.runners.withdraw(SLOT)
    assert failed.value.code is Code.INTERNAL
