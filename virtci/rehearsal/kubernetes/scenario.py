"""The clusters of a rehearsal, made to fit the stack files: the nodes of an environment and what they answer to a probe."""

import json
from collections.abc import Sequence
from pathlib import Path

from virtci.core.environments import ROWS, Environment
from virtci.core.hypervisors import Hypervisor
from virtci.rehearsal.kubernetes.nodes import Node
from virtci.rehearsal.kubernetes.server import Cluster

OPERATOR = Path(__file__).with_name("operator.yaml")
"""What virt-operator says of the KubeVirt resource, as a stage."""
KERNELS = {
    Hypervisor.MSHV: "6.6.135.mshv2-1.azl3",
    Hypervisor.KVM: "6.8.0-1041-azure",
    Hypervisor.EMULATION: "6.6.135.mshv2-1.azl3",
}
CONTROL_PLANE = {"node-role.kubernetes.io/control-plane": "true"}
"""The label of k3s; nodes of AKS have none."""
MEMORY_MIB, CPUS = 32_094, 8


def cluster_of(
    environment: Environment, name: str, hypervisors: Sequence[Hypervisor] = (), address: str = ""
) -> Cluster:
    """The cluster of an environment: one node as declared, or a node for each of the given hypervisors.

    `address` is that of the machine, under which its API answers too.
    """
    row = ROWS[environment]
    labels = CONTROL_PLANE if row.compute == "machine" else {}
    nodes, probes = [], {}
    for index, hypervisor in enumerate(hypervisors or (row.hypervisor,)):
        node = Node(
            f"{environment}-node-{index}", KERNELS[hypervisor], MEMORY_MIB, CPUS, labels=labels, address=address
        )
        nodes.append(node)
        probes[node.name] = probe_document(node, hypervisor, row.hypervisor)
    return Cluster(name, tuple(nodes), probes, OPERATOR.read_text())


def probe_document(node: Node, found: Hypervisor, declared: Hypervisor) -> str:
    """What the probe prints on a node that has a hypervisor, where another one may be declared."""
    document = {
        "version": 1,
        "host": node.name,
        "kernel": node.kernel,
        "architecture": "x86_64",
        "cpuFlags": [] if found is Hypervisor.EMULATION else ["vmx"],
        "memoryMiB": node.memory_mib,
        "devices": {
            "mshv": _device(found is Hypervisor.MSHV),
            "kvm": _device(found is Hypervisor.KVM),
        },
        "qemu": None,
        "libvirt": None,
        "hypervisor": found.value,
        "declared": declared.value,
        "reason": _reason(found, declared),
    }
    return json.dumps(document)


def _device(there: bool) -> dict[str, object]:
    return {"exists": there, "opens": there, "error": "" if there else "no such device"}


def _reason(found: Hypervisor, declared: Hypervisor) -> str:
    if found is declared or declared is Hypervisor.EMULATION:
        return ""
    return f"declared {declared}, found {found}: there is no /dev/{declared}"
