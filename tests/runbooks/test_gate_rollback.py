"""The rollback of the gate, followed: an update in place, in a cluster whose nodes need not be well."""

from pathlib import Path

import pytest

from tests.runbooks.follower import following
from tests.runbooks.reader import command
from virtci.core.environments import Environment, Gate
from virtci.settings.load import from_file

pytestmark = [pytest.mark.engine, pytest.mark.cluster]


def test_the_gate_is_rolled_back_as_the_runbook_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with following("gate-rollback", tmp_path, monkeypatch) as follower:
        follower.export([f"KUBECONFIG={follower.project}/kubeconfig"])
        for before in (
            "virtci kubeconfig dev --to kubeconfig",
            "virtci readiness dev",
            "pulumi up --stack dev-kubevirt --yes",
        ):
            follower.run(command(before))
        assert follower.status()["gate"] == "good: HyperVL1VH"

        follower.follow("step 1")
        in_the_cluster = follower.follow("step 2")
        between = follower.status()["gate"]
        for_the_pipelines = follower.follow("step 3")
        checked = follower.follow("How to check")
        after = follower.status()

    assert "~ 2 to update" in in_the_cluster[1].output
    assert "kubevirt.io/v1:KubeVirt" in in_the_cluster[1].output
    assert "~ 2 updated" in in_the_cluster[2].output
    assert between == "attention: off, declared HyperVL1VH: gate off, stock KubeVirt"
    assert "~ 1 updated" in for_the_pipelines[1].output or "- 1 deleted" in for_the_pipelines[1].output
    assert after["gate"] == "good: off"
    assert "HyperVL1VH" not in checked[1].output
    project = tmp_path / "run" / "project"
    cluster = from_file(project / "Pulumi.dev-kubevirt.yaml", rehearsal=True).kubevirt
    assert cluster is not None
    assert cluster.gate is Gate.OFF
    assert from_file(project / "Pulumi.dev.yaml", rehearsal=True).environments[Environment.DEV].gate is Gate.OFF
