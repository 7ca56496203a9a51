"""Machines in AWS: the metadata service wants a token, and answers the machine only."""

from collections.abc import Iterator

from pulumi_policy import Severity

from policies.common import Fault, Settings, must_be, resource_policy
from policies.kinds import INSTANCE, LAUNCH_TEMPLATE
from virtci.core.inventory import Resource

FIX = "take components.aws_runner.METADATA"


def faults(resource: Resource, _: Settings) -> Iterator[Fault]:
    """Protects the machine's role from whatever a job can make fetch a page, and from containers and guests inside it."""
    yield from must_be(resource.properties, "metadataOptions.httpTokens", ["required"], FIX)
    yield from must_be(resource.properties, "metadataOptions.httpPutResponseHopLimit", [1], FIX)


POLICY = resource_policy(
    "aws-metadata-tokens",
    "Machines in AWS use version 2 of the metadata service, one hop far.",
    (INSTANCE, LAUNCH_TEMPLATE),
    faults,
    Severity.CRITICAL,
    covers=("CKV_AWS_79", "CKV_AWS_341"),
)
