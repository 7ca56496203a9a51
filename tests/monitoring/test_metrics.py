"""The table of metrics, in the eyes of promtool's linter."""

import pytest

from tests.real_programs import run
from virtci.monitoring.metrics import METRICS, NAMED_AGAINST_THE_RULES, Metric, series

PLAN = {
    "kubevirt_hyperv_l1vh_vms_total",
    "kubevirt_hyperv_l1vh_vm_startup_duration_seconds",
    "kubevirt_hyperv_l1vh_device_errors_total",
    "kubevirt_l1vh_hardware_passthrough_total",
}


def exposed(name: str, metric: Metric) -> str:
    """A metric as a component exposes it."""
    samples = [f'{item}{{le="+Inf"}} 1' if item.endswith("_bucket") else f"{item} 1" for item in series(name)]
    return "\n".join([f"# HELP {name} {metric.help}", f"# TYPE {name} {metric.type}", *samples]) + "\n"


def test_metrics_of_the_plan_are_in_the_table_with_their_source() -> None:
    assert set(METRICS) >= PLAN
    assert all(metric.source and metric.help.endswith(".") and metric.unit for metric in METRICS.values())


@pytest.mark.program("promtool")
def test_promtool_complains_of_the_names_that_the_plan_chose_and_of_nothing_else() -> None:
    text = "".join(exposed(name, metric) for name, metric in METRICS.items())

    answer = run("promtool", "check", "metrics", text=text)

    assert answer.returncode == 3
    complaints = (answer.stdout + answer.stderr).strip().splitlines()
    assert sorted(complaints) == [
        f'{name} non-counter metrics should not have "_total" suffix' for name in sorted(NAMED_AGAINST_THE_RULES)
    ]


def test_histogram_is_stored_under_three_names() -> None:
    name = "kubevirt_hyperv_l1vh_vm_startup_duration_seconds"

    assert series(name) == (f"{name}_bucket", f"{name}_count", f"{name}_sum")
    assert series("up") == ("up",)
