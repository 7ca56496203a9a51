"""Clusters: pods without rights on their node."""

from collections.abc import Iterator, Mapping
from typing import Any

from pulumi_policy import Severity

from policies.common import Fault, Settings, at, each, must_be, resource_policy, shown
from policies.kinds import DEPLOYMENT
from policies.pods import containers_of, pod_of
from virtci.core.inventory import UNKNOWN, Resource

HOST = ("hostNetwork", "hostPID", "hostIPC")
OFF = "leave it out: what needs its node is started by KubeVirt's own operator"


def faults(resource: Resource, settings: Settings) -> Iterator[Fault]:
    """Protects nodes from what is declared here: only what KubeVirt's operator starts later works on their devices."""
    pod = pod_of(resource)
    for word in HOST:
        yield from must_be(pod, word, (None, False), OFF)
    for index, volume in enumerate(each(pod, "volumes")):
        if volume is UNKNOWN or at(volume, "hostPath") is not None:
            yield Fault(f"volumes[{index}] is of the node, or not known", "no volume is a path of the node", OFF)
    if (account := at(pod, "serviceAccountName")) in (None, "", "default") or account is UNKNOWN:
        fix = "give it an account of its own"
        yield Fault(f"serviceAccountName is {shown(account)}", "a pod has an account of its own", fix)
    writes = at(resource.properties, "metadata.name") in settings["writableRoot"]
    for where, container in containers_of(resource):
        yield from _container(pod, where, container, writes)


def _container(pod: Any, where: str, container: Any, writes: bool) -> Iterator[Fault]:
    yield from must_be(container, "securityContext.privileged", (None, False), OFF, where)
    yield from must_be(container, "securityContext.allowPrivilegeEscalation", (False,), "set it to false", where)
    if not writes:
        fix = "set it to true and mount an emptyDir where the program writes"
        yield from must_be(container, "securityContext.readOnlyRootFilesystem", (True,), fix, where)
    for path, wanted in (("runAsNonRoot", True), ("seccompProfile.type", "RuntimeDefault")):
        own = at(container, f"securityContext.{path}")
        holder = pod if own is None else container
        yield from must_be(holder, f"securityContext.{path}", (wanted,), f"set it to {shown(wanted)}", where)
    dropped = at(container, "securityContext.capabilities.drop")
    if not isinstance(dropped, list) or "ALL" not in dropped:
        yield Fault(f"{where}capabilities.drop is {shown(dropped)}", "all capabilities are dropped", "drop ALL")
    added = at(container, "securityContext.capabilities.add")
    if added is UNKNOWN or added:
        yield Fault(f"{where}capabilities.add is {shown(added)}", "no capability is added", "leave it out")
    for port in each(container, "ports"):
        if port is UNKNOWN or (isinstance(port, Mapping) and port.get("hostPort")):
            yield Fault(f"{where}a port is of the node, or not known", "no port of the node is taken", "use a Service")


POLICY = resource_policy(
    "kubernetes-pods-restricted",
    "Pods that are declared have no rights on their node.",
    (DEPLOYMENT,),
    faults,
    Severity.CRITICAL,
    covers=(
        "CKV_K8S_16", "CKV_K8S_17", "CKV_K8S_18", "CKV_K8S_19", "CKV_K8S_20", "CKV_K8S_22", "CKV_K8S_23", "CKV_K8S_25",
        "CKV_K8S_26", "CKV_K8S_27", "CKV_K8S_28", "CKV_K8S_29", "CKV_K8S_30", "CKV_K8S_31", "CKV_K8S_37", "CKV_K8S_39",
        "CKV_K8S_41",
    ),
    settings={"writableRoot": {"type": "array", "items": {"type": "string"}, "default": ["virt-operator"]}},
)  # fmt: skip
