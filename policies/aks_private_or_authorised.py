"""Clusters: the API is not open to the Internet."""

from collections.abc import Iterator

from pulumi_policy import Severity

from policies.common import Fault, Settings, at, each, resource_policy, shown
from virtci.core.inventory import CLUSTER, UNKNOWN, Resource

OPEN = ("0.0.0.0/0", "0.0.0.0/32")
"""The second is no range: it tells the platform to leave the API open."""


def faults(resource: Resource, _: Settings) -> Iterator[Fault]:
    """Protects the API from everybody who finds its address."""
    profile = at(resource.properties, "apiServerAccessProfile")
    private = at(profile, "enablePrivateCluster")
    ranges = each(profile, "authorizedIPRanges")
    closed = bool(ranges) and not any(item is UNKNOWN or item in OPEN for item in ranges)
    if private is not True and not closed:
        yield Fault(
            f"enablePrivateCluster is {shown(private)} and authorizedIPRanges {shown(', '.join(map(str, ranges)) or None)}",
            "the API is private, or open to named ranges only",
            "set apiServerAccessProfile.enablePrivateCluster",
        )
    if private is True and at(profile, "enablePrivateClusterPublicFQDN") is not False:
        fix = "set it to false; the name is found inside the network"
        yield Fault("enablePrivateClusterPublicFQDN is not false", "a private API has no public name", fix)


POLICY = resource_policy(
    "aks-private-or-authorised",
    "The API of a cluster is private, or open to named ranges only.",
    (CLUSTER,),
    faults,
    Severity.CRITICAL,
    covers=("Azure.AKS.AuthorizedIPs", "CKV_AZURE_6", "CKV_AZURE_115"),
)
