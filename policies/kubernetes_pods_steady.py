"""Clusters: pods that say what they need and whether they work."""

from collections.abc import Iterator

from pulumi_policy import Severity

from policies.common import Fault, Settings, at, is_filled, resource_policy
from policies.kinds import DEPLOYMENT
from policies.pods import containers_of
from virtci.core.inventory import Resource

WANTED = {
    "resources.requests.cpu": "request what it needs, or it starves beside virtual machines",
    "resources.requests.memory": "request what it needs, or it is the first to be evicted",
    "readinessProbe": "say when it can be used; deployments wait for that",
    "livenessProbe": "say when it has to be started anew",
}


def faults(resource: Resource, _: Settings) -> Iterator[Fault]:
    """Protects the tests from control planes that starve, and deployments from taking a broken pod for a good one."""
    found = list(containers_of(resource))
    if not found:
        yield Fault("it has no container", "a Deployment has a container", "declare one")
    for where, container in found:
        for path, fix in WANTED.items():
            if not is_filled(at(container, path)):
                yield Fault(f"{where}{path} is absent", "it is there", fix)


POLICY = resource_policy(
    "kubernetes-pods-steady",
    "Containers request what they need and have probes.",
    (DEPLOYMENT,),
    faults,
    Severity.MEDIUM,
    covers=("CKV_K8S_8", "CKV_K8S_9", "CKV_K8S_10", "CKV_K8S_12"),
)
