"""Clusters: nodes and Kubernetes get their patches."""

from collections.abc import Iterator

from pulumi_policy import Severity

from policies.common import Fault, Settings, must_be, resource_policy
from virtci.core.inventory import CLUSTER, Resource


def faults(resource: Resource, settings: Settings) -> Iterator[Fault]:
    """Protects from old kernels: patched node images instead of packages that no test has seen together."""
    path = "autoUpgradeProfile"
    yield from must_be(resource.properties, f"{path}.nodeOSUpgradeChannel", ["NodeImage"], "use NodeImage")
    yield from must_be(resource.properties, f"{path}.upgradeChannel", settings["channels"], "choose a channel")


POLICY = resource_policy(
    "aks-node-os-channel",
    "Nodes take patched images, clusters take Kubernetes patches.",
    (CLUSTER,),
    faults,
    Severity.HIGH,
    covers=("Azure.AKS.NodeAutoUpgrade", "Azure.AKS.AutoUpgrade", "CKV_AZURE_171"),
    settings={"channels": {"type": "array", "items": {"type": "string"}, "default": ["patch", "stable"]}},
)
