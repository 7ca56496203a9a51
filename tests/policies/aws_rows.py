"""What rules on single resources of AWS find, and what they let pass."""

import json
from typing import Any

from policies.kinds import (
    AWS_ADDRESS,
    AWS_FIREWALL,
    AWS_NETWORK,
    AWS_PARAMETER,
    AWS_RIGHTS,
    AWS_ROLE,
    AWS_SUBNET,
    INSTANCE,
    LAUNCH_TEMPLATE,
)
from tests.policies.aws_good import ACCOUNT, SUBJECTS, packed
from tests.policies.good import ABSENT
from tests.policies.harness import UNKNOWN
from tests.policies.rows import GITHUB_TOKEN, Row
from virtci.core.runners import aws as rights

HOST = "token.actions.githubusercontent.com"
DISK = "blockDeviceMappings.0.ebs"
RULE = {"protocol": "tcp", "fromPort": 22, "toPort": 22, "cidrBlocks": ["10.71.0.0/16"], "description": "people"}


def trusting(**changes: Any) -> dict[str, str]:
    """The trust of the launcher with parts of its one statement changed."""
    document = rights.github_trust(ACCOUNT, SUBJECTS)
    document["Statement"][0] |= changes
    return {"assumeRolePolicy": json.dumps(document)}


def told(audience: Any = rights.AUDIENCE, subject: Any = SUBJECTS[0], operator: str = "StringEquals") -> dict[str, Any]:
    """The condition of a trust in tokens."""
    return {operator: {f"{HOST}:aud": audience, f"{HOST}:sub": subject}}


def allowing(action: Any, resource: Any = "arn:aws:ec2:us-east-2:1:instance/i-1", **more: Any) -> dict[str, str]:
    """A policy with one statement."""
    return {"policy": json.dumps({"Statement": {"Effect": "Allow", "Action": action, "Resource": resource, **more}})}


