"""Kubernetes versions of clusters and pools: the control plane first, one minor version at a time, never back."""

import pytest

from tests.rehearsal.azure.simulated import Cloud, refused


@pytest.fixture
def cluster(cloud: Cloud) -> Cloud:
    cloud.group()
    cloud.cluster(kubernetesVersion="1.34", agentPoolProfiles=[cloud.pool()])
    return cloud


def upgrade(cloud: Cloud, version: str) -> None:
    cluster = next(cloud.manager.store.of_type("Microsoft.ContainerService/managedClusters"))
    cloud.update("containerservice:ManagedCluster", cluster.id, **cloud.cluster_inputs(kubernetesVersion=version))


def upgrade_pool(cloud: Cloud, version: str) -> None:
    cluster = next(cloud.manager.store.of_type("Microsoft.ContainerService/managedClusters"))
    inputs = {
        "resourceName": "aks",
        "agentPoolName": "system",
        "mode": "System",
        "count": 1,
        "vmSize": "Standard_D2s_v5",
    }
    cloud.update("containerservice:AgentPool", f"{cluster.id}/agentPools/system", **inputs, orchestratorVersion=version)


def pool_version(cloud: Cloud) -> str:
    pool = next(cloud.manager.store.of_type("Microsoft.ContainerService/managedClusters/agentPools"))
    return str(pool.properties["currentOrchestratorVersion"])


@pytest.mark.parametrize("version", ["1.36", "1.33", "2.35"])
def test_a_control_plane_takes_the_next_minor_version_only(cluster: Cloud, version: str) -> None:
    with refused() as refusal:
        upgrade(cluster, version)
    assert refusal.said == (400, "OperationNotAllowed")
    assert "from 1.34 to" in refusal.error.message


def test_pools_stay_where_they_are_until_they_are_upgraded_themselves(cluster: Cloud) -> None:
    upgrade(cluster, "1.35")
    assert pool_version(cluster) == "1.34"

    upgrade_pool(cluster, "1.35")
    assert pool_version(cluster) == "1.35"


def test_a_pool_is_never_newer_than_its_control_plane(cluster: Cloud) -> None:
    with refused() as refusal:
        upgrade_pool(cluster, "1.35")
    assert refusal.said == (400, "NodePoolMcVersionIncompatible")
