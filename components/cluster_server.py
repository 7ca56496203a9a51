"""What servers of ours inside a cluster share: one pod, as nobody, with root file systems that it cannot write."""

from collections.abc import Mapping, Sequence
from typing import Any

from virtci.core.cluster_objects import NAMESPACE

NOBODY = 65534
Manifest = dict[str, Any]


def labels(name: str) -> dict[str, str]:
    """What a server's pod is found by."""
    return {"app.kubernetes.io/name": name}


def metadata(name: str) -> Manifest:
    """The metadata of an object of a server."""
    return {"name": name, "namespace": NAMESPACE, "labels": labels(name)}


def deployment(name: str, pod: Mapping[str, Any]) -> Manifest:
    """One pod, which ends before the next one starts."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata(name),
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels(name)},
            "strategy": {"type": "Recreate"},
            "template": {"metadata": {"labels": labels(name)}, "spec": pod},
        },
    }


def pod(name: str, containers: Sequence[Manifest], volumes: Sequence[Manifest], *, token: bool) -> Manifest:
    """A pod with the account of its server. `token`: whether every container gets the account's token."""
    return {
        "serviceAccountName": name,
        "automountServiceAccountToken": token,
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": NOBODY,
            "runAsGroup": NOBODY,
            "fsGroup": NOBODY,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": containers,
        "volumes": volumes,
    }


def container(name: str, image: str, arguments: Sequence[str], **more: Any) -> Manifest:
    """A container that can do nothing but its work; `more` are its ports, probes, resources and mounts."""
    return {
        "name": name,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "args": arguments,
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        **more,
    }


def service(name: str, port_name: str, port: int) -> Manifest:
    """The address inside the cluster; from outside it is reached through the API server."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(name),
        "spec": {
            "type": "ClusterIP",
            "selector": labels(name),
            "ports": [{"name": port_name, "port": port, "targetPort": port_name, "protocol": "TCP"}],
        },
    }
