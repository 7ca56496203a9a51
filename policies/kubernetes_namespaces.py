"""Clusters: everything in a namespace of ours, and namespaces that say what their pods may do."""

from collections.abc import Iterator

from pulumi_policy import Severity

from policies.common import Fault, Settings, at, resource_policy, shown
from policies.kinds import NAMESPACE, NAMESPACE_PATCH, NAMESPACED
from virtci.core.inventory import Resource
from virtci.core.manifests import POD_SECURITY

LEVELS = ("privileged", "baseline", "restricted")


def faults(resource: Resource, settings: Settings) -> Iterator[Fault]:
    """Protects the cluster's own namespaces, and those of ours from pods that nobody meant to allow."""
    metadata = at(resource.properties, "metadata")
    allowed = tuple(settings["allowed"])
    if resource.kind in NAMESPACED:
        place = at(metadata, "namespace")
        if place not in allowed:
            fix = "name the namespace"
            yield Fault(f"metadata.namespace is {shown(place)}", f"one of {', '.join(allowed)}", fix)
        return
    if (name := at(metadata, "name")) not in allowed:
        yield Fault(f"metadata.name is {shown(name)}", f"one of {', '.join(allowed)}", "use one of ours")
    labels = at(metadata, "labels")
    level = labels.get(POD_SECURITY) if isinstance(labels, dict) else labels
    if level not in LEVELS:
        yield Fault(f"its label {POD_SECURITY} is {shown(level)}", f"one of {', '.join(LEVELS)}", "set the label")


POLICY = resource_policy(
    "kubernetes-namespaces",
    "Objects in clusters live in namespaces of ours, which say what their pods may do.",
    (NAMESPACE, NAMESPACE_PATCH, *NAMESPACED),
    faults,
    Severity.HIGH,
    covers=("CKV_K8S_21",),
    settings={"allowed": {"type": "array", "items": {"type": "string"}, "default": ["kubevirt", "virt-ci"]}},
)
