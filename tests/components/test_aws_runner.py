"""A machine in AWS: protected in its own words, and gone after its deadline."""

import base64
import gzip
import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from components.aws_runner import AwsRunner, AwsRunnerArgs
from tests.recorder import Recorder, record
from virtci.core.runners import aws as rights

INSTANCE = "aws:ec2/instance:Instance"
SCHEDULE = "aws:scheduler/schedule:Schedule"
ACCOUNT = "000000000000"
ARGUMENTS: AwsRunnerArgs = {
    "machine_name": "run-ec2-1-1-1",
    "slot": "auto-runner-us-east-2-01",
    "region": "us-east-2",
    "type": "m8i.xlarge",
    "nested_virtualization": True,
    "image_id": "ami-1",
    "subnet_id": "subnet-1",
    "boot_text": "#cloud-config\n",
    "deadline": datetime(2026, 1, 5, 14, 0, tzinfo=UTC),
    "tags": {"Name": "ec2-runner-KM-1", "run": "o/n/1/1"},
}


def recorded(**changes: object) -> Recorder:
    """A machine with changed arguments."""

    def outputs(kind: str, name: str, _: dict[str, Any]) -> dict[str, Any]:
        return {"arn": f"arn:aws:ec2:us-east-2:{ACCOUNT}:instance/{name}"} if kind == INSTANCE else {}

    def program() -> None:
        AwsRunner("box", {**ARGUMENTS, **changes})  # type: ignore[typeddict-item]  # of any argument

    return record(program, Recorder(outputs=outputs))


def machine(**changes: object) -> dict[str, Any]:
    """The inputs of a machine."""
    return recorded(**changes).one(INSTANCE).plain()


def test_a_machine_is_made_from_the_template_as_its_slot() -> None:
    found = machine()

    assert found["launchTemplate"] == {"name": rights.LAUNCH_TEMPLATE, "version": "$Default"}
    assert found["iamInstanceProfile"] == ARGUMENTS["slot"]
    assert (found["ami"], found["subnetId"], found["instanceType"]) == ("ami-1", "subnet-1", "m8i.xlarge")
    assert found["tags"] == found["volumeTags"] == ARGUMENTS["tags"]


def test_a_machine_says_itself_what_protects_it() -> None:
    found = machine()

    assert found["metadataOptions"]["httpTokens"] == "required"
    assert found["metadataOptions"]["httpPutResponseHopLimit"] == 1
    assert found["rootBlockDevice"]["encrypted"] is True
    assert found["rootBlockDevice"]["deleteOnTermination"] is True
    assert found["instanceInitiatedShutdownBehavior"] == "terminate"
    assert not {"keyName", "associatePublicIpAddress"} & found.keys()


def test_a_hypervisor_inside_is_asked_for_where_it_is_needed() -> None:
    assert machine()["cpuOptions"] == {"nestedVirtualization": "enabled"}
    assert "cpuOptions" not in machine(nested_virtualization=False, type="m5.metal")


def test_a_spot_instance_is_bought_once_and_gone_when_it_is_taken_back() -> None:
    assert machine(spot=True)["instanceMarketOptions"] == {
        "marketType": "spot",
        "spotOptions": {"spotInstanceType": "one-time", "instanceInterruptionBehavior": "terminate"},
    }
    assert "instanceMarketOptions" not in machine()


def test_the_zone_is_that_of_the_subnet_where_none_is_named() -> None:
    assert "availabilityZone" not in machine(zone="")
    assert machine(zone="us-east-2b")["availabilityZone"] == "us-east-2b"


def test_the_boot_text_is_packed_and_a_secret() -> None:
    found = recorded().one(INSTANCE)

    assert found.is_secret("userDataBase64")
    assert gzip.decompress(base64.b64decode(found.plain()["userDataBase64"])) == b"#cloud-config\n"


def test_a_boot_text_above_the_platforms_limit_is_refused() -> None:
    text = "".join(f"{number * number:x}" for number in range(30_000))

    with pytest.raises(ValueError, match="user data of EC2 has at most 16384 bytes"):
        recorded(boot_text=text)


@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=2))])
def test_a_schedule_terminates_it_at_its_deadline_and_then_itself(zone: Any) -> None:
    deadline = datetime(2026, 1, 5, 14, 0, tzinfo=UTC).astimezone(zone)
    schedule = recorded(deadline=deadline).one(SCHEDULE).inputs

    assert schedule["scheduleExpression"] == "at(2026-01-05T14:00:00)"
    assert schedule["scheduleExpressionTimezone"] == "UTC"
    assert schedule["actionAfterCompletion"] == "DELETE"
    assert (schedule["groupName"], schedule["name"]) == (rights.SCHEDULE_GROUP, "run-ec2-1-1-1")
    assert schedule["target"] == {
        "arn": "arn:aws:scheduler:::aws-sdk:ec2:terminateInstances",
        "roleArn": f"arn:aws:iam::{ACCOUNT}:role/{rights.BACKSTOP_ROLE}",
        "input": json.dumps({"InstanceIds": ["/ids/box"]}),
    }
