"""Clusters: a managed identity instead of a password."""

from collections.abc import Iterator

from pulumi_policy import Severity

from policies.common import Fault, Settings, at, is_filled, must_be, resource_policy
from virtci.core.inventory import CLUSTER, Resource


def faults(resource: Resource, _: Settings) -> Iterator[Fault]:
    """Protects from a service principal whose password lies on every node and expires."""
    fix = "give the cluster an identity of its own"
    yield from must_be(resource.properties, "identity.type", ["UserAssigned"], fix)
    yield from must_be(resource.properties, "servicePrincipalProfile", [None], "remove it")
    if not is_filled(at(resource.properties, "identity.userAssignedIdentities")):
        yield Fault("it names no identity", "a cluster acts as an identity of its own", fix)


POLICY = resource_policy(
    "aks-managed-identity",
    "Clusters act as a user-assigned managed identity.",
    (CLUSTER,),
    faults,
    Severity.HIGH,
    covers=("Azure.AKS.ManagedIdentity",),
)
