"""Clusters: network policies work."""

from collections.abc import Iterator

from pulumi_policy import Severity

from policies.common import Fault, Settings, must_be, resource_policy
from virtci.core.inventory import CLUSTER, Resource


def faults(resource: Resource, _: Settings) -> Iterator[Fault]:
    """Protects from NetworkPolicy objects that nothing enforces; it cannot be switched on later."""
    fix = "choose one when the cluster is made"
    yield from must_be(resource.properties, "networkProfile.networkPolicy", ["calico", "azure", "cilium"], fix)
    yield from must_be(resource.properties, "networkProfile.networkPlugin", ["azure"], "use Azure CNI")


POLICY = resource_policy(
    "aks-network-policy",
    "Clusters use Azure CNI with an engine for network policies.",
    (CLUSTER,),
    faults,
    Severity.HIGH,
    covers=("Azure.AKS.NetworkPolicy", "CKV_AZURE_7", "CKV2_AZURE_29"),
)
