"""What on-demand runners are called in AWS, and what each of them may do there: names, ARNs and policy documents.

Actions, resource types and condition keys: AWS Service Authorization Reference (ec2, iam, scheduler, ssm, ssmmessages,
servicequotas), as of 2026-08. A statement whose resource is `*` has only actions that know no other.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from virtci.core.oidc import ISSUER
from virtci.core.runners.boot_record import (
    BOOT_ACTIONS,
    REGISTRATION_ACTIONS,
    boot_parameter,
    registration_parameter,
)
from virtci.core.runners.tags import KEPT_UNTIL
from virtci.core.tags import MANAGED_BY

Statement = dict[str, Any]
Document = dict[str, Any]

LAUNCH_TEMPLATE = "auto-runner"
SCHEDULE_GROUP = "auto-runners"
LAUNCHER_ROLE = "auto-runner-launcher"
BACKSTOP_ROLE = "auto-runner-backstop"
PATH = "/virt-ci/runners/"
"""Path of the roles and profiles of slots: nothing else is there, so a pattern on it reaches nothing else."""
AUDIENCE = "sts.amazonaws.com"
TERMINATE = "arn:aws:scheduler:::aws-sdk:ec2:terminateInstances"

EGRESS_PREFIX = 28
"""Size of the subnet of the NAT gateway: the smallest that AWS takes (VPC User Guide, "Subnet sizing")."""
MAXIMUM_POLICY = 10_240
"""Characters of all inline policies of a role, without blanks (IAM User Guide, "IAM and AWS STS quotas")."""


def role_arn(account: str, role: str, path: str = "/") -> str:
    """The ARN of a role."""
    return f"arn:aws:iam::{account}:role{path}{role}"


def schedule_arns(account: str, region: str) -> str:
    """The ARNs of all schedules of our group."""
    return f"arn:aws:scheduler:{region}:{account}:schedule/{SCHEDULE_GROUP}/*"


def document(*statements: Statement) -> Document:
    """A policy document."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def allow(
    name: str, actions: Sequence[str], resources: Sequence[str], conditions: Mapping[str, Any] | None = None
) -> Statement:
    """A statement that allows something."""
    found = {"Sid": name, "Effect": "Allow", "Action": list(actions), "Resource": list(resources)}
    return {**found, "Condition": dict(conditions)} if conditions else found


def github_trust(account: str, subjects: Sequence[str]) -> Document:
    """Who may become the launcher: workflows whose token has one of these subjects, and was asked for AWS."""
    host = ISSUER.removeprefix("https://")
    return document(
        {
            "Effect": "Allow",
            "Principal": {"Federated": f"arn:aws:iam::{account}:oidc-provider/{host}"},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {"StringEquals": {f"{host}:aud": AUDIENCE, f"{host}:sub": list(subjects)}},
        }
    )


def machine_trust() -> Document:
    """Who may become the machine of a slot: instances."""
    return document({"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"})


def machine_policy(account: str, region: str, slot: str) -> Document:
    """What the machine of a slot may do: read and delete its registration, tell of its boot, and let people in.

    People look at a kept machine through Session Manager: it has no public address and no open port. AWS's own policy for
    it also reads every parameter, so its channels are listed here instead.
    """
    ours = f"arn:aws:ssm:{region}:{account}:parameter"
    channels = [f"ssmmessages:{verb}{kind}Channel" for verb in ("Create", "Open") for kind in ("Control", "Data")]
    return document(
        allow("Registration", REGISTRATION_ACTIONS, [f"{ours}{registration_parameter(slot)}"]),
        allow("Boot", BOOT_ACTIONS, [f"{ours}{boot_parameter(slot)}"]),
        allow("SessionAgent", ["ssm:UpdateInstanceInformation"], [f"arn:aws:ec2:{region}:{account}:instance/*"]),
        allow("SessionChannels", channels, ["*"]),
    )


