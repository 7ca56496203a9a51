"""Which hypervisor a virtual machine gets: the decision of the L1VH plan, as a pure function.

Sources: the L1VH plan (gate on and /dev/mshv there: L1VH; otherwise what stock KubeVirt does); kubevirt/kubevirt
d923fdb815 (2026-08-22): pkg/virt-launcher/virtwrap/converter/{kvm,mshv}/configurator.go for stock KubeVirt and for
`ConfigurableHypervisor`, pkg/virt-controller/services/renderresources.go for the devices that a pod asks for,
pkg/virt-operator/resource/placement/placement.go for where the control plane of KubeVirt may run.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from virtci.core.environments import Gate
from virtci.core.hypervisors import Hypervisor
from virtci.core.problems import Refusal, nearest


class DomainType(StrEnum):
    """The type of a libvirt domain. The L1VH plan writes `mshv` where libvirt says `hyperv`."""

    HYPERV = "hyperv"
    KVM = "kvm"
    QEMU = "qemu"


DOMAIN_TYPES = {
    Hypervisor.MSHV: DomainType.HYPERV,
    Hypervisor.KVM: DomainType.KVM,
    Hypervisor.EMULATION: DomainType.QEMU,
}
DEVICE_RESOURCES = {Hypervisor.MSHV: "devices.kubevirt.io/mshv", Hypervisor.KVM: "devices.kubevirt.io/kvm"}
"""What a pod asks its node for; emulation needs no device."""

UPSTREAM_HYPERVISOR = "hyperv-direct"
"""KubeVirt's name of L1VH in `spec.configuration.hypervisors`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Devices:
    """Which of the two hypervisor devices exist and open."""

    mshv: bool
    kvm: bool

    def reaching_pods(self, use_emulation: bool) -> "Devices":
        """What the pod of a virtual machine sees of a node's devices: nothing when emulation is allowed.

        KubeVirt's page on emulation says that hardware is tried first; its controller asks for no device then.
        """
        return Devices(mshv=False, kvm=False) if use_emulation else self


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """What becomes of a virtual machine."""

    runs: bool
    hypervisor: Hypervisor | None
    """Nothing when it does not run."""
    device_resource: str | None
    """What its pod asks for, there or missing; nothing when emulation is allowed."""
    fallback: bool
    """The gate is on, and it runs without L1VH."""
    log: str

    @property
    def domain_type(self) -> DomainType | None:
        """The type of its libvirt domain; nothing when it does not run."""
        return DOMAIN_TYPES[self.hypervisor] if self.hypervisor else None


def decide(gate: Gate, devices: Devices, use_emulation: bool) -> Decision:
    """The decision for a virtual machine whose pod sees these devices."""
    if gate is Gate.OFF:
        return _stock(devices, use_emulation, "gate off")
    if devices.mshv:
        return _runs(Hypervisor.MSHV, use_emulation, f"gate {gate} on and /dev/mshv opens")
    missing = f"gate {gate} on but /dev/mshv does not open"
    if gate is Gate.HYPERV_L1VH:
        return _stock(devices, use_emulation, missing, fallback=True)
    if use_emulation:
        return _runs(Hypervisor.EMULATION, use_emulation, f"{missing}, emulation is allowed", fallback=True)
    return _does_not_run(Hypervisor.MSHV, f"{missing}; this gate knows no fallback to KVM")


def decide_on_node(gate: Gate, node: Devices, use_emulation: bool) -> Decision:
    """The decision for a virtual machine on a node with these devices."""
    return decide(gate, node.reaching_pods(use_emulation), use_emulation)


def gate_named(name: str) -> Gate:
    """The gate of that name. Raises `Refusal` for any other."""
    if name not in set(Gate):
        raise Refusal(
            f"a gate is one of: {', '.join(Gate)}; `{name}` is none",
            "KubeVirt takes any string for a feature gate and ignores those that it does not know, without a word",
            nearest(name, Gate),
        )
    return Gate(name)


def kubevirt_spec(gate: Gate, *, use_emulation: bool, single_node: bool, control_plane_nodes: bool) -> dict[str, Any]:
    """The part of the KubeVirt resource's `spec` that follows from gate, emulation and kind of cluster.

    `single_node`: one replica of each component of KubeVirt, since two could neither spread nor be drained.
    `control_plane_nodes`: whether nodes carry the label of the control plane, as in k3s. Where none does, as in AKS,
    KubeVirt's components need a placement of their own, or they stay pending for ever.
    """
    developer: dict[str, Any] = {"featureGates": [] if gate is Gate.OFF else [gate.value]}
    if use_emulation:
        developer["useEmulation"] = True
    configuration: dict[str, Any] = {"developerConfiguration": developer}
    if gate is Gate.CONFIGURABLE_HYPERVISOR:
        configuration["hypervisors"] = [{"name": UPSTREAM_HYPERVISOR}]
    infra: dict[str, Any] = {"replicas": 1} if single_node else {}
    if not control_plane_nodes:
        infra["nodePlacement"] = {"nodeSelector": {"kubernetes.io/os": "linux"}}
    return {"configuration": configuration, **({"infra": infra} if infra else {})}


def _stock(devices: Devices, use_emulation: bool, why: str, fallback: bool = False) -> Decision:
    if devices.kvm:
        return _runs(Hypervisor.KVM, use_emulation, f"{why}, /dev/kvm opens", fallback)
    if use_emulation:
        return _runs(Hypervisor.EMULATION, use_emulation, f"{why}, no /dev/kvm, emulation is allowed", fallback)
    return _does_not_run(Hypervisor.KVM, f"{why}; /dev/kvm does not open and emulation is not allowed")


def _runs(hypervisor: Hypervisor, use_emulation: bool, why: str, fallback: bool = False) -> Decision:
    done = "falls back to" if fallback else "runs on"
    return Decision(
        runs=True,
        hypervisor=hypervisor,
        device_resource=None if use_emulation else DEVICE_RESOURCES.get(hypervisor),
        fallback=fallback,
        log=f"{why}: {done} {hypervisor}, domain type {DOMAIN_TYPES[hypervisor]}",
    )


def _does_not_run(missing: Hypervisor, why: str) -> Decision:
    return Decision(
        runs=False,
        hypervisor=None,
        device_resource=DEVICE_RESOURCES[missing],
        fallback=False,
        log=f"{why}: no virtual machine starts",
    )
