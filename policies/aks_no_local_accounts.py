"""Clusters: no local accounts."""

from collections.abc import Iterator

from pulumi_policy import Severity

from policies.common import Fault, Settings, must_be, resource_policy
from virtci.core.inventory import CLUSTER, Resource


def faults(resource: Resource, _: Settings) -> Iterator[Fault]:
    """Protects from the administrator's kubeconfig, which is valid for years and belongs to nobody."""
    fix = "set it to true; people and workflows log in with Entra"
    yield from must_be(resource.properties, "disableLocalAccounts", [True], fix)


POLICY = resource_policy(
    "aks-no-local-accounts",
    "Clusters have no local accounts.",
    (CLUSTER,),
    faults,
    Severity.HIGH,
    covers=("Azure.AKS.LocalAccounts", "CKV_AZURE_141"),
)
