"""Clusters: a Kubernetes that is still supported, one for cluster and pools."""

from collections.abc import Iterator

from pulumi_policy import Severity

from policies.common import Fault, Settings, at, resource_policy, shown
from policies.pools import pools_of
from virtci.core.inventory import CLUSTER, POOL, Resource


def faults(resource: Resource, settings: Settings) -> Iterator[Fault]:
    """Protects from versions without patches. A pool without a version follows its cluster."""
    least = str(settings["minimum"])
    found = [(f"{where}orchestratorVersion", at(pool, "orchestratorVersion")) for where, pool in pools_of(resource)]
    if resource.kind == CLUSTER:
        found.append(("kubernetesVersion", at(resource.properties, "kubernetesVersion")))
    for path, version in found:
        if version is None and path != "kubernetesVersion":
            continue
        if not isinstance(version, str) or _numbers(version) < _numbers(least):
            fix = "raise kubernetesVersion in the stack file"
            yield Fault(f"{path} is {shown(version)}", f"{least} or newer", fix)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


POLICY = resource_policy(
    "aks-version",
    "Clusters and pools run a supported Kubernetes.",
    (CLUSTER, POOL),
    faults,
    Severity.HIGH,
    covers=("Azure.AKS.Version", "Azure.AKS.PoolVersion"),
    settings={"minimum": {"type": "string", "default": "1.33"}},
)
