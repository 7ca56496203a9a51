"""Regions: everything is where quota, prices and data rules are known."""

from collections.abc import Iterator

from pulumi_policy import Severity

from policies.common import Fault, Settings, at, resource_policy, shown
from policies.kinds import AWS_ISSUER, AWS_REGIONAL, AWS_ROLE, CREDENTIAL, POOL, PROFILE, SECRET, TAGGABLE
from virtci.core.inventory import Resource

LOCATED = tuple(kind for kind in TAGGABLE if kind not in (SECRET, POOL, CREDENTIAL, AWS_ROLE, PROFILE, AWS_ISSUER))


def faults(resource: Resource, settings: Settings) -> Iterator[Fault]:
    """Protects from resources in a region without quota share and price, far from their network."""
    prop, setting = ("region", "aws") if resource.kind in AWS_REGIONAL else ("location", "allowed")
    allowed = [str(region) for region in settings[setting]]
    found = at(resource.properties, prop)
    if not (isinstance(found, str) and found.replace(" ", "").lower() in allowed):
        rule = f"one of {', '.join(allowed)}" if allowed else "nothing of this stack is there"
        yield Fault(f"{prop} is {shown(found)}", rule, "take it from the regions of the stack file")


POLICY = resource_policy(
    "regions-allowed",
    "Resources are in the allowed regions.",
    LOCATED,
    faults,
    Severity.MEDIUM,
    covers=("Azure.Resource.AllowedRegions",),
    settings={
        "allowed": {"type": "array", "items": {"type": "string"}, "minItems": 1},
        "aws": {"type": "array", "items": {"type": "string"}, "default": []},
    },
)
