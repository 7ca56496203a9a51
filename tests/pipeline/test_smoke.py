"""One virtual machine through its life: what is asked of the cluster, and what is said when it does not answer."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from virtci.core.problems import Refusal
from virtci.fleet.cluster_api import ClusterApi, ClusterError
from virtci.fleet.smoke import machine, smoke

NAME = "smoke-17-1"


class PlayedCluster(ClusterApi):
    """A cluster in which somebody plays KubeVirt: a machine gets the state that follows from its strategy."""

    def __init__(self, states: Mapping[str, str]) -> None:
        self.states = states
        self.live: dict[str, Any] | None = None
        self.strategies: list[str] = []
        self.stays = False
        self.refuses: ClusterError | None = None

    def get(self, *_: str) -> dict[str, Any] | None:
        return self.live

    def apply(self, manifest: Mapping[str, Any], *_: Any, **__: Any) -> dict[str, Any]:
        if self.refuses:
            raise self.refuses
        strategy = manifest["spec"]["runStrategy"]
        self.strategies.append(strategy)
        status = {"printableStatus": self.states[strategy], "conditions": [{"message": "no node has the device"}]}
        self.live = {**manifest, "status": status}
        return self.live

    def delete(self, *_: Any) -> None:
        self.strategies.append("deleted")
        if not self.stays:
            self.live = None

    def wait(self, look: Callable[[], bool], seconds: float) -> bool:
        return seconds > 0 and look()


def test_a_machine_runs_stops_and_goes() -> None:
    cluster = PlayedCluster({"Always": "Running", "Halted": "Stopped"})
    said: list[str] = []

    smoke(cluster, NAME, said.append)

    assert cluster.strategies == ["Always", "Halted", "deleted"]
    assert said == [f"{NAME}: Running", f"{NAME}: Stopped"]
    assert cluster.live is None


def test_a_machine_that_does_not_start_is_named_with_what_it_says_and_deleted() -> None:
    cluster = PlayedCluster({"Always": "ErrorUnschedulable", "Halted": "Stopped"})

    with pytest.raises(Refusal, match="is Running within 300 seconds") as refusal:
        smoke(cluster, NAME, lambda _: None)

    assert refusal.value.consequence == "it is ErrorUnschedulable: no node has the device"
    assert cluster.live is None


def test_a_machine_that_does_not_stop_is_deleted_all_the_same() -> None:
    cluster = PlayedCluster({"Always": "Running", "Halted": "Stopping"})

    with pytest.raises(Refusal, match="is Stopped"):
        smoke(cluster, NAME, lambda _: None)

    assert cluster.live is None


def test_a_machine_that_does_not_go_is_named() -> None:
    cluster = PlayedCluster({"Always": "Running", "Halted": "Stopped"})
    cluster.stays = True

    with pytest.raises(Refusal, match="is gone"):
        smoke(cluster, NAME, lambda _: None)


def test_a_cluster_without_kubevirt_is_named_with_the_fix() -> None:
    cluster = PlayedCluster({})
    cluster.refuses = ClusterError(404, "NoMatch", "no matches for kind VirtualMachine")

    with pytest.raises(Refusal, match="takes a virtual machine") as refusal:
        smoke(cluster, NAME, lambda _: None)

    assert "no matches for kind VirtualMachine" in refusal.value.consequence


def test_the_machine_needs_no_image() -> None:
    assert machine(NAME, "Always")["spec"]["template"]["spec"]["domain"]["devices"] == {}
