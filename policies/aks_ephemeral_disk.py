"""Clusters: system disks of nodes are ephemeral where the size has room for them."""

from collections.abc import Iterator

from pulumi_policy import Severity

from policies.common import Fault, Settings, at, must_be, resource_policy
from policies.pools import pools_of
from virtci.core.inventory import CLUSTER, POOL, Resource
from virtci.core.problems import Refusal
from virtci.core.sizes import size


def faults(resource: Resource, _: Settings) -> Iterator[Fault]:
    """Protects from paying for disks of nodes that hold nothing. An unknown size is a matter of the quota rule."""
    for where, pool in pools_of(resource):
        try:
            ephemeral = size(str(at(pool, "vmSize"))).ephemeral_os_disk
        except Refusal:
            continue
        wanted = "Ephemeral" if ephemeral else "Managed"
        yield from must_be(pool, "osDiskType", [wanted], "take it from the table of sizes", where)


POLICY = resource_policy(
    "aks-ephemeral-disk",
    "Nodes have ephemeral system disks where their size has room for them.",
    (CLUSTER, POOL),
    faults,
    Severity.LOW,
    covers=("Azure.AKS.EphemeralOSDisk", "CKV_AZURE_226"),
)
