"""Clusters: no retired add-ons."""

from collections.abc import Iterator

from pulumi_policy import Severity

from policies.common import Fault, Settings, at, must_be, resource_policy
from virtci.core.inventory import CLUSTER, UNKNOWN, Resource

RETIRED = ("httpApplicationRouting", "kubeDashboard")


def faults(resource: Resource, _: Settings) -> Iterator[Fault]:
    """Protects from an ingress with a public name, and from a dashboard with the rights of the cluster."""
    if at(resource.properties, "addonProfiles") is UNKNOWN:
        yield Fault("addonProfiles is not known before the deployment", "add-ons are declared", "write them out")
        return
    for addon in RETIRED:
        yield from must_be(resource.properties, f"addonProfiles.{addon}.enabled", [False, None], "remove the add-on")


POLICY = resource_policy(
    "aks-addons-off",
    "Clusters have neither HTTP application routing nor the dashboard.",
    (CLUSTER,),
    faults,
    Severity.HIGH,
    covers=("Azure.AKS.HttpAppRouting", "CKV_AZURE_8", "CKV_AZURE_246"),
)
