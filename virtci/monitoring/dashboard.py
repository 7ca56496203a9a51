"""A Grafana dashboard of the metrics that matter for L1VH."""

import json
from dataclasses import dataclass
from typing import Any

from virtci.monitoring.rules import MEMORY, MEMORY_RATIO, RUNNING, STARTUP_P50, STARTUP_P95
from virtci.monitoring.scrape import JOB

SCHEMA = 39
"""Version of Grafana's dashboard model; Grafana 11 writes it, and newer ones bring it up to date by themselves."""

COLUMNS, WIDTH, HEIGHT = 24, 12, 8
SOURCE = {"type": "prometheus", "uid": "${datasource}"}


@dataclass(frozen=True, slots=True)
class Panel:
    """One chart: title, unit in Grafana's names, what it tells, and its expressions by legend."""

    title: str
    unit: str
    tells: str
    expressions: tuple[tuple[str, str], ...]


PANELS = (
    Panel(
        "Virtual machines",
        "short",
        "All that run, and those of them on L1VH. Where the gate is on, the two lines are one.",
        (("running", f"sum(kubevirt_vmi_info{{{RUNNING}}})"), ("on L1VH", "sum(kubevirt_hyperv_l1vh_vms_total)")),
    ),
    Panel(
        "Startup, every hypervisor",
        "s",
        "From the creation of an instance until it runs; compare it with the environment on KVM.",
        (("median", STARTUP_P50), ("95th percentile", STARTUP_P95)),
    ),
    Panel(
        "Startup on L1VH",
        "s",
        "As the fork measures it.",
        (
            (
                "95th percentile",
                "histogram_quantile(0.95, sum by (le) "
                "(rate(kubevirt_hyperv_l1vh_vm_startup_duration_seconds_bucket[30m])))",
            ),
        ),
    ),
    Panel(
        "Errors of /dev/mshv",
        "short",
        "Failed operations in ten minutes; anything above zero is an alert.",
        (("errors", "sum(increase(kubevirt_hyperv_l1vh_device_errors_total[10m]))"),),
    ),
    Panel(
        "Hardware passed through",
        "short",
        "Virtual machines with hardware of their own.",
        (("virtual machines", "sum(kubevirt_l1vh_hardware_passthrough_total)"),),
    ),
    Panel(
        "Memory of a virtual machine",
        "bytes",
        "Mean resident memory of a domain's process; the plan allows less than 5 % above KVM.",
        (("resident", MEMORY),),
    ),
    Panel(
        "Resident memory by guest memory",
        "percentunit",
        "Above 1, the hypervisor's own share is larger than what guests leave untouched.",
        (("ratio", MEMORY_RATIO),),
    ),
    Panel(
        "KubeVirt's components",
        "short",
        "Targets that answer, and whether emulation is allowed.",
        (
            ("{{component}}", f'sum by (component) (up{{job="{JOB}"}})'),
            ("emulation allowed", "max(kubevirt_configuration_emulation_enabled)"),
        ),
    ),
)


def dashboard() -> str:
    """The dashboard as JSON, to be imported or provisioned; its data source is chosen there."""
    return json.dumps(_dashboard(), indent=2) + "\n"


def _dashboard() -> dict[str, Any]:
    return {
        "uid": "virt-ci-l1vh",
        "title": "KubeVirt on L1VH",
        "tags": ["kubevirt", "l1vh"],
        "schemaVersion": SCHEMA,
        "editable": False,
        "refresh": "1m",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {
            "list": [{"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus"}]
        },
        "panels": [_panel(number, panel) for number, panel in enumerate(PANELS)],
    }


def _panel(number: int, panel: Panel) -> dict[str, Any]:
    place = number * WIDTH
    return {
        "id": number + 1,
        "type": "timeseries",
        "title": panel.title,
        "description": panel.tells,
        "datasource": SOURCE,
        "gridPos": {"x": place % COLUMNS, "y": place // COLUMNS * HEIGHT, "w": WIDTH, "h": HEIGHT},
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + index), "datasource": SOURCE, "expr": expression, "legendFormat": legend}
            for index, (legend, expression) in enumerate(panel.expressions)
        ],
    }
