"""What on-demand runners stand on in AWS: nobody gets in, and everybody may do what he must and nothing else."""

import json
from typing import Any

import pytest

from components.aws_network import AwsNetwork
from tests.committed import fleet, stack_file
from tests.recorder import Recorder, Registration, record
from virtci.core.oidc import environment_of
from virtci.core.runners import aws as rights
from virtci.core.runners.boot_record import boot_parameter, registration_parameter

REGION = "us-east-2"
ACCOUNT = "000000000000"
HERE = f"arn:aws:ec2:{REGION}:{ACCOUNT}"
SLOT, OTHER = "auto-runner-us-east-2-01", "auto-runner-us-east-2-02"
SUBNET = "aws:ec2/subnet:Subnet"
ROLE = "aws:iam/role:Role"
RIGHTS = "aws:iam/rolePolicy:RolePolicy"
PROFILE = "aws:iam/instanceProfile:InstanceProfile"


def one(kind: str, name: str | None = None) -> Registration:
    """A resource of the committed stack."""
    return fleet("kontain").one(kind, name)


def document(registration: Registration, key: str) -> list[dict[str, Any]]:
    """The statements of a policy."""
    found: list[dict[str, Any]] = json.loads(registration.plain()[key])["Statement"]
    return found


def launcher() -> dict[str, dict[str, Any]]:
    """What the launcher may do, by name."""
    return {item["Sid"]: item for item in document(one(RIGHTS, f"aws-{REGION}-launcher-rights"), "policy")}


def machine(slot: str) -> dict[str, dict[str, Any]]:
    """What the machine of a slot may do, by name."""
    return {item["Sid"]: item for item in document(one(RIGHTS, f"{slot}-rights"), "policy")}


def test_machines_have_a_subnet_in_each_zone_and_no_public_address() -> None:
    subnets = {item.inputs["cidrBlock"]: item.inputs for item in fleet("kontain").all(SUBNET)}

    assert {cidr: item["availabilityZone"] for cidr, item in subnets.items()} == {
        "10.71.0.0/20": "us-east-2a",
        "10.71.16.0/20": "us-east-2b",
        "10.71.255.240/28": "us-east-2a",
    }
    assert not [cidr for cidr, item in subnets.items() if item["mapPublicIpOnLaunch"]]


def test_the_nat_gateway_is_the_only_way_out() -> None:
    routes = {
        item.name.rsplit("-", 1)[-1]: item.inputs["routes"]
        for item in fleet("kontain").all("aws:ec2/routeTable:RouteTable")
    }
    joined = {
        item.name.rsplit("network-", 1)[-1]: item.inputs["routeTableId"]
        for item in fleet("kontain").all("aws:ec2/routeTableAssociation:RouteTableAssociation")
    }

    assert routes["private"] == [
        {"cidrBlock": "0.0.0.0/0", "natGatewayId": "/ids/aws-us-east-2-network-egress-gateway"}
    ]
    assert [sorted(route) for route in routes["public"]] == [["cidrBlock", "gatewayId"]]
    assert joined == {
        "us-east-2a-routes": "/ids/aws-us-east-2-network-private",
        "us-east-2b-routes": "/ids/aws-us-east-2-network-private",
        "egress-routes": "/ids/aws-us-east-2-network-public",
    }


def test_nobody_gets_in_and_it_is_said() -> None:
    group = one("aws:ec2/securityGroup:SecurityGroup").inputs

    assert group["ingress"] == []
    assert [rule["description"] for rule in group["egress"]] == ["GitHub, packages, images"]


def test_packages_and_images_from_s3_do_not_pay_the_gateway() -> None:
    endpoint = one("aws:ec2/vpcEndpoint:VpcEndpoint").inputs

    assert (endpoint["vpcEndpointType"], endpoint["serviceName"]) == ("Gateway", "com.amazonaws.us-east-2.s3")
    assert endpoint["routeTableIds"] == ["/ids/aws-us-east-2-network-private"]


