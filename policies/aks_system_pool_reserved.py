"""Clusters: system nodes are for the system."""

from collections.abc import Iterator

from pulumi_policy import Severity

from policies.common import Fault, Settings, each, resource_policy
from policies.pools import is_system, pools_of
from virtci.core.inventory import CLUSTER, POOL, Resource

TAINT = "CriticalAddonsOnly=true:NoSchedule"


def faults(resource: Resource, _: Settings) -> Iterator[Fault]:
    """Protects DNS and metrics of the cluster from test workloads that use up a node."""
    for where, pool in pools_of(resource):
        if is_system(pool) and TAINT not in each(pool, "nodeTaints"):
            yield Fault(f"{where}nodeTaints lacks {TAINT}", "system pools take critical pods only", "add the taint")


POLICY = resource_policy(
    "aks-system-pool-reserved",
    "System pools take critical pods only.",
    (CLUSTER, POOL),
    faults,
    Severity.MEDIUM,
    covers=("CKV_AZURE_232",),
)
