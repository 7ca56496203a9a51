"""What a cluster gets: the gate that its nodes allow, and which hypervisor its virtual machines then run on."""

from collections.abc import Iterable
from dataclasses import dataclass

from virtci.core.decision import Devices, decide_on_node
from virtci.core.environments import ROWS, Environment, Gate
from virtci.core.hypervisors import Hypervisor
from virtci.core.readiness import Readiness, Record, WhenNotReady, judge, settle


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """The gate that is set, why, and what follows from it."""

    gate: Gate
    declared: Gate
    fallback: bool
    """The declared gate is on, and a node lacks its device."""
    reason: str
    readiness: Readiness | None
    """Nothing where the gate is declared off: nobody needs to measure then."""
    use_emulation: bool
    hypervisor: Hypervisor | None
    """What virtual machines run on; nothing when some node starts none."""


def choose(environment: Environment, gate: Gate, when_not_ready: WhenNotReady, record: Record | None) -> Choice:
    """What the cluster of an environment gets.

    `record` is needed with the gate on only. Raises `Refusal` when nodes are incapable and the choice is to fail.
    """
    use_emulation = ROWS[environment].hypervisor is Hypervisor.EMULATION
    if gate is Gate.OFF:
        return Choice(
            gate=gate,
            declared=gate,
            fallback=False,
            reason="gate off, stock KubeVirt",
            readiness=None,
            use_emulation=use_emulation,
            hypervisor=_common([Devices(mshv=False, kvm=True)], gate, use_emulation),
        )
    if record is None:
        raise ValueError(f"gate {gate} needs the readiness record of the cluster")
    readiness = judge(record, Hypervisor.MSHV)
    settled = settle(gate, readiness, when_not_ready)
    devices = [item.probe.devices if item.probe else Devices(mshv=False, kvm=False) for item in record.nodes]
    return Choice(
        gate=settled.gate,
        declared=gate,
        fallback=settled.fallback,
        reason=settled.message,
        readiness=readiness,
        use_emulation=use_emulation,
        hypervisor=_common(devices, settled.gate, use_emulation),
    )


def _common(nodes: Iterable[Devices], gate: Gate, use_emulation: bool) -> Hypervisor | None:
    """The hypervisor of all nodes; nothing when they differ or one of them starts no virtual machine."""
    found = {decide_on_node(gate, devices, use_emulation).hypervisor for devices in nodes}
    return found.pop() if len(found) == 1 else None
