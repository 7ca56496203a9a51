"""The metrics that rules and dashboard use: name, type, unit, meaning, and who says so."""

from dataclasses import dataclass
from typing import Literal

Type = Literal["counter", "gauge", "histogram"]

FORK = (
    "kaizentm/kubevirt specs/001-hyperv-l1vh/feature-spec.md 6feec597a1 (2025-09-03); types are inferred from the names"
)
KUBEVIRT = "kubevirt/kubevirt docs/observability/metrics.md d923fdb815 (2026-08-22)"
PROMETHEUS = "Prometheus: of every target that it scrapes"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric; `labels` are those that rules and dashboard use."""

    type: Type
    unit: str
    help: str
    source: str
    labels: tuple[str, ...] = ()


METRICS = {
    "kubevirt_hyperv_l1vh_vms_total": Metric(
        "gauge", "virtual machines", "Virtual machines that run on L1VH; a gauge in spite of its name.", FORK
    ),
    "kubevirt_hyperv_l1vh_vm_startup_duration_seconds": Metric(
        "histogram", "seconds", "From the start of a virtual machine on L1VH until it runs.", FORK
    ),
    "kubevirt_hyperv_l1vh_device_errors_total": Metric("counter", "errors", "Failed operations on /dev/mshv.", FORK),
    "kubevirt_l1vh_hardware_passthrough_total": Metric(
        "gauge", "virtual machines", "Virtual machines with hardware of their own; a gauge in spite of its name.", FORK
    ),
    "kubevirt_vmi_info": Metric(
        "gauge", "virtual machines", "One per virtual machine instance, whatever its hypervisor.", KUBEVIRT, ("phase",)
    ),
    "kubevirt_vmi_phase_transition_time_from_creation_seconds": Metric(
        "histogram", "seconds", "From the creation of an instance until it enters a phase.", KUBEVIRT, ("phase",)
    ),
    "kubevirt_vmi_memory_resident_bytes": Metric(
        "gauge", "bytes", "Resident memory of the process of a domain.", KUBEVIRT, ("namespace", "name")
    ),
    "kubevirt_vmi_memory_domain_bytes": Metric(
        "gauge", "bytes", "Memory that a domain gives its guest.", KUBEVIRT, ("namespace", "name")
    ),
    "kubevirt_configuration_emulation_enabled": Metric(
        "gauge", "switch", "1 when the KubeVirt resource allows emulation.", KUBEVIRT
    ),
    "up": Metric("gauge", "switch", "1 when the last scrape of a target worked.", PROMETHEUS, ("job", "component")),
}
NAMED_AGAINST_THE_RULES = ("kubevirt_hyperv_l1vh_vms_total", "kubevirt_l1vh_hardware_passthrough_total")
"""Gauges with the suffix of a counter: the plan's names, of which `promtool check metrics` complains."""


def series(name: str) -> tuple[str, ...]:
    """The names under which a metric's samples are stored."""
    if METRICS[name].type == "histogram":
        return (f"{name}_bucket", f"{name}_count", f"{name}_sum")
    return (name,)