def test_the_template_protects_every_machine_that_is_made_from_it() -> None:
    template = one("aws:ec2/launchTemplate:LaunchTemplate").inputs

    assert template["metadataOptions"]["httpTokens"] == "required"
    assert template["metadataOptions"]["httpPutResponseHopLimit"] == 1
    assert template["instanceInitiatedShutdownBehavior"] == "terminate"
    assert [disk["ebs"]["encrypted"] for disk in template["blockDeviceMappings"]] == ["true"]
    assert not {"keyName", "networkInterfaces", "imageId"} & template.keys()
    assert template["updateDefaultVersion"] is True


def test_there_is_a_slot_for_each_unit_that_the_quota_leaves() -> None:
    place = stack_file("kontain")["virt-ci:runners"]["aws"]["regions"][REGION]
    profiles = [item.inputs["name"] for item in fleet("kontain").all(PROFILE)]

    assert len(profiles) == (place["vcpus"] - 4) // 4
    assert profiles[0] == SLOT
    assert {item.inputs["path"] for item in fleet("kontain").all(PROFILE)} == {rights.PATH}


def test_a_machine_reads_and_deletes_its_own_registration_and_tells_of_its_boot() -> None:
    parameters = f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter"
    own = {
        action: item["Resource"]
        for item in machine(SLOT).values()
        for action in item["Action"]
        if action.endswith("Parameter")
    }

    assert own == {
        "ssm:GetParameter": [f"{parameters}{registration_parameter(SLOT)}"],
        "ssm:DeleteParameter": [f"{parameters}{registration_parameter(SLOT)}"],
        "ssm:PutParameter": [f"{parameters}{boot_parameter(SLOT)}"],
    }
    assert OTHER not in json.dumps(machine(SLOT))


def test_what_a_machine_may_do_on_everything_are_the_channels_of_session_manager() -> None:
    everywhere = [action for item in machine(SLOT).values() if item["Resource"] == ["*"] for action in item["Action"]]

    assert sorted(everywhere) == [
        f"ssmmessages:{verb}{kind}Channel" for verb in ("Create", "Open") for kind in ("Control", "Data")
    ]


def test_the_launcher_is_one_environment_of_one_repository_in_both_forms() -> None:
    (statement,) = document(one(ROLE, "aws-launcher"), "assumeRolePolicy")
    told = statement["Condition"]["StringEquals"]
    subjects = told["token.actions.githubusercontent.com:sub"]

    assert told["token.actions.githubusercontent.com:aud"] == "sts.amazonaws.com"
    assert [environment_of(subject) for subject in subjects] == ["runners", "runners"]
    assert subjects[0] == "repo:rehearsal-org/km:environment:runners"
    assert len([subject for subject in subjects if "@" in subject]) == 1
    assert list(statement["Condition"]) == ["StringEquals"]


def test_the_launcher_makes_machines_from_the_template_in_its_subnets_as_ours() -> None:
    run = launcher()["RunInstance"]
    template = f"{HERE}:launch-template//ids/aws-us-east-2-template"

    assert run["Resource"] == [f"{HERE}:instance/*"]
    assert run["Condition"]["ArnEquals"] == {"ec2:LaunchTemplate": [template]}
    assert run["Condition"]["StringEquals"]["aws:RequestTag/system"] == "kontain"
    assert (
        run["Condition"]["StringEquals"]["ec2:InstanceType"] == stack_file("kontain")["virt-ci:runners"]["aws"]["types"]
    )
    assert run["Condition"]["StringEquals"]["ec2:MetadataHttpTokens"] == "required"
    assert run["Condition"]["ArnLike"] == {
        "ec2:InstanceProfile": f"arn:aws:iam::{ACCOUNT}:instance-profile{rights.PATH}auto-runner-{REGION}-*"
    }
    with_ = launcher()["RunWith"]["Resource"]
    assert template in with_
    assert len([item for item in with_ if ":subnet/" in item]) == 2
    assert not [item for item in with_ if "*" in item]
    assert launcher()["RunDisk"]["Condition"]["Bool"] == {"ec2:Encrypted": "true"}
    assert launcher()["RunImage"]["Condition"] == {"StringEquals": {"ec2:Owner": ACCOUNT}}


