"""What the launcher, a machine and a backstop may do: their committed rights, held against real signed requests."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.rehearsal.aws.account import ACCOUNT, REGION, TAGS, Account, Made, trust
from virtci.core.runners import aws as rights
from virtci.core.runners.boot_record import boot_parameter, registration_parameter
from virtci.rehearsal.aws.access import Need, is_allowed
from virtci.rehearsal.aws.sessions import Sessions, handler
from virtci.rehearsal.azure.server import listen

SLOT, OTHER = "auto-runner-us-east-2-01", "auto-runner-us-east-2-02"
ENCRYPTED = {"DeviceName": "/dev/sda1", "Ebs": {"Encrypted": True, "VolumeSize": 32}}
BEFORE_THE_FIRST_SCHEDULE = 60


@dataclass
class Substrate:
    """What the stack makes, in small, and clients that act as its roles."""

    account: Account
    made: dict[str, Made]
    image: str
    as_role: Callable[[str, str], Any]

    def launcher(self, service: str = "ec2") -> Any:
        return self.as_role(rights.LAUNCHER_ROLE, service)

    def request(self, **changes: Any) -> dict[str, Any]:
        """A machine as the launcher asks for it; a change to nothing leaves out."""
        tags = [{"Key": key, "Value": value} for key, value in TAGS.items()]
        wanted = {
            "MinCount": 1,
            "MaxCount": 1,
            "ImageId": self.image,
            "InstanceType": "m8i.xlarge",
            "SubnetId": self.made["subnet"].id,
            "LaunchTemplate": {"LaunchTemplateName": rights.LAUNCH_TEMPLATE},
            "IamInstanceProfile": {"Name": SLOT},
            "TagSpecifications": [{"ResourceType": kind, "Tags": tags} for kind in ("instance", "volume")],
            **changes,
        }
        return {name: value for name, value in wanted.items() if value is not None}

    def run(self, **changes: Any) -> str:
        """Makes it as the launcher."""
        return str(self.launcher().run_instances(**self.request(**changes))["Instances"][0]["InstanceId"])

    def foreign(self) -> str:
        """A machine of somebody else in the same account."""
        made = self.account.client("ec2").run_instances(**self.request(TagSpecifications=None))
        return str(made["Instances"][0]["InstanceId"])


@contextmanager
def clients(account: Account) -> Iterator[Callable[[str, str], Any]]:
    """Clients of sessions of roles, behind the face that takes nothing else."""
    sessions = Sessions()
    with listen(handler(account.aws, sessions)) as port:

        def as_role(role: str, service: str) -> Any:
            session = sessions.issue(role)
            return boto3.client(  # type: ignore[call-overload]  # of any service
                service,
                region_name=REGION,
                endpoint_url=f"http://127.0.0.1:{port}",
                aws_access_key_id=session.access_key,
                aws_secret_access_key=session.secret_key,
                aws_session_token=session.token,
            )

        yield as_role


@pytest.fixture
def substrate(account: Account) -> Iterator[Substrate]:
    vpc = account.make("vpc", cidrBlock="10.71.0.0/16")
    made = {
        "subnet": account.make("subnet", vpcId=vpc.id, cidrBlock="10.71.0.0/20", availabilityZone="us-east-2a"),
        "elsewhere": account.make("subnet", vpcId=vpc.id, cidrBlock="10.71.16.0/20", availabilityZone="us-east-2b"),
        "firewall": account.make("firewall", name="machines", description="machines", vpcId=vpc.id),
        "opened": account.make("firewall", name="opened", description="opened", vpcId=vpc.id),
    }
    made["template"] = account.template(made["firewall"].id)
    account.make("group", name=rights.SCHEDULE_GROUP)
    place = rights.Place(
        account=ACCOUNT,
        region=REGION,
        system="kontain",
        types=("m5.xlarge", "m8i.xlarge"),
        subnet_ids=(made["subnet"].id,),
        security_group_id=made["firewall"].id,
        launch_template_id=made["template"].id,
    )
    for name, path, document in (
        (rights.LAUNCHER_ROLE, "/", rights.launcher_policy(place)),
        (rights.BACKSTOP_ROLE, "/", rights.backstop_policy(ACCOUNT, [REGION], "kontain")),
        (SLOT, rights.PATH, rights.machine_policy(ACCOUNT, REGION, SLOT)),
        ("administrator", "/", rights.document(rights.allow("All", ["*"], ["*"]))),
    ):
        trusted = trust("ec2.amazonaws.com", "scheduler.amazonaws.com")
        account.make("role", name=name, path=path, assumeRolePolicy=trusted)
        account.make("rights", name="rights", role=name, policy=json.dumps(document))
        account.make("profile", name=name, path=path, role=name)
    account.aws.clock.advance(BEFORE_THE_FIRST_SCHEDULE)
    with clients(account) as as_role:
        yield Substrate(account, made, account.image(), as_role)


def refused(call: Callable[[], Any]) -> str:
    """What a call is refused for."""
    with pytest.raises(ClientError) as error:
        call()
    assert error.value.response["Error"]["Code"] in ("UnauthorizedOperation", "AccessDeniedException")
    return str(error.value.response["Error"]["Message"]).partition("perform: ")[2]


def test_the_launcher_makes_looks_after_keeps_and_ends_a_machine(substrate: Substrate) -> None:
    ec2, machine = substrate.launcher(), substrate.run()

    ec2.describe_instances(InstanceIds=[machine])
    ec2.describe_instance_attribute(InstanceId=machine, Attribute="userData")
    ec2.create_tags(Resources=[machine], Tags=[{"Key": "keep-until", "Value": "2026-01-12T08:00:00Z"}])
    ec2.stop_instances(InstanceIds=[machine])
    substrate.account.aws.clock.advance(60)
    ec2.start_instances(InstanceIds=[machine])
    ec2.terminate_instances(InstanceIds=[machine])


@pytest.mark.parametrize(
    ("changes", "on"),
    [
        ({"LaunchTemplate": None, "SecurityGroupIds": ["machines"]}, "instance/*"),
        ({"InstanceType": "m5.24xlarge"}, "instance/*"),
        ({"MetadataOptions": {"HttpTokens": "optional"}}, "instance/*"),
        ({"MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 2}}, "instance/*"),
        ({"IamInstanceProfile": {"Name": "administrator"}}, "instance/*"),
        ({"IamInstanceProfile": None}, "instance/*"),
        ({"TagSpecifications": None}, "instance/*"),
        ({"BlockDeviceMappings": [{"DeviceName": "/dev/sdb", "Ebs": {"VolumeSize": 8}}, ENCRYPTED]}, "volume/*"),
        ({"SubnetId": "elsewhere"}, "network-interface/*"),
        ({"SecurityGroupIds": ["opened"]}, "security-group/"),
        ({"KeyName": "shared"}, "key-pair/shared"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_the_launcher_makes_no_other_machine(substrate: Substrate, changes: dict[str, Any], on: str) -> None:
    known = {"machines": "firewall", "opened": "opened"}
    if groups := changes.get("SecurityGroupIds"):
        changes = {**changes, "SecurityGroupIds": [substrate.made[known[name]].id for name in groups]}
    if changes.get("SubnetId"):
        changes = {**changes, "SubnetId": substrate.made[changes["SubnetId"]].id}

    said = refused(lambda: substrate.run(**changes))

    assert said.startswith("ec2:RunInstances on resource: ")
    assert on in said
    assert not substrate.account.client("ec2").describe_instances()["Reservations"]


def test_the_launcher_uses_no_image_of_others(substrate: Substrate) -> None:
    substrate.account.aws.backend("ec2", REGION).amis[substrate.image].owner_id = "111111111111"

    assert "image/ami-" in refused(substrate.run)


@pytest.mark.parametrize("verb", ["start", "stop", "terminate"])
def test_the_launcher_leaves_the_machines_of_others_alone(substrate: Substrate, verb: str) -> None:
    foreign = substrate.foreign()

    assert foreign in refused(lambda: getattr(substrate.launcher(), f"{verb}_instances")(InstanceIds=[foreign]))


@pytest.mark.parametrize("key", ["system", "managed-by", "owner"])
def test_nothing_becomes_ours_or_ceases_to_be_by_a_tag(substrate: Substrate, key: str) -> None:
    ec2, ours, foreign = substrate.launcher(), substrate.run(), substrate.foreign()
    tag = [{"Key": key, "Value": "kontain"}]

    assert ours in refused(lambda: ec2.create_tags(Resources=[ours], Tags=tag))
    assert foreign in refused(lambda: ec2.create_tags(Resources=[foreign], Tags=tag))
    assert refused(lambda: ec2.create_tags(Resources=[foreign], Tags=[{"Key": "keep-until", "Value": "x"}]))
    assert refused(lambda: ec2.delete_tags(Resources=[ours], Tags=[{"Key": key}]))


def test_the_launcher_writes_registrations_of_slots_and_reads_none(substrate: Substrate) -> None:
    ssm, name = substrate.launcher("ssm"), registration_parameter(OTHER)

    ssm.put_parameter(Name=name, Value="x", Type="SecureString")
    assert refused(lambda: ssm.get_parameter(Name=name, WithDecryption=True))
    ssm.delete_parameter(Name=name)
    assert refused(lambda: ssm.put_parameter(Name="/others/secret", Value="x", Type="String"))
    assert refused(lambda: ssm.get_parameters_by_path(Path="/virt-ci"))


def backstop(group: str = rights.SCHEDULE_GROUP, role: str = rights.BACKSTOP_ROLE) -> dict[str, Any]:
    """A schedule as the launcher asks for it."""
    return {
        "Name": "run-ec2-1-1-1",
        "GroupName": group,
        "ScheduleExpression": "at(2026-01-06T08:00:00)",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "ActionAfterCompletion": "DELETE",
        "Target": {
            "Arn": rights.TERMINATE,
            "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/{role}",
            "Input": json.dumps({"InstanceIds": ["i-1"]}),
        },
    }


def test_the_launcher_gives_the_backstop_to_schedules_of_our_group(substrate: Substrate) -> None:
    scheduler = substrate.launcher("scheduler")

    scheduler.create_schedule(**backstop())
    scheduler.delete_schedule(Name="run-ec2-1-1-1", GroupName=rights.SCHEDULE_GROUP)

    assert "schedule/default/" in refused(lambda: scheduler.create_schedule(**backstop(group="default")))
    said = refused(lambda: scheduler.create_schedule(**backstop(role="administrator")))
    assert said == f"iam:PassRole on resource: arn:aws:iam::{ACCOUNT}:role/administrator"


def test_the_launcher_changes_no_rights_and_no_network(substrate: Substrate) -> None:
    iam, ec2 = substrate.launcher("iam"), substrate.launcher()
    rule = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
    group = substrate.made["firewall"].id

    assert refused(lambda: iam.put_role_policy(RoleName=SLOT, PolicyName="x", PolicyDocument="{}"))
    assert refused(lambda: ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=rule))
    assert refused(lambda: ec2.create_launch_template_version(LaunchTemplateName="auto-runner", LaunchTemplateData={}))


def test_a_machine_spends_its_own_registration_and_tells_of_its_boot(substrate: Substrate) -> None:
    ssm = substrate.as_role(SLOT, "ssm")
    for slot in (SLOT, OTHER):
        substrate.account.client("ssm").put_parameter(Name=registration_parameter(slot), Value="x", Type="SecureString")

    ssm.get_parameter(Name=registration_parameter(SLOT), WithDecryption=True)
    ssm.delete_parameter(Name=registration_parameter(SLOT))
    ssm.put_parameter(Name=boot_parameter(SLOT), Value="{}", Type="String", Overwrite=True)

    assert refused(lambda: ssm.get_parameter(Name=registration_parameter(OTHER)))
    assert refused(lambda: ssm.delete_parameter(Name=registration_parameter(OTHER)))
    assert refused(lambda: ssm.put_parameter(Name=boot_parameter(OTHER), Value="{}", Type="String"))
    assert refused(lambda: ssm.put_parameter(Name=registration_parameter(SLOT), Value="x", Type="String"))
    assert refused(lambda: substrate.as_role(SLOT, "ec2").describe_instances())


def document(effect: str = "Allow", **condition: Any) -> dict[str, Any]:
    """A document with one statement."""
    return {
        "Statement": [{"Effect": effect, "Action": "s3:Get*", "Resource": "arn:aws:s3:::a/*", "Condition": condition}]
    }


@pytest.mark.parametrize(
    ("condition", "context", "allowed"),
    [
        ({}, {}, True),
        ({"StringEquals": {"k": "a"}}, {"k": "a"}, True),
        ({"StringEquals": {"k": ["a", "b"]}}, {"k": "b"}, True),
        ({"StringEquals": {"k": "a*"}}, {"k": "ab"}, False),
        ({"StringLike": {"k": "a*"}}, {"k": "ab"}, True),
        ({"StringEquals": {"k": "a"}}, {}, False),
        ({"StringEqualsIfExists": {"k": "a"}}, {}, True),
        ({"StringEquals": {"k": "a", "l": "b"}}, {"k": "a"}, False),
        ({"Bool": {"k": "true"}}, {"k": "True"}, True),
        ({"NumericEquals": {"k": "1"}}, {"k": "2"}, False),
        ({"Null": {"k": "false"}}, {}, False),
        ({"Null": {"k": "true"}}, {}, True),
        ({"ForAllValues:StringEquals": {"k": ["a", "b"]}}, {"k": ["a", "b"]}, True),
        ({"ForAllValues:StringEquals": {"k": ["a"]}}, {"k": ["a", "b"]}, False),
        ({"ForAllValues:StringEquals": {"k": ["a"]}}, {}, True),
    ],
)
def test_conditions_are_met_as_iam_says(condition: Any, context: Any, allowed: bool) -> None:
    assert is_allowed([document(**condition)], Need("s3:GetObject", "arn:aws:s3:::a/b", context)) is allowed


def test_a_denial_goes_before_an_allowance() -> None:
    need = Need("s3:GetObject", "arn:aws:s3:::a/b")

    assert not is_allowed([document(), document("Deny")], need)
    assert not is_allowed([document()], Need("s3:PutObject", "arn:aws:s3:::a/b"))
    assert not is_allowed([document()], Need("s3:GetObject", "arn:aws:s3:::b/b"))


def test_an_operator_that_nobody_knows_is_never_an_allowance() -> None:
    with pytest.raises(KeyError):
        is_allowed([document(DateGreaterThan={"k": "x"})], Need("s3:GetObject", "arn:aws:s3:::a/b", {"k": "x"}))
