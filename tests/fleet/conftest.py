"""The simulated fleet, without a cluster and with a real one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fleet.simulated_fleet import SimulatedFleet, simulated_fleet
from virtci.fleet.clouds import kubernetes
from virtci.rehearsal import clock
from virtci.rehearsal.kubernetes.server import Cluster, ControlPlane, Node, clusters

NODE = Node("dev-node", kernel="6.6.135.mshv2-1.azl3", memory_mib=32_094, cpus=8)


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SimulatedFleet]:
    """Clouds only: the machine never published a kubeconfig."""
    monkeypatch.setattr(clock, "QUIET_SECONDS", 0.0005)
    with simulated_fleet(tmp_path) as found:
        yield found


@pytest.fixture(scope="session")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """One cluster for all tests, with what the machine makes in its own."""
    with clusters([Cluster("dev", (NODE,))], tmp_path_factory.mktemp("clusters")) as found:
        prepare(found["dev"])
        yield found["dev"]


def prepare(plane: ControlPlane) -> None:
    """The account behind the published kubeconfig."""
    from kubernetes.client import CoreV1Api, RbacAuthorizationV1Api

    with kubernetes(plane.kubeconfig) as api:
        core = CoreV1Api(api)
        core.create_namespace({"metadata": {"name": "virt-ci"}})
        core.create_namespaced_service_account("virt-ci", {"metadata": {"name": "deployer"}})
        binding = {
            "metadata": {"name": "virt-ci-deployer"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [{"kind": "ServiceAccount", "name": "deployer", "namespace": "virt-ci"}],
        }
        RbacAuthorizationV1Api(api).create_cluster_role_binding(binding)


@pytest.fixture
def awake(tmp_path: Path, plane: ControlPlane, monkeypatch: pytest.MonkeyPatch) -> Iterator[SimulatedFleet]:
    """The same with the cluster behind `dev`: the machine is ready and has published its kubeconfig."""
    monkeypatch.setattr(clock, "QUIET_SECONDS", 0.0005)
    with simulated_fleet(tmp_path, plane) as found:
        found.tell("ready", "boot-1")
        found.publish()
        yield found
        clean(plane)


def clean(plane: ControlPlane) -> None:
    """What tests leave behind in the one cluster."""
    from kubernetes.client import CoordinationV1Api, CoreV1Api

    with kubernetes(plane.kubeconfig) as api:
        for name in ("last-test", "readiness", "rotation"):
            CoreV1Api(api).delete_collection_namespaced_config_map("virt-ci", field_selector=f"metadata.name={name}")
        CoreV1Api(api).delete_collection_namespaced_secret("virt-ci")
        CoordinationV1Api(api).delete_collection_namespaced_lease("virt-ci")
