"""Machines in the simulated AWS: what EC2 makes of a template, what it refuses, and how long things take."""

import base64
from typing import Any

import pytest

from tests.rehearsal.aws.account import DISK, METADATA, REGION, TAGS, TYPES, Account
from virtci.rehearsal.bridge import HalfMadeError
from virtci.rehearsal.journal import CloudError, Fault

SPOT = {
    "marketType": "spot",
    "spotOptions": {"spotInstanceType": "one-time", "instanceInterruptionBehavior": "terminate"},
}
HOUR = 3_600


def fault(**more: Any) -> Fault:
    """A planned fault in AWS."""
    return Fault(cloud="aws", **more)


def test_what_was_made_is_read_as_it_was_written(account: Account) -> None:
    text = base64.b64encode(b"#cloud-config\n").decode()
    machine = account.machine(userDataBase64=text, cpuOptions={"nestedVirtualization": "enabled"})

    assert account.read(machine) == machine.outputs
    assert machine.outputs.items() >= machine.inputs.items()
    assert machine.outputs["instanceState"] == "running"
    assert "publicIp" not in machine.outputs


def test_a_call_takes_from_the_template_what_it_does_not_say_itself(account: Account) -> None:
    network = account.network()
    template = account.template(network["firewall"].id)
    found = account.client("ec2").run_instances(
        MinCount=1,
        MaxCount=1,
        ImageId=account.image(),
        InstanceType="m5.xlarge",
        SubnetId=network["subnet"].id,
        LaunchTemplate={"LaunchTemplateId": template.id},
    )["Instances"][0]
    ec2 = account.client("ec2")
    volumes = ec2.describe_volumes(Filters=[{"Name": "attachment.instance-id", "Values": [found["InstanceId"]]}])
    shutdown = ec2.describe_instance_attribute(
        InstanceId=found["InstanceId"], Attribute="instanceInitiatedShutdownBehavior"
    )

    assert found["State"]["Name"] == "pending"
    assert found["MetadataOptions"]["HttpTokens"] == "required"
    assert [group["GroupId"] for group in found["SecurityGroups"]] == [network["firewall"].id]
    assert [(item["Encrypted"], item["Size"]) for item in volumes["Volumes"]] == [(True, 64)]
    assert shutdown["InstanceInitiatedShutdownBehavior"]["Value"] == "terminate"


def test_a_changed_template_is_a_new_version_and_the_default(account: Account) -> None:
    template = account.template(account.network()["firewall"].id)

    changed = account.update(template, metadataOptions={**METADATA, "httpPutResponseHopLimit": 2})

    assert account.read(template) != template.outputs
    assert (changed.outputs["latestVersion"], changed.outputs["defaultVersion"]) == (2, 2)
    assert changed.outputs["metadataOptions"]["httpPutResponseHopLimit"] == 2


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        (
            {"instanceType": "m5.xlarge", "cpuOptions": {"nestedVirtualization": "enabled"}},
            "InvalidParameterCombination",
        ),
        ({"instanceType": "m5.enormous"}, "InvalidParameterValue"),
        ({"ami": "ami-00000000000000000"}, "InvalidAMIID.NotFound"),
        ({"metadataOptions": {"httpTokens": "perhaps"}}, "InvalidParameterValue"),
        ({"metadataOptions": {"httpPutResponseHopLimit": 65}}, "InvalidParameterValue"),
        ({"instanceInitiatedShutdownBehavior": "sleep"}, "InvalidParameterValue"),
        ({"iamInstanceProfile": "nobody"}, "InvalidParameterValue"),
        ({"subnetId": "subnet-00000000000000000"}, "InvalidSubnetID.NotFound"),
        ({"userDataBase64": base64.b64encode(b"x" * 16_385).decode()}, "InvalidParameterValue"),
        ({"launchTemplate": {"name": "nothing"}}, "InvalidLaunchTemplateName.NotFoundException"),
    ],
)
def test_what_ec2_would_not_make_is_refused_in_its_words(account: Account, changes: dict[str, Any], code: str) -> None:
    with pytest.raises(CloudError) as refused:
        account.machine(**changes)

    assert refused.value.code == code


