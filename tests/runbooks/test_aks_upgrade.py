"""The upgrade of the cluster, followed: woken first, the control plane before the pools, and no drift afterwards."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.runbooks.follower import Follower, following

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


@pytest.fixture
def _somebody_logs_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cluster behind the managed cluster is nobody's here; what is followed is the platform's side."""
    which = shutil.which
    monkeypatch.setattr("shutil.which", lambda name, *more: name if name == "kubelogin" else which(name, *more))
    monkeypatch.setattr("virtci.fleet.power.answers", lambda _: "v1.34.0")
    monkeypatch.setattr("virtci.fleet.power.lease.held", lambda *_: None)
    assert tmp_path.exists()


@pytest.mark.usefixtures("_somebody_logs_in")
def test_the_cluster_is_upgraded_as_the_runbook_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stacks = ("hub", "test")
    with following("aks-upgrade", tmp_path, monkeypatch, stacks, stacks, {"test": only_the_cluster}) as follower:
        follower.virtci(["park", "test-kvm", "--force"])
        before = versions(follower)

        follower.follow("step 1")
        control_plane = follower.follow("step 2")
        between = versions(follower)
        follower.follow("step 3")
        follower.follow("step 4")
        follower.follow("How to check")
        follower.pulumi(["refresh", "--stack", "test", "--yes", "--skip-preview"])
        drift = follower.pulumi(["preview", "--stack", "test", "--expect-no-changes"])

    assert set(before.values()) == {"1.34"}
    assert "~ 1 to update" in control_plane[1].output
    assert between == {"control plane": "1.35", "agentpool": "1.34", "workers": "1.34"}
    assert set(versions(follower).values()) == {"1.35"}
    assert drift[0] == 0, drift[1]


@pytest.mark.usefixtures("_somebody_logs_in")
def test_the_pools_cannot_go_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from azure.core.exceptions import HttpResponseError

    stacks = ("hub", "test")
    with following("aks-upgrade", tmp_path, monkeypatch, stacks, stacks, {"test": only_the_cluster}) as follower:
        with pytest.raises(HttpResponseError, match="NodePoolMcVersionIncompatible"):
            follower.follow("step 3")
        follower.virtci(["park", "test-kvm", "--force"])
        follower.pulumi(["config", "set", "--stack", "test", "--path",
                         "virt-ci:environments.test-kvm.cluster.kubernetesVersion", "1.35"])  # fmt: skip
        code, output = follower.pulumi(["up", "--stack", "test", "--yes"])

    assert code != 0
    assert "is stopped; start it first" in output
