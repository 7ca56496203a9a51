"""The dashboard: every expression is one that Prometheus reads, on metrics that exist."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.monitoring.test_rules import NAME
from tests.real_programs import run
from virtci.monitoring.dashboard import dashboard
from virtci.monitoring.metrics import METRICS, series
from virtci.monitoring.rules import RECORDINGS

GOLDEN = Path(__file__).parent / "golden" / "dashboard.json"


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(dashboard())["panels"]
    return found


def expressions() -> list[str]:
    return [target["expr"] for panel in panels() for target in panel["targets"]]


def test_dashboard_is_the_reviewed_one() -> None:
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_text(dashboard())

    assert dashboard() == GOLDEN.read_text()


@pytest.mark.program("promtool")
def test_promtool_reads_every_expression(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    recorded = [{"record": f"panel:{number}", "expr": text} for number, text in enumerate(expressions())]
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": recorded}]}))

    answer = run("promtool", "check", "rules", str(path))

    assert answer.returncode == 0, answer.stderr
    assert f"SUCCESS: {len(expressions())} rules found" in answer.stdout


def test_expressions_use_metrics_of_the_table_and_recorded_ones() -> None:
    known = {name for metric in METRICS for name in series(metric)} | {item.name for item in RECORDINGS}

    assert {name for text in expressions() for name in NAME.findall(text)} <= known


def test_every_metric_of_l1vh_and_every_comparison_has_a_panel() -> None:
    shown = " ".join(expressions())

    assert all(name in shown for name in METRICS if "l1vh" in name)
    assert all(item.name in shown for item in RECORDINGS if item.name != "virtci:vm_startups:count")


def test_panels_do_not_overlap_and_fit_the_width() -> None:
    cells = [
        (x, y)
        for panel in panels()
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]

    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24


def test_panels_and_targets_are_told_apart() -> None:
    identities = [panel["id"] for panel in panels()]

    assert len(identities) == len(set(identities))
    for panel in panels():
        references = [target["refId"] for target in panel["targets"]]
        assert len(references) == len(set(references))
        assert all(target["datasource"]["uid"] == "${datasource}" for target in panel["targets"])
