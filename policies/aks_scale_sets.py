"""Clusters: scale sets behind the standard load balancer."""

from collections.abc import Iterator

from pulumi_policy import Severity

from policies.common import Fault, Settings, must_be, resource_policy
from policies.pools import pools_of
from virtci.core.inventory import CLUSTER, POOL, Resource


def faults(resource: Resource, _: Settings) -> Iterator[Fault]:
    """Protects from pools that cannot scale, and from the Basic load balancer, which is retired."""
    for where, pool in pools_of(resource):
        yield from must_be(pool, "type", ["VirtualMachineScaleSets"], "use scale sets", where)
    if resource.kind == CLUSTER:
        path = "networkProfile.loadBalancerSku"
        yield from must_be(resource.properties, path, ["standard"], "use the standard load balancer")


POLICY = resource_policy(
    "aks-scale-sets",
    "Pools are scale sets; the load balancer is standard.",
    (CLUSTER, POOL),
    faults,
    Severity.MEDIUM,
    covers=("Azure.AKS.PoolScaleSet", "Azure.AKS.StandardLB", "CKV_AZURE_169"),
)
