"""Measures what the nodes of a cluster have, each by a pod of its own, and leaves the record in the cluster.

Schedulable is a node on which a virtual machine can be placed: it is not cordoned and has no taint that keeps pods away
(`NoSchedule`, `NoExecute`). The pods of virtual machines have no tolerations of their own; KubeVirt's handler has some,
but a node with nothing but a handler runs no virtual machine.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from virtci.core.cluster_objects import NAMESPACE, READINESS, RECORD
from virtci.core.environments import ROWS, Environment
from virtci.core.hypervisors import Hypervisor
from virtci.core.manifests import POD_SECURITY
from virtci.core.problems import Refusal
from virtci.core.readiness import parse_record
from virtci.fleet.cluster_api import ClusterApi, ClusterError, Object

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

MANAGER = "virtci-readiness"
KEEPS_AWAY = ("NoSchedule", "NoExecute")
SECONDS = 120
"""How long the pods may take, image and all."""
CONTAINER = "probe"
LABELS = {"virt-ci/probe": "true"}
# The message of a container is the file at this path; a kubelet keeps its first 4096 bytes.
RUN = 'sh -c "$1" probe.sh "$2" >/dev/termination-log'
ROOT = "/host"
ENDED = ("Succeeded", "Failed")
STUCK = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "CreateContainerConfigError", "CreateContainerError")
"""Why a container waits for something that does not come by itself."""


@dataclass(frozen=True, slots=True)
class Node:
    """A schedulable node."""

    name: str
    uid: str


def measure(
    client: "ApiClient", environment: Environment, image: str, *, seconds: float = SECONDS, now: datetime | None = None
) -> dict[str, Any]:
    """The readiness record of a cluster, written to its ConfigMap `virt-ci/readiness` as well.

    Every schedulable node is in it, one that cannot be probed with the reason. `seconds`: how long the probes may take
    together. Raises `Refusal` where the cluster has no schedulable node or does not let itself be asked.
    """
    api = ClusterApi(client)
    try:
        nodes = schedulable(api)
        _prepare(api)
        probes = _probed(api, nodes, ROWS[environment].hypervisor, image, seconds)
        moment = (now or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%SZ")
        record = {"version": 1, "measuredAt": moment, "nodes": [_entry(node, probes) for node in nodes]}
        _keep(api, record)
    except ClusterError as error:
        raise Refusal(
            f"the cluster of {environment} lets its nodes be measured; {error.message}",
            "nobody knows which hypervisor its nodes have",
            f"wake the environment (virtci wake {environment}) and use a kubeconfig that is valid: "
            f"virtci rotate kubeconfig {environment}",
        ) from None
    return record


def schedulable(api: ClusterApi) -> list[Node]:
    """The nodes that can take a virtual machine, by name. Raises `Refusal` when there is none."""
    found = [
        Node(item["metadata"]["name"], item["metadata"]["uid"])
        for item in api.items("v1", "Node")
        if not item["spec"].get("unschedulable")
        and not any(taint.get("effect") in KEEPS_AWAY for taint in item["spec"].get("taints") or ())
    ]
    if not found:
        raise Refusal(
            "a cluster has a schedulable node",
            "there is nothing to measure and nowhere to place a virtual machine",
            "uncordon a node, or let the worker pool have one",
        )
    return sorted(found, key=lambda node: node.name)


def probe_pod(node: Node, hypervisor: Hypervisor, image: str) -> Object:
    """The pod that runs the probe on a node.

    It sees the devices of its node and has to be privileged to open them: the device controller of a container lets no
    other one through, and KubeVirt's own device plugin, which could, is not there yet. It gets no token, no network of
    the node, no process of the node and nothing that it can write; a pod security policy of the namespace allows it.
    """
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"probe-{node.uid}", "namespace": NAMESPACE, "labels": LABELS},
        "spec": {
            "nodeName": node.name,
            "restartPolicy": "Never",
            "activeDeadlineSeconds": SECONDS,
            "terminationGracePeriodSeconds": 0,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "containers": [
                {
                    "name": CONTAINER,
                    "image": image,
                    "imagePullPolicy": "IfNotPresent",
                    "command": ["sh", "-c", RUN, "probe", probe_script(), hypervisor.value],
                    "env": [{"name": "PROBE_HOST", "value": node.name}, {"name": "PROBE_ROOT", "value": ROOT}],
                    "resources": {
                        "requests": {"cpu": "10m", "memory": "16Mi"},
                        "limits": {"cpu": "200m", "memory": "64Mi"},
                    },
                    "securityContext": {"privileged": True, "readOnlyRootFilesystem": True},
                    "volumeMounts": [{"name": "dev", "mountPath": f"{ROOT}/dev", "readOnly": True}],
                }
            ],
            "volumes": [{"name": "dev", "hostPath": {"path": "/dev", "type": "Directory"}}],
        },
    }


@cache
def probe_script() -> str:
    """The probe, the same that machines run when they boot."""
    return resources.files("virtci.boot").joinpath("scripts/probe.sh").read_text()


def _prepare(api: ClusterApi) -> None:
    """The namespace, and no pod of an earlier measurement that was cut short."""
    labels = {POD_SECURITY: "privileged"}
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}}
    api.apply(namespace, MANAGER, force=True)
    _sweep(api)


def _sweep(api: ClusterApi) -> None:
    """Removes the probe pods and waits until they are gone."""
    selector = ",".join(f"{key}={value}" for key, value in LABELS.items())
    pods = api.items("v1", "Pod", NAMESPACE, labelSelector=selector)
    for pod in pods:
        api.delete({"apiVersion": "v1", "kind": "Pod", **pod}, "Background")
    api.wait(lambda: not api.items("v1", "Pod", NAMESPACE, labelSelector=selector), SECONDS if pods else 0)


def _probed(
    api: ClusterApi, nodes: list[Node], hypervisor: Hypervisor, image: str, seconds: float
) -> Mapping[str, Object]:
    """The probe pods as they ended, or as they were when time was up, by node."""
    names = {node.name: probe_pod(node, hypervisor, image)["metadata"]["name"] for node in nodes}
    try:
        for node in nodes:
            api.create(probe_pod(node, hypervisor, image), MANAGER)
        found: dict[str, Object] = {}

        def look() -> bool:
            pods = {item["metadata"]["name"]: item for item in api.items("v1", "Pod", NAMESPACE)}
            found.update({node: pods[name] for node, name in names.items() if name in pods})
            return all(_is_over(found.get(node)) for node in names)

        api.wait(look, seconds)
        return found
    finally:
        _sweep(api)


def _is_over(pod: Object | None) -> bool:
    return pod is not None and (_status(pod).get("phase") in ENDED or _waiting(pod) in STUCK)


def _entry(node: Node, pods: Mapping[str, Object]) -> dict[str, Any]:
    """What the record says of a node: its probe, or why there is none."""
    entry: dict[str, Any] = {"node": node.name, "uid": node.uid, "probe": None, "error": ""}
    pod = pods.get(node.name, {})
    text = str(_state(pod).get("terminated", {}).get("message") or "").strip()
    if _status(pod).get("phase") != "Succeeded":
        return {**entry, "error": _why_not(pod, text)}
    try:
        document = json.loads(text)
        parse_record(json.dumps({"version": 1, "measuredAt": EPOCH, "nodes": [{**entry, "probe": document}]}))
    except ValueError as error:
        rule = error.rule if isinstance(error, Refusal) else f"the probe printed no JSON ({error})"
        return {**entry, "error": " ".join(rule.split())[:500]}
    return {**entry, "probe": document}


EPOCH = "1970-01-01T00:00:00Z"


def _why_not(pod: Object, text: str) -> str:
    status = _status(pod)
    waiting = _state(pod).get("waiting", {})
    said = text or status.get("message") or waiting.get("message") or ""
    what = status.get("reason") or waiting.get("reason") or status.get("phase") or "no pod"
    return " ".join(f"the probe did not finish: {what} {said}".split())[:500]


def _waiting(pod: Object) -> str:
    return str(_state(pod).get("waiting", {}).get("reason", ""))


def _state(pod: Object) -> Object:
    for container in _status(pod).get("containerStatuses") or ():
        if container["name"] == CONTAINER:
            state: Object = container.get("state") or {}
            return state
    return {}


def _status(pod: Object) -> Object:
    status: Object = pod.get("status") or {}
    return status


def _keep(api: ClusterApi, record: Mapping[str, Any]) -> None:
    manifest = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": READINESS, "namespace": NAMESPACE},
        "data": {RECORD: json.dumps(record)},
    }
    api.apply(manifest, MANAGER, force=True)
