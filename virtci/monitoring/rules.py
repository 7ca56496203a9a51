"""Recording and alerting rules for a cluster with KubeVirt.

Startup is measured from the creation of an instance until it runs, by a metric that every hypervisor has; the L1VH
metrics of the plan exist only in the fork, so rules on them are made for its gate alone.
"""

from dataclasses import dataclass
from typing import Any

import yaml

from virtci.core.environments import Gate
from virtci.monitoring.scrape import JOB

WINDOW = "30m"
"""Long enough for the starts of one run of tests to count together."""

STARTUP_P50 = "virtci:vm_startup_seconds:p50"
STARTUP_P95 = "virtci:vm_startup_seconds:p95"
STARTUPS = "virtci:vm_startups:count"
MEMORY = "virtci:vm_memory_resident_bytes:avg"
MEMORY_RATIO = "virtci:vm_memory_resident_ratio:avg"

STARTUP_METRIC = "kubevirt_vmi_phase_transition_time_from_creation_seconds"
RUNNING = 'phase="Running"'


@dataclass(frozen=True, slots=True)
class Recording:
    """A rule that stores the value of an expression under a name."""

    name: str
    expression: str


@dataclass(frozen=True, slots=True)
class Alert:
    """A rule that fires when its expression has held for a time."""

    name: str
    expression: str
    holds_for: str
    severity: str
    summary: str
    fix: str


RECORDINGS = (
    Recording(
        STARTUP_P50, f"histogram_quantile(0.5, sum by (le) (rate({STARTUP_METRIC}_bucket{{{RUNNING}}}[{WINDOW}])))"
    ),
    Recording(
        STARTUP_P95, f"histogram_quantile(0.95, sum by (le) (rate({STARTUP_METRIC}_bucket{{{RUNNING}}}[{WINDOW}])))"
    ),
    Recording(STARTUPS, f"sum(increase({STARTUP_METRIC}_count{{{RUNNING}}}[{WINDOW}]))"),
    Recording(MEMORY, "avg(kubevirt_vmi_memory_resident_bytes)"),
    Recording(
        MEMORY_RATIO,
        "avg(kubevirt_vmi_memory_resident_bytes / on (namespace, name) kubevirt_vmi_memory_domain_bytes)",
    ),
)

TARGETS = (
    Alert(
        "KubeVirtTargetDown",
        f'up{{job="{JOB}"}} == 0',
        "5m",
        "warning",
        "{{ $labels.component }} on {{ $labels.node }} cannot be scraped",
        "look at the pod {{ $labels.pod }} in the namespace kubevirt",
    ),
    Alert(
        "KubeVirtOperatorDown",
        f'absent(up{{job="{JOB}", component="virt-operator"}} == 1)',
        "5m",
        "critical",
        "no virt-operator answers: nothing repairs or changes KubeVirt",
        "look at the deployment virt-operator in the namespace kubevirt",
    ),
)
ON_ANY_GATE = (
    Alert(
        "L1vhEmulationAllowed",
        "max(kubevirt_configuration_emulation_enabled) == 1",
        "5m",
        "warning",
        "the L1VH gate is on, yet emulation is allowed: pods ask for no device, and virtual machines are emulated",
        "remove useEmulation from the KubeVirt resource",
    ),
)
ON_THE_GATE_OF_THE_FORK = (
    Alert(
        "L1vhDeviceErrors",
        "sum(increase(kubevirt_hyperv_l1vh_device_errors_total[10m])) > 0",
        "0m",
        "warning",
        "operations on /dev/mshv fail: {{ $value | humanize }} in ten minutes",
        "read the kernel's log of the nodes; switch the gate off if virtual machines fail",
    ),
    Alert(
        "L1vhFallbackSuspected",
        f"sum(kubevirt_vmi_info{{{RUNNING}}}) > 0 unless on () sum(kubevirt_hyperv_l1vh_vms_total) > 0",
        "15m",
        "warning",
        "the L1VH gate is on and {{ $value }} virtual machines run, none of them on L1VH",
        "measure the nodes again: /dev/mshv is not there or does not open",
    ),
)


def rules(gate: Gate, startup_limit_seconds: float | None = None) -> str:
    """The text of the rule file for a cluster with this gate.

    `startup_limit_seconds`: the 95th percentile of startup above which an alert fires; what is slow can only be known
    from a measured baseline (`virtci.monitoring.benchmark`), so without one there is no such alert.
    """
    alerts = list(TARGETS)
    if gate is not Gate.OFF:
        alerts += ON_ANY_GATE
    if gate is Gate.HYPERV_L1VH:
        alerts += ON_THE_GATE_OF_THE_FORK
    if startup_limit_seconds is not None:
        alerts.append(_slow_startup(startup_limit_seconds))
    groups = {
        "groups": [
            {"name": "virt-ci-benchmark", "rules": [_recording(item) for item in RECORDINGS]},
            {"name": "virt-ci-alerts", "rules": [_alert(item) for item in alerts]},
        ]
    }
    return str(yaml.safe_dump(groups, sort_keys=False, width=120))


def _slow_startup(limit: float) -> Alert:
    return Alert(
        "VmStartupSlow",
        f"{STARTUP_P95} > {limit:g}",
        "10m",
        "warning",
        f"virtual machines need {{{{ $value | humanizeDuration }}}} to start (95th percentile); the limit is {limit:g} s",
        "compare with the baseline of KVM; look for pressure on the nodes",
    )


def _recording(item: Recording) -> dict[str, Any]:
    return {"record": item.name, "expr": item.expression}


def _alert(item: Alert) -> dict[str, Any]:
    return {
        "alert": item.name,
        "expr": item.expression,
        "for": item.holds_for,
        "labels": {"severity": item.severity},
        "annotations": {"summary": item.summary, "fix": item.fix},
    }
