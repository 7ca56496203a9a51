"""Regions: everything is where quota, prices and data rules are known."""

from collections.abc import Iterator

from pulumi_policy import Severity

from policies.common import Fault, Settings, at, resource_policy, shown
from policies.kinds import CREDENTIAL, POOL, SECRET, TAGGABLE
from virtci.core.inventory import Resource

LOCATED = tuple(kind for kind in TAGGABLE if kind not in (SECRET, POOL, CREDENTIAL))


def faults(resource: Resource, settings: Settings) -> Iterator[Fault]:
    """Protects from resources in a region without quota share and price, far from their network."""
    allowed = [str(region) for region in settings["allowed"]]
    found = at(resource.properties, "location")
    if not (isinstance(found, str) and found.replace(" ", "").lower() in allowed):
        yield Fault(
            f"location is {shown(found)}", f"one of {', '.join(allowed)}", "take it from `region` of the stack file"
        )


POLICY = resource_policy(
    "regions-allowed",
    "Resources are in the allowed regions.",
    LOCATED,
    faults,
    Severity.MEDIUM,
    covers=("Azure.Resource.AllowedRegions",),
    settings={"allowed": {"type": "array", "items": {"type": "string"}, "minItems": 1}},
)