@pytest.mark.parametrize(
    "action", ["ec2:TerminateInstances", "ec2:StopInstances", "ec2:StartInstances", "ec2:GetConsoleOutput"]
)
def test_the_launcher_touches_only_what_carries_our_owner_tags(action: str) -> None:
    found = [item for item in launcher().values() if action in item["Action"]]

    assert [item["Condition"] for item in found] == [rights.tagged_as_ours("kontain")]


def test_tags_come_with_a_machine_and_only_its_end_and_slot_can_be_told_anew() -> None:
    made, kept = (item["Condition"] for item in launcher().values() if "ec2:CreateTags" in item["Action"])

    assert made["StringEquals"]["ec2:CreateAction"] == "RunInstances"
    assert kept["ForAllValues:StringEquals"] == {"aws:TagKeys": ["deadline", "slot", "keep-until"]}
    assert kept["StringEquals"] == rights.tagged_as_ours("kontain")["StringEquals"]


def test_the_launcher_gives_away_the_slots_roles_and_the_backstop_and_no_other() -> None:
    given = {
        item["Condition"]["StringEquals"]["iam:PassedToService"]: item["Resource"]
        for item in launcher().values()
        if "iam:PassRole" in item["Action"]
    }

    assert given == {
        "ec2.amazonaws.com": [f"arn:aws:iam::{ACCOUNT}:role{rights.PATH}auto-runner-{REGION}-*"],
        "scheduler.amazonaws.com": [f"arn:aws:iam::{ACCOUNT}:role/{rights.BACKSTOP_ROLE}"],
    }


def test_the_launcher_writes_registrations_and_never_reads_one() -> None:
    readable = [item["Resource"] for item in launcher().values() if "ssm:GetParameter" in item["Action"]]

    assert readable == [[f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/virt-ci/runners/auto-runner-{REGION}-*/boot"]]


def test_nobody_may_do_anything_with_a_wildcard_in_it() -> None:
    actions = [
        action
        for item in fleet("kontain").all(RIGHTS)
        for found in document(item, "policy")
        for action in found["Action"]
    ]

    assert not [action for action in actions if "*" in action]


def test_the_launchers_rights_fit_into_a_role() -> None:
    written = [item.plain()["policy"] for item in fleet("kontain").all(RIGHTS) if "launcher" in item.name]

    assert sum(len(text.replace(" ", "")) for text in written) < rights.MAXIMUM_POLICY


def test_a_backstop_terminates_ours_and_is_nobody_elses() -> None:
    (trusted,) = document(one(ROLE, "aws-backstop"), "assumeRolePolicy")
    (allowed,) = document(one(RIGHTS, "aws-backstop-rights"), "policy")

    assert trusted["Principal"] == {"Service": "scheduler.amazonaws.com"}
    assert trusted["Condition"]["StringEquals"] == {"aws:SourceAccount": ACCOUNT}
    assert trusted["Condition"]["ArnEquals"] == {
        "aws:SourceArn": [f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule-group/{rights.SCHEDULE_GROUP}"]
    }
    assert allowed["Action"] == ["ec2:TerminateInstances"]
    assert allowed["Condition"] == rights.tagged_as_ours("kontain")


def test_the_provider_works_in_no_other_account() -> None:
    provider = one("pulumi:providers:aws").inputs

    assert provider["region"] == REGION
    assert json.loads(provider["allowedAccountIds"]) == [ACCOUNT]


def test_workflows_are_told_the_role_and_the_region() -> None:
    kind = "github:index/actionsEnvironmentVariable:ActionsEnvironmentVariable"
    told = {item.inputs["variableName"]: item.inputs["value"] for item in fleet("kontain").all(kind)}

    assert told["AWS_REGION"] == REGION
    assert told["AWS_ROLE_ARN"].endswith(":aws-launcher")


def test_a_network_without_room_for_its_way_out_is_refused() -> None:
    from ipaddress import IPv4Network

    def program() -> None:
        whole = IPv4Network("10.71.0.0/20")
        AwsNetwork(
            "net",
            {"network_name": "n", "region": REGION, "tags": {}, "address_space": whole, "zones": {"us-east-2a": whole}},
        )

    with pytest.raises(ValueError, match="no range of /28 left for its NAT gateway"):
        record(program, Recorder())
