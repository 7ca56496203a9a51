"""The scrape configuration, in the eyes of the real promtool."""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.real_programs import run
from virtci.core.environments import ROWS, Environment, Gate
from virtci.monitoring.rules import rules
from virtci.monitoring.scrape import scrape_config

GOLDEN = Path(__file__).parent / "golden" / "prometheus.dev.yml"


def written(folder: Path, environment: Environment) -> Path:
    """The configuration of an environment with its rules beside it."""
    (folder / "rules.yaml").write_text(rules(Gate.HYPERV_L1VH))
    path = folder / "prometheus.yml"
    path.write_text(scrape_config(environment, ROWS[environment].hypervisor, str(folder / "rules.yaml")))
    return path


def parsed(environment: Environment) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(scrape_config(environment, ROWS[environment].hypervisor))
    return content


def test_configuration_is_the_reviewed_one() -> None:
    text = scrape_config(Environment.DEV, ROWS[Environment.DEV].hypervisor)
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_text(text)

    assert text == GOLDEN.read_text()


@pytest.mark.program("promtool")
@pytest.mark.parametrize("environment", list(Environment))
def test_promtool_takes_the_configuration_with_its_rules(environment: Environment, tmp_path: Path) -> None:
    answer = run("promtool", "check", "config", "--lint=all", "--lint-fatal", str(written(tmp_path, environment)))

    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "1 rule files found" in answer.stdout


@pytest.mark.program("promtool")
def test_promtool_refuses_a_configuration_whose_rules_are_not_there(tmp_path: Path) -> None:
    path = written(tmp_path, Environment.DEV)
    (tmp_path / "rules.yaml").unlink()

    assert run("promtool", "check", "config", str(path)).returncode == 1


@pytest.mark.parametrize("environment", list(Environment))
def test_everything_says_where_it_was_measured(environment: Environment) -> None:
    assert parsed(environment)["global"]["external_labels"] == {
        "environment": environment.value,
        "hypervisor": ROWS[environment].hypervisor.value,
    }


def test_only_pods_that_kubevirt_marks_are_scraped_and_only_in_its_namespace() -> None:
    (job,) = parsed(Environment.DEV)["scrape_configs"]
    kept = {item["source_labels"][0]: item["regex"] for item in job["relabel_configs"] if item["action"] == "keep"}

    assert job["kubernetes_sd_configs"] == [{"role": "pod", "namespaces": {"names": ["kubevirt"]}}]
    assert kept == {
        "__meta_kubernetes_pod_label_prometheus_kubevirt_io": "true",
        "__meta_kubernetes_pod_container_port_name": "metrics",
    }
