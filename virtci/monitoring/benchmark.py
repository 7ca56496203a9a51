"""The plan's comparison with QEMU/KVM: startup that compares, and less than 5 % more memory.

The same virtual machines start in each environment (`workload`), `measure` asks its Prometheus what that took, and
`compare` judges.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from virtci.core.environments import Environment
from virtci.core.hypervisors import Hypervisor
from virtci.core.problems import Refusal
from virtci.monitoring.rules import RUNNING, STARTUP_METRIC

MEMORY_LIMIT = 0.05
"""Source: the L1VH plan, memory use less than 5 % above the baseline of QEMU/KVM."""

ENOUGH = 20
"""Below it, the 95th percentile is nothing but the slowest start."""

STARTS = 30

WORKLOAD_LABEL = "virt-ci.benchmark"
NAME = "benchmark-"
"""How the names of its machines begin."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Measurement:
    """What the workload took in one environment; memory is the mean resident memory of a domain's process."""

    environment: Environment
    hypervisor: Hypervisor
    starts: float
    startup_p95_seconds: float
    memory_bytes: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """A candidate against the baseline: ratio of startup, share of additional memory, and what breaks a limit."""

    startup_ratio: float
    memory_overhead: float
    faults: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether the candidate keeps every limit."""
        return not self.faults


def compare(baseline: Measurement, candidate: Measurement, startup_limit: float) -> Comparison:
    """Judges a candidate by the baseline of KVM.

    `startup_limit`: the largest ratio of the two startup times that still counts as comparable; the plan names none.
    Raises `Refusal` when the measurements cannot be compared.
    """
    if baseline.hypervisor is not Hypervisor.KVM:
        raise Refusal(
            f"the baseline is measured on kvm; {baseline.environment} has {baseline.hypervisor}",
            "the plan's limits are relative to QEMU/KVM",
            f"measure the workload in {Environment.TEST_KVM} first",
        )
    for item in (baseline, candidate):
        _require_usable(item)
    startup = candidate.startup_p95_seconds / baseline.startup_p95_seconds
    overhead = (candidate.memory_bytes - baseline.memory_bytes) / baseline.memory_bytes
    faults: list[str] = []
    if startup > startup_limit:
        faults.append(
            f"{candidate.environment}: startup takes {candidate.startup_p95_seconds:g} s (95th percentile), {startup:.2f} "
            f"times the {baseline.startup_p95_seconds:g} s of {baseline.environment}; at most {startup_limit:g} times"
        )
    if overhead >= MEMORY_LIMIT:
        faults.append(
            f"{candidate.environment}: a virtual machine takes {overhead:.1%} more memory than in "
            f"{baseline.environment}; less than {MEMORY_LIMIT:.0%}"
        )
    return Comparison(startup, overhead, tuple(faults))


def measure(
    environment: Environment,
    hypervisor: Hypervisor,
    ask: Callable[[str], Mapping[str, Any]],
    namespace: str,
    seconds: int,
) -> Measurement:
    """What an environment's Prometheus knows of the workload in a namespace, all of which started in the last `seconds`.

    `ask` gives its answer to an instant query, as its API does. Whatever else started in that time counts as well: the
    metric of startup names no machine. Raises `Refusal` when Prometheus knows nothing that could be compared.
    """
    found = Measurement(
        environment=environment,
        hypervisor=hypervisor,
        starts=_value(environment, "starts", ask(starts(seconds))),
        startup_p95_seconds=_value(environment, "startup", ask(startup(seconds))),
        memory_bytes=_value(environment, "memory", ask(memory(namespace))),
    )
    _require_usable(found)
    return found


def starts(seconds: int) -> str:
    """The expression for how many machines came to run in the last seconds."""
    return f"sum({_since(f'{STARTUP_METRIC}_count', seconds)})"


def startup(seconds: int) -> str:
    """The expression for the 95th percentile of their startup times, in seconds, interpolated between KubeVirt's buckets.

    Those are 0.5, 1, 2, 5, 10, 20, 30, 40, 50, 60, 90 s and so on (kubevirt/kubevirt
    pkg/monitoring/metrics/virt-controller/metrics.go, PhaseTransitionTimeBuckets, read 2026-11).
    """
    return f"histogram_quantile(0.95, sum by (le) ({_since(f'{STARTUP_METRIC}_bucket', seconds)}))"


def memory(namespace: str) -> str:
    """The expression for the mean resident memory, in bytes, of a machine of the workload."""
    return f'avg(kubevirt_vmi_memory_resident_bytes{{namespace="{namespace}", name=~"{NAME}.+"}})'


def _since(metric: str, seconds: int) -> str:
    """What a counter has gained; exact, where `increase` extrapolates each bucket of a histogram in its own way."""
    counter = f"{metric}{{{RUNNING}}}"
    return f"{counter} - {counter} offset {seconds}s or {counter}"


def workload(disk_image: str, namespace: str, starts: int = STARTS) -> list[dict[str, Any]]:
    """The virtual machines of the benchmark, the same on every hypervisor; `disk_image` is a container disk by digest."""
    return [_machine(f"{NAME}{number:02}", namespace, disk_image) for number in range(1, starts + 1)]


def _machine(name: str, namespace: str, disk_image: str) -> dict[str, Any]:
    disk = {"name": "disk", "disk": {"bus": "virtio"}}
    return {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachineInstance",
        "metadata": {"name": name, "namespace": namespace, "labels": {WORKLOAD_LABEL: "true"}},
        "spec": {
            "terminationGracePeriodSeconds": 0,
            "domain": {"cpu": {"cores": 1}, "memory": {"guest": "256Mi"}, "devices": {"disks": [disk]}},
            "volumes": [{"name": "disk", "containerDisk": {"image": disk_image}}],
        },
    }


def _require_usable(item: Measurement) -> None:
    if item.starts < ENOUGH:
        raise Refusal(
            f"a measurement holds at least {ENOUGH} starts; {item.environment} has {item.starts:g}",
            "a percentile of fewer is the time of a single machine",
            "run the whole workload, and look whether Prometheus scrapes virt-controller",
        )
    for name, value in (("startup", item.startup_p95_seconds), ("memory", item.memory_bytes)):
        if not (math.isfinite(value) and value > 0):
            raise Refusal(
                f"{name} of {item.environment} is a number above zero; it is {value:g}",
                "there is nothing to compare",
                "look whether its Prometheus scrapes KubeVirt",
            )


def _value(environment: Environment, what: str, answer: Mapping[str, Any]) -> float:
    found = answer.get("data", {}).get("result", []) if answer.get("status") == "success" else []
    if len(found) != 1:
        raise Refusal(
            f"the Prometheus of {environment} knows {what} of the workload; it gave {len(found)} values",
            "nothing was measured there",
            "look whether it scrapes KubeVirt",
        )
    return float(found[0]["value"][1])
