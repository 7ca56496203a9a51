"""Clusters: services without an address outside."""

from collections.abc import Iterator

from pulumi_policy import Severity

from policies.common import Fault, Settings, at, must_be, resource_policy, shown
from policies.kinds import SERVICE
from virtci.core.inventory import UNKNOWN, Resource


def faults(resource: Resource, _: Settings) -> Iterator[Fault]:
    """Protects from what a load balancer or a port of the nodes would let in."""
    fix = "set it to ClusterIP; reach it through the API server"
    yield from must_be(resource.properties, "spec.type", (None, "ClusterIP"), fix)
    addresses = at(resource.properties, "spec.externalIPs")
    if addresses is UNKNOWN or addresses:
        yield Fault(f"spec.externalIPs is {shown(addresses)}", "a service has no address outside", "leave it out")


POLICY = resource_policy(
    "kubernetes-services-inside",
    "Services are reached inside their cluster only.",
    (SERVICE,),
    faults,
    Severity.HIGH,
)