PASSED = {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}
ROWS = [
    Row("aws-metadata-tokens", INSTANCE, "fail", {"metadataOptions.httpTokens": "optional"}, "httpTokens is `optional`"),
    Row("aws-metadata-tokens", LAUNCH_TEMPLATE, "fail", {"metadataOptions.httpPutResponseHopLimit": 2}, "HopLimit is `2`"),
    Row("aws-metadata-tokens", INSTANCE, "missing", {"metadataOptions": ABSENT}, "httpTokens is absent"),
    Row("aws-metadata-tokens", INSTANCE, "unknown", {"metadataOptions": UNKNOWN}, "httpTokens is not known"),
    Row("aws-encrypted-disks", INSTANCE, "fail", {"rootBlockDevice.encrypted": False}, "rootBlockDevice.encrypted is false"),
    Row("aws-encrypted-disks", INSTANCE, "fail", {"rootBlockDevice.deleteOnTermination": False}, "deleteOnTermination is false"),
    Row("aws-encrypted-disks", INSTANCE, "fail", {"ebsBlockDevices": [{"deviceName": "/dev/sdb"}]}, "ebsBlockDevices[0].encrypted"),
    Row("aws-encrypted-disks", LAUNCH_TEMPLATE, "fail", {f"{DISK}.encrypted": "false"}, "ebs.encrypted is `false`"),
    Row("aws-encrypted-disks", INSTANCE, "missing", {"rootBlockDevice": ABSENT}, "rootBlockDevice.encrypted is absent"),
    Row("aws-encrypted-disks", LAUNCH_TEMPLATE, "missing", {"blockDeviceMappings": ABSENT}, "blockDeviceMappings is absent"),
    Row("aws-encrypted-disks", INSTANCE, "unknown", {"rootBlockDevice": UNKNOWN}, "rootBlockDevice.encrypted is not known"),
    Row("aws-parameter-plain", AWS_PARAMETER, "fail", {"type": "SecureString"}, "type is `SecureString`"),
    Row("aws-parameter-plain", AWS_PARAMETER, "fail", {"tier": "Advanced"}, "tier is `Advanced`"),
    Row("aws-parameter-plain", AWS_PARAMETER, "pass", {"tier": "Standard"}),
    Row("aws-parameter-plain", AWS_PARAMETER, "missing", {"type": ABSENT}, "type is absent"),
    Row("aws-parameter-plain", AWS_PARAMETER, "unknown", {"type": UNKNOWN}, "type is not known"),
    Row("aws-no-public-address", INSTANCE, "fail", {"associatePublicIpAddress": True}, "associatePublicIpAddress is true"),
    Row("aws-no-public-address", AWS_SUBNET, "fail", {"mapPublicIpOnLaunch": True}, "mapPublicIpOnLaunch is true"),
    Row("aws-no-public-address", AWS_ADDRESS, "fail", {"instance": "i-1"}, "instance is `i-1`"),
    Row("aws-no-public-address", LAUNCH_TEMPLATE, "fail", {"networkInterfaces": [{"associatePublicIpAddress": "true"}]}, "is `true`"),
    Row("aws-no-public-address", LAUNCH_TEMPLATE, "pass", {"networkInterfaces": [{"associatePublicIpAddress": "false"}]}),
    Row("aws-no-public-address", INSTANCE, "missing", {"associatePublicIpAddress": ABSENT}),
    Row("aws-no-public-address", AWS_ADDRESS, "unknown", {"networkInterface": UNKNOWN}, "networkInterface is not known"),
    Row("aws-no-ingress", AWS_FIREWALL, "fail", {"ingress": [RULE]}, "ingress is"),
    Row("aws-no-ingress", AWS_FIREWALL, "fail", {"description": "Managed by Pulumi"}, "description is empty"),
    Row("aws-no-ingress", AWS_FIREWALL, "fail", {"egress.0.description": ABSENT}, "egress[0].description is empty"),
    Row("aws-no-ingress", AWS_FIREWALL, "missing", {"ingress": ABSENT}, "ingress is absent"),
    Row("aws-no-ingress", AWS_FIREWALL, "unknown", {"ingress": UNKNOWN}, "ingress is not known"),
    Row("aws-shutdown-terminates", INSTANCE, "fail", {"instanceInitiatedShutdownBehavior": "stop"}, "is `stop`"),
    Row("aws-shutdown-terminates", LAUNCH_TEMPLATE, "missing", {"instanceInitiatedShutdownBehavior": ABSENT}, "is absent"),
    Row("aws-shutdown-terminates", INSTANCE, "unknown", {"instanceInitiatedShutdownBehavior": UNKNOWN}, "is not known"),
    Row("aws-instance-identity", INSTANCE, "fail", {"iamInstanceProfile": "admin"}, "iamInstanceProfile is `admin`"),
    Row("aws-instance-identity", LAUNCH_TEMPLATE, "fail", {"keyName": "shared"}, "keyName is `shared`"),
    Row("aws-instance-identity", INSTANCE, "missing", {"iamInstanceProfile": ABSENT}, "iamInstanceProfile is absent"),
    Row("aws-instance-identity", INSTANCE, "unknown", {"iamInstanceProfile": UNKNOWN}, "iamInstanceProfile is not known"),
    Row("aws-role-trust", AWS_ROLE, "fail", trusting(Principal="*"), "it trusts `*`"),
    Row("aws-role-trust", AWS_ROLE, "fail", trusting(Principal={"AWS": "arn:aws:iam::1:root"}), "it trusts `{'AWS'"),
    Row("aws-role-trust", AWS_ROLE, "fail", trusting(Principal={"Service": "lambda.amazonaws.com"}), "it trusts `lambda"),
    Row("aws-role-trust", AWS_ROLE, "fail", trusting(Principal={"Federated": "arn:aws:iam::1:oidc-provider/evil"}), "evil`"),
    Row("aws-role-trust", AWS_ROLE, "fail", trusting(Action="sts:AssumeRole"), "it allows `sts:AssumeRole`"),
    Row("aws-role-trust", AWS_ROLE, "fail", trusting(Condition=told(audience="other")), "its audiences are ['other']"),
    Row("aws-role-trust", AWS_ROLE, "fail", trusting(Condition=told(operator="StringLike")), "its subjects are []"),
    Row("aws-role-trust", AWS_ROLE, "fail", trusting(Condition=told(subject="repo:owner/*:environment:runners")), "its subjects are"),
    Row("aws-role-trust", AWS_ROLE, "fail", trusting(Condition=told(subject="repo:owner/name:ref:refs/heads/main")), "its subjects are"),
    Row("aws-role-trust", AWS_ROLE, "fail", trusting(Condition=told(subject=["repo:o/n:environment:a", "repo:o/n:environment:b"])), "its subjects"),
    Row("aws-role-trust", AWS_ROLE, "fail", trusting(Condition={}), "its audiences are []"),
    Row("aws-role-trust", AWS_ROLE, "pass", trusting(Principal={"Service": ["ec2.amazonaws.com"]}, Action="sts:AssumeRole")),
    Row("aws-role-trust", AWS_ROLE, "pass", trusting(Effect="Deny", Principal="*")),
    Row("aws-role-trust", AWS_ROLE, "missing", {"assumeRolePolicy": ABSENT}, "assumeRolePolicy is absent"),
    Row("aws-role-trust", AWS_ROLE, "unknown", {"assumeRolePolicy": UNKNOWN}, "assumeRolePolicy is not known"),
    Row("aws-role-trust", AWS_ROLE, "configuration", trusting(Principal={"Service": "lambda.amazonaws.com"}), "", {"services": ["lambda.amazonaws.com"]}),
    Row("aws-narrow-rights", AWS_RIGHTS, "fail", allowing("*"), "a statement allows `*`"),
    Row("aws-narrow-rights", AWS_RIGHTS, "fail", allowing("ec2:Terminate*"), "allows `ec2:Terminate*`"),
    Row("aws-narrow-rights", AWS_RIGHTS, "fail", allowing("ec2:TerminateInstances", "*"), "allows `ec2:TerminateInstances` on everything"),
    Row("aws-narrow-rights", AWS_RIGHTS, "fail", allowing("ssm:GetParameter", ["*"]), "allows `ssm:GetParameter` on everything"),
    Row("aws-narrow-rights", AWS_RIGHTS, "fail", allowing("iam:PutRolePolicy", "arn:x"), "allows `iam:PutRolePolicy`"),
    Row("aws-narrow-rights", AWS_RIGHTS, "fail", allowing("iam:PassRole", "arn:x"), "allows `iam:PassRole`"),
    Row("aws-narrow-rights", AWS_RIGHTS, "fail", allowing("iam:PassRole", "*", Condition=PASSED), "allows `iam:PassRole` on everything"),
    Row("aws-narrow-rights", AWS_RIGHTS, "fail", allowing([], NotAction=["iam:*"]), "a statement has NotAction"),
    Row("aws-narrow-rights", AWS_RIGHTS, "fail", {"policy": "{"}, "policy is no policy document"),
    Row("aws-narrow-rights", AWS_ROLE, "fail", {"managedPolicyArns": ["arn:aws:iam::aws:policy/AdministratorAccess"]}, "managedPolicyArns is there"),
    Row("aws-narrow-rights", AWS_RIGHTS, "pass", allowing("iam:PassRole", "arn:x", Condition=PASSED)),
    Row("aws-narrow-rights", AWS_RIGHTS, "pass", allowing(["ec2:DescribeInstances"], "*")),
    Row("aws-narrow-rights", AWS_RIGHTS, "pass", allowing("*", "*", Effect="Deny")),
    Row("aws-narrow-rights", AWS_RIGHTS, "missing", {"policy": ABSENT}, "policy is no policy document"),
    Row("aws-narrow-rights", AWS_RIGHTS, "unknown", {"policy": UNKNOWN}),
    Row("aws-narrow-rights", AWS_ROLE, "unknown", {"inlinePolicies": UNKNOWN}, "inlinePolicies is there"),
    Row("regions-allowed", AWS_NETWORK, "fail", {"region": "eu-west-1"}, "region is `eu-west-1`"),
    Row("regions-allowed", INSTANCE, "missing", {"region": ABSENT}, "region is absent"),
    Row("regions-allowed", AWS_NETWORK, "configuration", {}, "nothing of this stack is there", {"allowed": ["westus"]}),
    Row("vm-boot-text", INSTANCE, "fail", {"userDataBase64": packed(f"token: {GITHUB_TOKEN}")}, "userDataBase64 holds a GitHub token"),
    Row("vm-boot-text", INSTANCE, "fail", {"userDataBase64": "A" * 21_856}, "userDataBase64 has 16392 bytes"),
    Row("vm-boot-text", LAUNCH_TEMPLATE, "fail", {"userData": packed(f"token: {GITHUB_TOKEN}")}, "userData holds a GitHub token"),
]  # fmt: skip
