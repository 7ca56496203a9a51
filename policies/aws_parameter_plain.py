"""Parameters in AWS: a declared one is plain text of the free tier."""

from collections.abc import Iterator

from pulumi_policy import Severity

from policies.common import Fault, Settings, must_be, resource_policy
from policies.kinds import AWS_PARAMETER
from virtci.core.inventory import Resource

SECRET_FIX = "declare no secret: it would stand in the state; the launcher writes registrations when machines start"  # noqa: S105  advice
TIER_FIX = "leave the tier out; a declared parameter holds a few words"


def faults(resource: Resource, _: Settings) -> Iterator[Fault]:
    """Protects secrets from the state, and the budget from parameters that are billed."""
    yield from must_be(resource.properties, "type", ["String", "StringList"], SECRET_FIX)
    yield from must_be(resource.properties, "tier", ["Standard", None], TIER_FIX)


POLICY = resource_policy(
    "aws-parameter-plain",
    "Parameters that a stack declares hold no secrets and cost nothing.",
    (AWS_PARAMETER,),
    faults,
    Severity.HIGH,
)
