"""Clusters: no command by way of the cloud's API."""

from collections.abc import Iterator

from pulumi_policy import Severity

from policies.common import Fault, Settings, must_be, resource_policy
from virtci.core.inventory import CLUSTER, Resource


def faults(resource: Resource, _: Settings) -> Iterator[Fault]:
    """Protects the private API: run-command goes around it, as cluster administrator."""
    fix = "set it to true; runners are inside the network"
    yield from must_be(resource.properties, "apiServerAccessProfile.disableRunCommand", [True], fix)


POLICY = resource_policy(
    "aks-run-command-off",
    "Clusters take no run-command.",
    (CLUSTER,),
    faults,
    Severity.HIGH,
)
