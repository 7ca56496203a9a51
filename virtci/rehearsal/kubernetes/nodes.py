"""Nodes of a rehearsed cluster: objects without a machine."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

PODS = "110"
"""How many pods a kubelet takes when nobody says otherwise."""


@dataclass(frozen=True, slots=True)
class Node:
    """A node as its kubelet would register it."""

    name: str
    kernel: str
    memory_mib: int
    cpus: int
    architecture: str = "amd64"
    """As Go names it."""
    image: str = ""
    """The operating system, as `/etc/os-release` names it."""
    address: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    resources: Mapping[str, str] = field(default_factory=dict)
    """Extended resources, such as `devices.kubevirt.io/kvm`, and their quantity."""
    unschedulable: bool = False

    def manifest(self) -> dict[str, Any]:
        """The object for the API server."""
        capacity = {"cpu": str(self.cpus), "memory": f"{self.memory_mib}Mi", "pods": PODS, **self.resources}
        addresses = [{"type": "Hostname", "address": self.name}]
        if self.address:
            addresses.append({"type": "InternalIP", "address": self.address})
        status = {"capacity": capacity, "allocatable": capacity, "addresses": addresses, "nodeInfo": self._info()}
        return {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": self.name, "labels": {**self._own_labels(), **self.labels}},
            "spec": {"unschedulable": True} if self.unschedulable else {},
            "status": status,
        }

    def _own_labels(self) -> dict[str, str]:
        keys = {"arch": self.architecture, "hostname": self.name, "os": "linux"}
        return {f"kubernetes.io/{key}": value for key, value in keys.items()}

    def _info(self) -> dict[str, str]:
        unknown = ("machineID", "systemUUID", "bootID", "containerRuntimeVersion", "kubeletVersion", "kubeProxyVersion")
        return {
            **dict.fromkeys(unknown, ""),
            "architecture": self.architecture,
            "kernelVersion": self.kernel,
            "operatingSystem": "linux",
            "osImage": self.image,
        }
