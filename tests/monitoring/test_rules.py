"""The rules do what their unit tests say, in the eyes of the real promtool, and each of them is tested."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.real_programs import run
from virtci.core.environments import Gate
from virtci.monitoring.metrics import METRICS, series
from virtci.monitoring.rules import RECORDINGS, rules

HERE = Path(__file__).parent
GOLDEN = HERE / "golden"
UNIT_TESTS = HERE / "rules.test.yaml"
LIMIT = 30.0
FULL = rules(Gate.HYPERV_L1VH, LIMIT)
ALWAYS = ["KubeVirtTargetDown", "KubeVirtOperatorDown"]
ON_ANY_GATE = [*ALWAYS, "L1vhEmulationAllowed"]
ON_THE_FORK = [*ON_ANY_GATE, "L1vhDeviceErrors", "L1vhFallbackSuspected"]
NAME = re.compile(r"\b(?:kubevirt_\w+|virtci:[\w:]+|up)\b(?!\")")


def rules_of(text: str) -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(text)["groups"] for rule in group["rules"]]


def alerts(text: str) -> list[str]:
    return [rule["alert"] for rule in rules_of(text) if "alert" in rule]


def tried(text: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """What promtool says when it runs the unit tests on these rules."""
    (folder / "rules.yaml").write_text(text)
    shutil.copy(UNIT_TESTS, folder)
    return run("promtool", "test", "rules", str(folder / UNIT_TESTS.name))


@pytest.mark.parametrize("gate", list(Gate))
def test_rules_are_the_reviewed_ones(gate: Gate) -> None:
    golden = GOLDEN / f"rules.{gate}.yaml"
    text = rules(gate, LIMIT)
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(text)

    assert text == golden.read_text()


@pytest.mark.program("promtool")
@pytest.mark.parametrize("limit", [None, LIMIT])
@pytest.mark.parametrize("gate", list(Gate))
def test_promtool_takes_the_rules_of_every_gate(gate: Gate, limit: float | None, tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(rules(gate, limit))

    answer = run("promtool", "check", "rules", "--lint=all", "--lint-fatal", str(path))

    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert f"SUCCESS: {len(rules_of(rules(gate, limit)))} rules found" in answer.stdout


@pytest.mark.program("promtool")
def test_rules_pass_their_unit_tests(tmp_path: Path) -> None:
    answer = tried(FULL, tmp_path)

    assert answer.returncode == 0, answer.stdout + answer.stderr


@pytest.mark.program("promtool")
@pytest.mark.parametrize("name", [*ON_THE_FORK, "VmStartupSlow", *(item.name for item in RECORDINGS)])
def test_a_rule_that_is_lost_is_missed_by_the_unit_tests(name: str, tmp_path: Path) -> None:
    content = yaml.safe_load(FULL)
    for group in content["groups"]:
        group["rules"] = [rule for rule in group["rules"] if name not in (rule.get("alert"), rule.get("record"))]

    answer = tried(yaml.safe_dump(content), tmp_path)

    assert answer.returncode == 1
    assert name in answer.stdout + answer.stderr


@pytest.mark.program("promtool")
@pytest.mark.parametrize(
    ("before", "after", "name"),
    [
        (" == 0\n", " == 1\n", "KubeVirtTargetDown"),
        (", component=\"virt-operator\"} == 1)", ", component=\"virt-operator\"})", "KubeVirtOperatorDown"),
        ("max(kubevirt_configuration", "count(kubevirt_configuration", "L1vhEmulationAllowed"),
        ("sum(increase(kubevirt_hyperv", "sum(max_over_time(kubevirt_hyperv", "L1vhDeviceErrors"),
        (" unless on () ", " and on () ", "L1vhFallbackSuspected"),
        ("kubevirt_vmi_info{phase=\"Running\"}", "kubevirt_vmi_info", "L1vhFallbackSuspected"),
        ("p95 > 30", "p95 > 29", "VmStartupSlow"),
        ("p95 > 30", "p95 > 40", "VmStartupSlow"),
        ("for: 15m", "for: 5m", "L1vhFallbackSuspected"),
    ],
)  # fmt: skip
def test_a_rule_that_is_changed_fails_the_unit_tests(before: str, after: str, name: str, tmp_path: Path) -> None:
    assert before in FULL

    answer = tried(FULL.replace(before, after), tmp_path)

    assert answer.returncode == 1
    assert name in answer.stdout + answer.stderr


@pytest.mark.parametrize(
    ("gate", "expected"),
    [(Gate.OFF, ALWAYS), (Gate.CONFIGURABLE_HYPERVISOR, ON_ANY_GATE), (Gate.HYPERV_L1VH, ON_THE_FORK)],
)
def test_alerts_follow_the_gate_and_the_metrics_that_it_brings(gate: Gate, expected: list[str]) -> None:
    assert alerts(rules(gate)) == expected
    assert alerts(rules(gate, LIMIT)) == [*expected, "VmStartupSlow"]


def test_every_alert_says_what_is_wrong_and_what_to_do() -> None:
    for rule in rules_of(FULL):
        if "alert" in rule:
            assert rule["labels"]["severity"] in ("warning", "critical")
            assert rule["annotations"]["summary"]
            assert rule["annotations"]["fix"]


def test_rules_use_metrics_of_the_table_only() -> None:
    known = {name for metric in METRICS for name in series(metric)} | {item.name for item in RECORDINGS}

    used = {name for rule in rules_of(FULL) for name in NAME.findall(rule["expr"])}

    assert used <= known
    assert {name for name in used if "l1vh" in name}
