"""Clusters: nodes have no public address, and leave through the NAT gateway."""

from collections.abc import Iterator

from pulumi_policy import Severity

from policies.common import Fault, Settings, must_be, resource_policy
from policies.pools import pools_of
from virtci.core.inventory import CLUSTER, POOL, Resource

OUTBOUND = ["userAssignedNATGateway", "userDefinedRouting", "none"]


def faults(resource: Resource, _: Settings) -> Iterator[Fault]:
    """Protects nodes from the Internet, and egress from a load balancer that nobody declared."""
    for where, pool in pools_of(resource):
        fix = "set it to false; nodes are reached inside the network"
        yield from must_be(pool, "enableNodePublicIP", [False], fix, where)
    if resource.kind == CLUSTER:
        fix = "use the NAT gateway of the subnet"
        yield from must_be(resource.properties, "networkProfile.outboundType", OUTBOUND, fix)


POLICY = resource_policy(
    "aks-no-node-public-ip",
    "Nodes have no public address, and clusters make none for egress.",
    (CLUSTER, POOL),
    faults,
    Severity.CRITICAL,
    covers=("CKV_AZURE_143",),
)
