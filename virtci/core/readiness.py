"""Whether a cluster can run what its environment promises, judged from the probes of its nodes.

Source: the L1VH plan. All nodes are taken to be capable once the gate is on, so all of them are measured before; a
cluster of which only a part is capable is not ready. Nothing is written to nodes and no scheduling is changed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from virtci.core.capabilities import shortfalls
from virtci.core.environments import Gate
from virtci.core.hypervisors import Hypervisor
from virtci.core.probes import AGAIN, Probe, decoded, read_probe, require_shape
from virtci.core.problems import Refusal

SKEW = timedelta(minutes=2)
"""How far the clocks of a cluster and of who judges it may differ."""


class WhenNotReady(StrEnum):
    """What happens when the gate is on and a node lacks its device."""

    FAIL = "fail"
    FALLBACK = "fallback"


@dataclass(frozen=True, slots=True)
class Measured:
    """One schedulable node: its probe, or why there is none."""

    node: str
    uid: str
    probe: Probe | None
    error: str


@dataclass(frozen=True, slots=True)
class Record:
    """The readiness record of a cluster: what each of its schedulable nodes had when it was measured."""

    measured_at: datetime
    nodes: tuple[Measured, ...]


@dataclass(frozen=True, slots=True)
class Readiness:
    """The judgement of a record: `incapable` holds the reasons by node."""

    hypervisor: Hypervisor
    measured_at: datetime
    nodes: tuple[str, ...]
    incapable: Mapping[str, tuple[str, ...]]

    @property
    def ready(self) -> bool:
        """Whether there are nodes and every one of them is capable."""
        return bool(self.nodes) and not self.incapable

    @property
    def message(self) -> str:
        """The judgement in one line, with every incapable node and its reasons."""
        if self.ready:
            return f"ready for {self.hypervisor}: all {len(self.nodes)} of {len(self.nodes)} schedulable nodes"
        if not self.nodes:
            return f"not ready for {self.hypervisor}: the cluster has no schedulable node"
        reasons = "; ".join(f"{node}: {', '.join(why)}" for node, why in sorted(self.incapable.items()))
        return (
            f"not ready for {self.hypervisor}: {len(self.incapable)} of {len(self.nodes)} schedulable nodes "
            f"incapable ({reasons})"
        )


@dataclass(frozen=True, slots=True)
class Settled:
    """The gate that a cluster gets, whether that is less than was asked for, and one line that says why."""

    gate: Gate
    fallback: bool
    message: str


def parse_record(text: str, subject: str = "readiness record") -> Record:
    """The record in a text. Raises `Refusal` naming the node and the field that are wrong."""
    document = decoded(text, subject)
    require_shape(document, "readiness", subject)
    record = Record(
        measured_at=_moment(document["measuredAt"], subject),
        nodes=tuple(_measured(entry) for entry in document["nodes"]),
    )
    names = [item.node for item in record.nodes]
    for name in names:
        if names.count(name) > 1:
            raise _refusal(f"{subject}: node {name} is listed {names.count(name)} times")
    return record


def judge(record: Record, hypervisor: Hypervisor) -> Readiness:
    """Whether every node of a record has what the hypervisor needs; emulation needs nothing."""
    reasons = {item.node: _reasons(item, hypervisor) for item in record.nodes}
    return Readiness(
        hypervisor=hypervisor,
        measured_at=record.measured_at,
        nodes=tuple(reasons),
        incapable={node: why for node, why in reasons.items() if why},
    )


def require_fresh(record: Record, now: datetime, maximum_age: timedelta) -> None:
    """Raises `Refusal` when a record is older than the age given, or from a time to come."""
    age = now - record.measured_at
    if -SKEW <= age <= maximum_age:
        return
    when = f"measured {record.measured_at:%Y-%m-%dT%H:%M:%SZ}"
    said = f"{_duration(age)} ago" if age > maximum_age else f"{_duration(-age)} from now"
    raise Refusal(
        f"the readiness record is at most {_duration(maximum_age)} old; it was {when}, {said}",
        "nodes may have lost their device since, or be others",
        "measure the nodes again",
    )


def require_complete(record: Record, schedulable: Mapping[str, str]) -> None:
    """Raises `Refusal` when a schedulable node (uid by name) has not been measured, or was another machine then."""
    measured = {item.node: item.uid for item in record.nodes}
    missing = sorted(node for node, uid in schedulable.items() if measured.get(node) != uid)
    if missing:
        raise Refusal(
            f"every schedulable node is measured before the gate goes on; not measured: {', '.join(missing)}",
            "virtual machines can be placed on a node of which nobody knows what it has",
            AGAIN,
        )


def settle(gate: Gate, readiness: Readiness, when_not_ready: WhenNotReady) -> Settled:
    """The gate that a judged cluster gets.

    Switching the gate off always works, whatever the nodes have. Raises `Refusal` when nodes are incapable and the
    choice is to fail.
    """
    if gate is not Gate.OFF and readiness.hypervisor is not Hypervisor.MSHV:
        raise ValueError(f"gate {gate} needs a judgement for mshv, not for {readiness.hypervisor}")
    if gate is Gate.OFF and (readiness.ready or readiness.hypervisor is Hypervisor.MSHV):
        return Settled(Gate.OFF, fallback=False, message=f"gate off, stock KubeVirt; {readiness.message}")
    if readiness.ready:
        return Settled(gate, fallback=False, message=f"gate {gate} on; {readiness.message}")
    if when_not_ready is WhenNotReady.FALLBACK:
        return Settled(Gate.OFF, fallback=gate is not Gate.OFF, message=_going_on(gate, readiness))
    raise _not_ready(gate, readiness)


def _reasons(item: Measured, hypervisor: Hypervisor) -> tuple[str, ...]:
    if hypervisor is Hypervisor.EMULATION:
        return ()
    if item.probe is None:
        return (f"its probe failed: {item.error}",)
    device = item.probe.mshv if hypervisor is Hypervisor.MSHV else item.probe.kvm
    found: tuple[str, ...] = ()
    if not device.exists:
        found = (f"/dev/{hypervisor} does not exist",)
    elif not device.opens:
        found = (f"/dev/{hypervisor} exists but does not open: {device.error or 'no reason given'}",)
    return found + (shortfalls(item.probe) if hypervisor is Hypervisor.MSHV else ())


def _going_on(gate: Gate, readiness: Readiness) -> str:
    if gate is Gate.OFF:
        return f"gate off, stock KubeVirt, although {readiness.message}"
    return f"fallback: gate {gate} was asked for and stays off, stock KubeVirt; {readiness.message}"


def _not_ready(gate: Gate, readiness: Readiness) -> Refusal:
    if gate is Gate.OFF:
        return Refusal(
            f"every schedulable node has what {readiness.hypervisor} needs; {readiness.message}",
            "virtual machines that are placed there do not start",
            "use nodes of a size with nested virtualization, or take those named out of scheduling",
        )
    return Refusal(
        f"every schedulable node has what L1VH needs before gate {gate} goes on; {readiness.message}",
        "the gate holds for the whole cluster: virtual machines placed there would not start, or not run on L1VH",
        "boot the nodes named from the dom0qemu image on a host that exposes L1VH, take them out of scheduling, "
        f"or set `whenNotReady: {WhenNotReady.FALLBACK}` to go on without the gate",
    )


def _measured(entry: Mapping[str, object]) -> Measured:
    node, error, probe = str(entry["node"]), str(entry["error"]), entry["probe"]
    if probe is None and not error:
        raise _refusal(f"node {node}: error: is empty although there is no probe")
    read = None if probe is None else read_probe(probe, f"node {node}")
    return Measured(node, str(entry["uid"]), read, error)


def _moment(text: str, subject: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise _refusal(f"{subject}: measuredAt: `{text}` is no ISO 8601 time") from None
    if moment.utcoffset() != timedelta(0):
        raise _refusal(f"{subject}: measuredAt: `{text}` is not in UTC")
    return moment


def _duration(length: timedelta) -> str:
    """A length of time in whole minutes, as `1 d 2 h 3 min`."""
    minutes = int(length.total_seconds() // 60)
    parts = ((minutes // 1440, "d"), (minutes % 1440 // 60, "h"), (minutes % 60, "min"))
    return " ".join(f"{count} {unit}" for count, unit in parts if count) or "0 min"


def _refusal(rule: str) -> Refusal:
    return Refusal(rule, "what the nodes have cannot be told from what they have not", AGAIN)