@pytest.mark.parametrize(
    ("inputs", "told"),
    [
        ({"instancetype": "m5.xlarge"}, "'instancetype' was unexpected"),
        ({"metadataOptions": {"httpToken": "required"}}, "'httpToken' was unexpected"),
        ({"ebsOptimized": "yes"}, "'yes' is not of type 'boolean'"),
        ({"tags": {"owner": 1}}, "1 is not of type 'string'"),
        ({"hibernation": True}, "the rehearsal does not carry it out"),
    ],
)
def test_inputs_that_the_sdk_does_not_take_are_refused_before_anything_is_called(
    account: Account, inputs: dict[str, Any], told: str
) -> None:
    assert [item.reason for item in account.provider.check(TYPES["instance"], inputs) if told in item.reason]
    assert account.aws.journal.calls == []


def test_vcpu_that_run_are_counted_and_stopped_ones_are_not(account: Account) -> None:
    first = account.machine(instanceType="m8i.2xlarge")
    same = (first.inputs["subnetId"], first.inputs["iamInstanceProfile"], first.inputs["ami"])
    account.another(*same, instanceType="m8i.2xlarge")

    with pytest.raises(CloudError) as refused:
        account.another(*same)
    assert refused.value.code == "VcpuLimitExceeded"

    account.client("ec2").stop_instances(InstanceIds=[first.id])
    third = account.another(*same, instanceType="m8i.2xlarge")
    account.aws.clock.advance(60)
    with pytest.raises(account.client("ec2").exceptions.ClientError, match="VcpuLimitExceeded"):
        account.client("ec2").start_instances(InstanceIds=[first.id])
    account.delete(third)
    account.client("ec2").start_instances(InstanceIds=[first.id])


def test_spot_instances_have_a_quota_of_their_own(account: Account) -> None:
    first = account.machine(instanceType="m8i.4xlarge")
    same = (first.inputs["subnetId"], first.inputs["iamInstanceProfile"], first.inputs["ami"])

    spot = account.another(*same, instanceMarketOptions=SPOT)

    assert spot.outputs["instanceLifecycle"] == "spot"
    with pytest.raises(CloudError) as refused:
        account.another(*same, instanceType="m8i.4xlarge", instanceMarketOptions=SPOT)
    assert refused.value.code == "MaxSpotInstanceCountExceeded"


def test_states_take_their_time(account: Account) -> None:
    machine = account.machine()
    ec2, clock = account.client("ec2"), account.aws.clock
    seen = [account.describe(machine)["State"]["Name"]]
    for call in (ec2.stop_instances, ec2.start_instances, ec2.terminate_instances):
        call(InstanceIds=[machine.id])
        seen.append(account.describe(machine)["State"]["Name"])
        clock.advance(60)
        seen.append(account.describe(machine)["State"]["Name"])

    assert seen == ["running", "stopping", "stopped", "pending", "running", "shutting-down", "terminated"]
    assert account.read(machine) is None
    clock.advance(HOUR)
    assert not [item for group in ec2.describe_instances()["Reservations"] for item in group["Instances"]]


def test_metal_takes_longer_than_a_virtual_machine(account: Account) -> None:
    account.aws.scenario = type(account.aws.scenario)(vcpus={REGION: 200})
    before = account.aws.clock.seconds
    machine = account.machine()
    virtual = account.aws.clock.seconds - before
    same = (machine.inputs["subnetId"], machine.inputs["iamInstanceProfile"], machine.inputs["ami"])
    before = account.aws.clock.seconds

    account.another(*same, instanceType="m5.metal")

    assert account.aws.clock.seconds - before > virtual


@pytest.mark.parametrize("verb", ["start", "stop"])
def test_what_was_terminated_neither_starts_nor_stops(account: Account, verb: str) -> None:
    machine = account.machine()
    account.delete(machine)
    account.delete(machine)

    with pytest.raises(account.client("ec2").exceptions.ClientError, match="IncorrectInstanceState"):
        getattr(account.client("ec2"), f"{verb}_instances")(InstanceIds=[machine.id])


