"""Clusters: nodes take enough pods."""

from collections.abc import Iterator

from pulumi_policy import Severity

from policies.common import Fault, Settings, at, resource_policy, shown
from policies.pools import pools_of
from virtci.core.inventory import CLUSTER, POOL, Resource


def faults(resource: Resource, settings: Settings) -> Iterator[Fault]:
    """Protects from test runs that starve on a node with memory to spare; it cannot be changed later."""
    least = int(settings["pods"])
    for where, pool in pools_of(resource):
        pods = at(pool, "maxPods")
        if not (isinstance(pods, int) and pods >= least):
            fix = "set it when the pool is made"
            yield Fault(f"{where}maxPods is {shown(pods)}", f"at least {least}", fix)


POLICY = resource_policy(
    "aks-node-min-pods",
    "Every node takes at least 50 pods.",
    (CLUSTER, POOL),
    faults,
    Severity.LOW,
    covers=("Azure.AKS.NodeMinPods", "CKV_AZURE_168"),
    settings={"pods": {"type": "number", "default": 50}},
)
