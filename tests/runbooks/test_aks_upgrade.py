"""The upgrade of the cluster, followed: woken first, the control plane before the pools, and no drift afterwards."""

from pathlib import Path
from typing import Any

import pytest

from tests.runbooks.follower import Follower, following
from tests.runbooks.reader import RUNBOOKS, command, commands

pytestmark = pytest.mark.engine

CLUSTER = "kubevirt-e2e-tests-aks"


def only_the_cluster(config: dict[str, Any]) -> None:
    environments = config["virt-ci:environments"]
    config["virt-ci:environments"] = {"test-kvm": environments["test-kvm"]}


def versions(follower: Follower) -> dict[str, str]:
    clusters = follower.fleet.clouds.clusters
    found = {"control plane": clusters.managed_clusters.get("kubevirt-rg", CLUSTER).kubernetes_version}
    pools = clusters.agent_pools.list("kubevirt-rg", CLUSTER)
    return found | {pool.name: pool.current_orchestrator_version for pool in pools}


@pytest.mark.cluster
def test_the_cluster_is_upgraded_as_the_runbook_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stacks, deployed = ("hub", "test", "test-kvm-kubevirt"), ("hub", "test")
    with following("aks-upgrade", tmp_path, monkeypatch, stacks, deployed, {"test": only_the_cluster}) as follower:
        plane = follower.stage.world.clusters["test-kvm-kubevirt"]
        declared = follower.fleet.owner.get_secret("test-kvm-kubeconfig").properties
        follower.fleet.owner.set_secret(
            "test-kvm-kubeconfig", plane.kubeconfig, tags=declared.tags, content_type=declared.content_type
        )
        follower.export([f"KUBECONFIG={follower.project}/kubeconfig"])
        for first in ("virtci kubeconfig test-kvm --to kubeconfig", "virtci readiness test-kvm",
                      "pulumi up --stack test-kvm-kubevirt --yes", "virtci park test-kvm"):  # fmt: skip
            follower.run(command(first))
        before = versions(follower)

        woken = follower.follow("step 1")
        control_plane = follower.follow("step 2")
        between = versions(follower)
        follower.follow("step 3")
        after = versions(follower)
        parked = follower.follow("step 4")
        follower.follow("How to check")
        follower.pulumi(["refresh", "--stack", "test", "--yes", "--skip-preview"])
        drift = follower.pulumi(["preview", "--stack", "test", "--expect-no-changes"])

    assert set(before.values()) == {"1.34"}
    assert "woken=true" in woken[0].output
    assert "~ 1 to update" in control_plane[1].output
    assert between == {"control plane": "1.35", "agentpool": "1.34", "workers": "1.34"}
    assert set(after.values()) == {"1.35"}
    assert "parked=true" in parked[0].output
    assert drift[0] == 0, drift[1]


def test_neither_the_pools_nor_a_sleeping_cluster_can_go_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from azure.core.exceptions import HttpResponseError

    stacks = ("hub", "test")
    with following("aks-upgrade", tmp_path, monkeypatch, stacks, stacks, {"test": only_the_cluster}) as follower:
        with pytest.raises(HttpResponseError, match="NodePoolMcVersionIncompatible"):
            follower.follow("step 3")
        follower.virtci(["park", "test-kvm", "--force"])
        change, preview, update = commands(RUNBOOKS / "aks-upgrade.md")["step 2"]
        follower.run(change)
        follower.run(preview)
        code, output = follower.pulumi(list(update.words[1:]))

    assert code != 0
    assert "is stopped; start it first" in output