def test_a_spot_instance_that_was_bought_once_cannot_be_kept_by_stopping_it(account: Account) -> None:
    machine = account.machine(instanceMarketOptions=SPOT)

    with pytest.raises(account.client("ec2").exceptions.ClientError, match="one-time Spot Instance request"):
        account.client("ec2").stop_instances(InstanceIds=[machine.id])


@pytest.mark.parametrize("faults", [[fault(operation="ec2:SpotInterruption")]])
def test_a_planned_interruption_takes_a_spot_instance_back(account: Account) -> None:
    machine = account.machine(instanceMarketOptions=SPOT)
    assert account.read(machine)

    account.aws.clock.advance(HOUR / 4)

    assert account.read(machine) is None
    assert account.describe(machine)["StateReason"]["Code"] == "Server.SpotInstanceTermination"


def test_an_interruption_comes_two_minutes_after_its_notice(account: Account) -> None:
    machine = account.machine(instanceMarketOptions=SPOT)

    account.aws.interrupt(REGION, machine.id)
    account.aws.clock.advance(119)
    assert account.read(machine)
    account.aws.clock.advance(1)
    assert account.read(machine) is None


@pytest.mark.parametrize(
    "faults", [[fault(operation="ec2:RunInstances", status=500, code="InsufficientInstanceCapacity")]]
)
def test_want_of_capacity_is_not_tried_again(account: Account) -> None:
    with pytest.raises(CloudError) as refused:
        account.machine()

    assert refused.value.code == "InsufficientInstanceCapacity"
    assert len([call for call in account.aws.journal.calls if call.operation == "ec2:RunInstances"]) == 1


@pytest.mark.parametrize(
    "faults", [[fault(operation="ec2:RunInstances", status=503, code="RequestLimitExceeded", times=3)]]
)
def test_throttling_is_waited_for_in_simulated_time(account: Account) -> None:
    account.machine()

    codes = [call.code for call in account.aws.journal.calls if call.operation == "ec2:RunInstances"]
    assert codes[:3] == ["RequestLimitExceeded"] * 3
    assert codes[-1] == ""


@pytest.mark.parametrize(
    "faults", [[fault(operation="ec2:DescribeInstances", status=403, code="UnauthorizedOperation")]]
)
def test_a_machine_that_was_made_and_never_seen_reaches_the_state(account: Account) -> None:
    with pytest.raises(HalfMadeError) as half:
        account.machine()

    assert half.value.resource_id.startswith("i-")
    assert "UnauthorizedOperation" in str(half.value)


def test_a_profile_works_some_time_after_it_was_made(account: Account) -> None:
    account.machine()

    refused = [
        call for call in account.aws.journal.calls if call.operation == "ec2:RunInstances" and call.status == 400
    ]
    assert refused


def test_the_disk_goes_with_its_machine(account: Account) -> None:
    machine = account.machine()
    account.delete(machine)

    assert account.client("ec2").describe_volumes()["Volumes"] == []


def test_what_is_changed_behind_the_programs_back_is_seen(account: Account) -> None:
    machine = account.machine()
    ec2 = account.client("ec2")
    ec2.modify_instance_metadata_options(InstanceId=machine.id, HttpTokens="optional")
    ec2.create_tags(Resources=[machine.id], Tags=[{"Key": "keep-until", "Value": "2026-01-12T08:00:00Z"}])

    found = account.read(machine)

    assert found is not None
    assert found["metadataOptions"]["httpTokens"] == "optional"
    assert found["tags"]["keep-until"] == "2026-01-12T08:00:00Z"
    healed = account.provider.update(machine.kind, machine.id, machine.inputs, found)
    assert healed["metadataOptions"] == METADATA
    assert healed["tags"] == machine.inputs["tags"]


def test_a_change_that_nobody_needs_is_not_carried_out(account: Account) -> None:
    machine = account.machine()

    with pytest.raises(CloudError, match="does not carry out rootBlockDevice"):
        account.update(machine, rootBlockDevice={**DISK, "volumeSize": 64})


def test_times_are_those_of_the_rehearsal(account: Account) -> None:
    machine = account.machine(tags=TAGS)

    launched = account.describe(machine)["LaunchTime"]

    assert abs((account.aws.clock.now - launched).total_seconds()) < HOUR
