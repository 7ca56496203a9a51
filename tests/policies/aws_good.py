"""One resource of each type of AWS that breaks no rule."""

import base64
import gzip
import json
from collections.abc import Mapping
from typing import Any

from policies import kinds
from tests.policies.harness import UNKNOWN
from virtci.core.runners import aws as rights

REGION = "us-east-2"
ACCOUNT = "000000000000"
SLOT = "auto-runner-us-east-2-01"
METADATA = {"httpEndpoint": "enabled", "httpTokens": "required", "httpPutResponseHopLimit": 1}
SUBJECTS = ("repo:owner/name:environment:runners", "repo:owner@1/name@2:environment:runners")


def packed(text: str) -> str:
    """A text as user data."""
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()


def good_in_aws(tags: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """The resources by type."""
    here: dict[str, Any] = {"region": REGION, "tags": dict(tags)}
    anywhere: dict[str, Any] = {"tags": dict(tags)}
    return {
        kinds.AWS_NETWORK: {**here, "cidrBlock": "10.71.0.0/16"},
        kinds.AWS_SUBNET: {**here, "vpcId": UNKNOWN, "cidrBlock": "10.71.0.0/20", "mapPublicIpOnLaunch": False},
        kinds.AWS_INTERNET_GATEWAY: {**here, "vpcId": UNKNOWN},
        kinds.AWS_ADDRESS: {**here, "domain": "vpc"},
        kinds.AWS_NAT_GATEWAY: {**here, "subnetId": UNKNOWN, "allocationId": UNKNOWN},
        kinds.AWS_ROUTES: {**here, "vpcId": UNKNOWN, "routes": []},
        kinds.AWS_ROUTES_OF_SUBNET: {"subnetId": UNKNOWN, "routeTableId": UNKNOWN},
        kinds.AWS_FIREWALL: {
            **here, "vpcId": UNKNOWN, "name": "machines", "description": "nothing in", "ingress": [],
            "egress": [{"protocol": "-1", "fromPort": 0, "toPort": 0, "cidrBlocks": ["0.0.0.0/0"], "description": "out"}],
        },
        kinds.AWS_ENDPOINT: {**here, "vpcId": UNKNOWN, "vpcEndpointType": "Gateway", "serviceName": "s3"},
        kinds.LAUNCH_TEMPLATE: {
            **here, "name": rights.LAUNCH_TEMPLATE, "metadataOptions": METADATA,
            "instanceInitiatedShutdownBehavior": "terminate",
            "blockDeviceMappings": [{"deviceName": "/dev/sda1", "ebs": {"encrypted": "true", "deleteOnTermination": "true"}}],
        },
        kinds.INSTANCE: {
            **here, "ami": "ami-1", "instanceType": "m8i.xlarge", "subnetId": "subnet-1", "iamInstanceProfile": SLOT,
            "metadataOptions": METADATA, "instanceInitiatedShutdownBehavior": "terminate",
            "rootBlockDevice": {"encrypted": True, "deleteOnTermination": True, "volumeSize": 128},
            "userDataBase64": packed("#cloud-config\nssh_pwauth: false\n"),
        },
        kinds.AWS_ROLE: {**anywhere, "name": SLOT, "assumeRolePolicy": json.dumps(rights.github_trust(ACCOUNT, SUBJECTS))},
        kinds.AWS_RIGHTS: {"name": "it", "role": SLOT, "policy": json.dumps(rights.machine_policy(ACCOUNT, REGION, SLOT))},
        kinds.PROFILE: {**anywhere, "name": "profile", "role": SLOT},
        kinds.AWS_ISSUER: {**anywhere, "url": "https://token.actions.githubusercontent.com", "clientIdLists": [rights.AUDIENCE]},
        kinds.AWS_PARAMETER: {**here, "name": "/virt-ci/runners/slot/boot", "type": "String", "value": "{}"},
        kinds.BACKSTOPS: {**here, "name": rights.SCHEDULE_GROUP},
        kinds.BACKSTOP: {
            "name": "run-ec2-1-1-1", "groupName": rights.SCHEDULE_GROUP, "scheduleExpression": "at(2026-01-05T14:00:00)",
            "flexibleTimeWindow": {"mode": "OFF"}, "actionAfterCompletion": "DELETE",
            "target": {"arn": rights.TERMINATE, "roleArn": UNKNOWN, "input": UNKNOWN},
        },
    }  # fmt: skip
