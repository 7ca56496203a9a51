"""The face of the simulated AWS: real clients, real protocols, a complete log, and nothing real within reach."""

import json
import subprocess
import sys
import urllib.request
from typing import Any
from urllib.error import HTTPError

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.rehearsal.aws.account import REGION, Account, trust
from virtci.rehearsal.aws.scenario import Scenario, scenario_of
from virtci.rehearsal.aws.server import Endpoint
from virtci.rehearsal.engine import credentials
from virtci.rehearsal.journal import Fault
from virtci.rehearsal.world import read_stacks

SECRET = "AAAA-registration-0123456789"


def test_a_registration_is_written_read_once_and_gone(account: Account) -> None:
    ssm, name = account.client("ssm"), "/virt-ci/runners/auto-runner-us-east-2-01/registration"
    ssm.put_parameter(Name=name, Value=SECRET, Type="SecureString")

    found = ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"]
    ssm.delete_parameter(Name=name)

    assert found == SECRET
    with pytest.raises(ClientError, match="ParameterNotFound"):
        ssm.get_parameter(Name=name)
    assert [call.operation for call in account.aws.journal.calls] == [
        "ssm:PutParameter",
        "ssm:GetParameter",
        "ssm:DeleteParameter",
        "ssm:GetParameter",
    ]
    assert account.aws.journal.calls[-1].code == "ParameterNotFound"
    assert SECRET not in repr(account.aws.journal.calls)


@pytest.mark.parametrize(
    ("service", "operation", "parameters"),
    [
        ("ec2", "describe_vpcs", {}),
        ("iam", "get_role", {"RoleName": "x"}),
        ("ssm", "get_parameter", {"Name": "/x"}),
        ("scheduler", "get_schedule", {"Name": "x"}),
        ("sts", "get_caller_identity", {}),
    ],
)
@pytest.mark.parametrize("faults", [[Fault(cloud="aws", status=403, code="AccessDenied", message="<no> & never")]])
def test_a_planned_fault_is_told_in_the_protocol_of_each_service(
    account: Account, service: str, operation: str, parameters: dict[str, Any]
) -> None:
    with pytest.raises(ClientError) as refused:
        getattr(account.client(service), operation)(**parameters)

    assert refused.value.response["Error"]["Code"] == "AccessDenied"
    assert refused.value.response["Error"]["Message"] == "<no> & never"
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


@pytest.mark.parametrize("faults", [[Fault(cloud="aws", operation="iam:CreateRole", after=True, status=500)]])
def test_an_operation_can_be_carried_out_and_its_answer_lost(account: Account) -> None:
    with pytest.raises(ClientError):
        account.client("iam").create_role(RoleName="x", AssumeRolePolicyDocument=trust("ec2.amazonaws.com"))

    assert account.client("iam").get_role(RoleName="x")


def test_who_does_not_sign_is_refused(account: Account) -> None:
    with pytest.raises(HTTPError) as refused:
        urllib.request.urlopen(account.url, data=b"Action=DescribeVpcs")  # noqa: S310  the simulation

    assert refused.value.code == 403
    assert json.loads(refused.value.read())["__type"] == "MissingAuthenticationToken"


def test_a_service_that_is_not_rehearsed_is_refused_and_says_so(account: Account) -> None:
    with pytest.raises(ClientError, match="does not know the service sqs"):
        account.client("sqs").list_queues()


def test_a_client_of_the_environment_asks_the_simulation_and_nothing_else(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**credentials(), **Endpoint(account.url).environment}.items():
        monkeypatch.setenv(name, value)

    assert boto3.client("sts", region_name=REGION).get_caller_identity()["Account"] == "000000000000"


def test_the_engine_has_no_credentials_that_aws_would_take() -> None:
    found = {name: value for name, value in credentials().items() if name.startswith("AWS_")}

    assert found["AWS_ACCESS_KEY_ID"] == found["AWS_SECRET_ACCESS_KEY"] == "rehearsal-no-such-credential"
    assert found["AWS_CONFIG_FILE"] == found["AWS_SHARED_CREDENTIALS_FILE"] == "/nonexistent"
    assert found["AWS_EC2_METADATA_DISABLED"] == "true"


def test_the_account_is_what_the_stack_files_say() -> None:
    stacks = read_stacks(("hub", "kontain"))

    assert scenario_of(stacks) == Scenario(account="000000000000", vcpus={"us-east-2": 64})
    assert scenario_of({"hub": stacks["hub"]}) is None


def test_a_rehearsal_without_aws_does_not_wait_for_it() -> None:
    code = (
        "import sys, virtci.rehearsal.world, virtci.cli.main; "
        "print([name for name in ('boto3', 'botocore', 'moto', 'pulumi_aws') if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert run.stdout == "[]\n"