def session(region: str, instance: str, user: str) -> tuple[str, ...]:
    """The command that logs in through Session Manager (Systems Manager User Guide, "Allow and control permissions for SSH")."""
    proxy = (
        f"aws ssm start-session --region {region} --target %h --document-name AWS-StartSSHSession "
        "--parameters portNumber=%p"
    )
    return ("ssh", "-o", f"ProxyCommand={proxy}", f"{user}@{instance}")


def backstop_trust(account: str, regions: Sequence[str]) -> Document:
    """Who may become the backstop: schedules of our group, on behalf of this account."""
    groups = [f"arn:aws:scheduler:{region}:{account}:schedule-group/{SCHEDULE_GROUP}" for region in regions]
    return document(
        {
            "Effect": "Allow",
            "Principal": {"Service": "scheduler.amazonaws.com"},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"aws:SourceAccount": account}, "ArnEquals": {"aws:SourceArn": groups}},
        }
    )


def backstop_policy(account: str, regions: Sequence[str], system: str) -> Document:
    """What a schedule may do: terminate machines of ours."""
    instances = [f"arn:aws:ec2:{region}:{account}:instance/*" for region in regions]
    return document(allow("TerminateOurs", ["ec2:TerminateInstances"], instances, tagged_as_ours(system)))


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """What machines of one region are made in and of."""

    account: str
    region: str
    system: str
    types: tuple[str, ...]
    subnet_ids: tuple[str, ...]
    security_group_id: str
    launch_template_id: str

    def arn(self, service: str, resource: str) -> str:
        """An ARN in the region."""
        return f"arn:aws:{service}:{self.region}:{self.account}:{resource}"

    def ec2(self, *resources: str) -> list[str]:
        """ARNs of EC2 in the region."""
        return [self.arn("ec2", resource) for resource in resources]


def launcher_policy(place: Place) -> Document:
    """What the launcher may do in a region: make machines from the launch template, and look after those of ours."""
    return document(*_running(place), *_looking_after(place), *_delivering(place), _reading(place))


def policy_size(found: Document) -> int:
    """The characters of a document that count: blanks do not."""
    return len(json.dumps(found, separators=(",", ":")).replace(" ", ""))


def tagged_as_ours(system: str) -> dict[str, Any]:
    """The condition that something carries our owner tags."""
    return {"StringEquals": {"aws:ResourceTag/managed-by": MANAGED_BY, "aws:ResourceTag/system": system}}


def slot_profiles(place: Place) -> str:
    """The pattern of the ARNs of the instance profiles of a region's slots."""
    return f"arn:aws:iam::{place.account}:instance-profile{PATH}auto-runner-{place.region}-*"


def _running(place: Place) -> list[Statement]:
    """`RunInstances` is asked once for each thing that it makes or uses; every one has its own condition."""
    asked_as_ours = {"aws:RequestTag/managed-by": MANAGED_BY, "aws:RequestTag/system": place.system}
    template = {"ec2:LaunchTemplate": place.ec2(f"launch-template/{place.launch_template_id}")}
    subnets = place.ec2(*(f"subnet/{subnet}" for subnet in place.subnet_ids))
    run = ["ec2:RunInstances"]
    return [
        allow(
            "RunInstance", run, place.ec2("instance/*"),
            {
                "StringEquals": {
                    **asked_as_ours, "ec2:InstanceType": list(place.types), "ec2:MetadataHttpTokens": "required",
                },
                "NumericEquals": {"ec2:MetadataHttpPutResponseHopLimit": "1"},
                "ArnEquals": template,
                "ArnLike": {"ec2:InstanceProfile": slot_profiles(place)},
            },
        ),
        allow(
            "RunDisk", run, place.ec2("volume/*"),
            {"StringEquals": asked_as_ours, "Bool": {"ec2:Encrypted": "true"}, "ArnEquals": template},
        ),
        allow(
            "RunInterface", run, place.ec2("network-interface/*"),
            {"ArnEquals": {**template, "ec2:Subnet": subnets}, "BoolIfExists": {"ec2:AssociatePublicIpAddress": "false"}},
        ),
        allow("RunImage", run, [f"arn:aws:ec2:{place.region}::image/*"], {"StringEquals": {"ec2:Owner": place.account}}),
        allow(
            "RunWith", run,
            [*subnets, *place.ec2(f"security-group/{place.security_group_id}", f"launch-template/{place.launch_template_id}")],
        ),
        allow(
            "TagWhatIsMade", ["ec2:CreateTags"], place.ec2("instance/*", "volume/*"),
            {"StringEquals": {**asked_as_ours, "ec2:CreateAction": "RunInstances"}},
        ),
        allow(
            "GiveSlot", ["iam:PassRole"], [role_arn(place.account, f"auto-runner-{place.region}-*", PATH)],
            {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}},
        ),
    ]  # fmt: skip


