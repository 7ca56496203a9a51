"""Clusters: Entra identities with Azure roles."""

from collections.abc import Iterator

from pulumi_policy import Severity

from policies.common import Fault, Settings, must_be, resource_policy
from virtci.core.inventory import CLUSTER, Resource


def faults(resource: Resource, _: Settings) -> Iterator[Fault]:
    """Protects from rights that no role assignment shows."""
    yield from must_be(resource.properties, "enableRBAC", [True], "enable it")
    yield from must_be(resource.properties, "aadProfile.managed", [True], "let Entra identify callers")
    yield from must_be(resource.properties, "aadProfile.enableAzureRBAC", [True], "let Azure roles decide")


POLICY = resource_policy(
    "aks-entra-rbac",
    "Clusters identify callers with Entra and decide with Azure roles.",
    (CLUSTER,),
    faults,
    Severity.HIGH,
    covers=("Azure.AKS.UseRBAC", "Azure.AKS.ManagedAAD", "Azure.AKS.AzureRBAC", "CKV_AZURE_5"),
)