def _looking_after(place: Place) -> list[Statement]:
    ours = tagged_as_ours(place.system)
    verbs = ("DescribeInstanceAttribute", "GetConsoleOutput", "StartInstances", "StopInstances", "TerminateInstances")
    return [
        allow("LookAfterOurs", [f"ec2:{verb}" for verb in verbs], place.ec2("instance/*"), ours),
        # A machine that is kept, or comes back, has another end; nobody becomes ours by a tag, and nobody ceases to be.
        allow(
            "KeepOurs", ["ec2:CreateTags"], place.ec2("instance/*", "volume/*"),
            {**ours, "Null": {"aws:TagKeys": "false"}, "ForAllValues:StringEquals": {"aws:TagKeys": ["deadline", "slot", KEPT_UNTIL]}},
        ),
        # A machine that comes back lives in another slot, and is stopped at its deadline instead of terminated.
        allow(
            "MoveOurs", ["ec2:ReplaceIamInstanceProfileAssociation"], place.ec2("instance/*"),
            {**ours, "ArnLike": {"ec2:NewInstanceProfile": slot_profiles(place)}},
        ),
        allow(
            "StopInsteadOfTerminate", ["ec2:ModifyInstanceAttribute"], place.ec2("instance/*"),
            {"StringEquals": {**ours["StringEquals"], "ec2:Attribute": "InstanceInitiatedShutdownBehavior"}},
        ),
        allow(
            "Backstops",
            [f"scheduler:{verb}Schedule" for verb in ("Create", "Delete", "Get", "Update")],
            [schedule_arns(place.account, place.region)],
        ),
        allow(
            "GiveBackstop", ["iam:PassRole"], [role_arn(place.account, BACKSTOP_ROLE)],
            {"StringEquals": {"iam:PassedToService": "scheduler.amazonaws.com"}},
        ),
    ]  # fmt: skip


def _delivering(place: Place) -> list[Statement]:
    """The launcher writes registrations, takes them back and never reads one; it reads what machines tell of their boot."""
    every = f"auto-runner-{place.region}-*"
    registrations, boots = (
        place.arn("ssm", f"parameter{name(every)}") for name in (registration_parameter, boot_parameter)
    )
    return [
        allow("Deliver", ["ssm:PutParameter"], [registrations]),
        allow("Listen", ["ssm:GetParameter"], [boots]),
        allow("CleanUp", ["ssm:DeleteParameter"], [registrations, boots]),
    ]


def _reading(place: Place) -> Statement:
    """What Pulumi's provider and the sweeper look up, none of which can be narrowed to a resource."""
    things = (
        "IamInstanceProfileAssociations", "Images", "InstanceCreditSpecifications", "InstanceStatus", "InstanceTypes", "Instances",
        "LaunchTemplateVersions", "LaunchTemplates", "NetworkInterfaces", "SecurityGroups", "Subnets", "Tags",
        "Volumes", "Vpcs",
    )  # fmt: skip
    actions = [*(f"ec2:Describe{thing}" for thing in things), "servicequotas:GetServiceQuota"]
    return allow("LookUp", actions, ["*"], {"StringEquals": {"aws:RequestedRegion": place.region}})
