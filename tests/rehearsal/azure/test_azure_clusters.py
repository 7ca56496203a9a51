"""AKS clusters and their node pools."""

import base64
import threading

import pytest
import yaml

from tests.rehearsal.azure.simulated import GROUP, SUBSCRIPTION, Cloud, refused, until
from virtci.rehearsal.bridge import Values
from virtci.rehearsal.journal import CloudError

CLUSTER = f"{GROUP}/providers/Microsoft.ContainerService/managedClusters/aks"
INVALID = (400, "InvalidParameter")


@pytest.fixture
def grouped(cloud: Cloud) -> Cloud:
    cloud.group()
    return cloud


def pool(cloud: Cloud, name: str = "kvm", **more: object) -> tuple[str, Values]:
    inputs: Values = {"mode": "User", "count": 1, "vmSize": "Standard_D2s_v5"}
    return cloud.create("containerservice:AgentPool", resourceName="aks", agentPoolName=name, **(inputs | more))


def test_a_cluster_says_all_that_a_program_needs(grouped: Cloud) -> None:
    _, outputs = grouped.cluster(oidcIssuerProfile={"enabled": True}, kubernetesVersion="1.33.5")
    assert outputs["fqdn"].endswith(".hcp.westus.azmk8s.io")
    assert outputs["currentKubernetesVersion"] == "1.33.5"
    assert outputs["nodeResourceGroup"] == "MC_rg_aks_westus"
    assert outputs["powerState"] == {"code": "Running"}
    assert outputs["oidcIssuerProfile"]["issuerURL"].startswith("https://")
    assert outputs["identity"]["principalId"]
    assert [item["name"] for item in outputs["agentPoolProfiles"]] == ["system"]


def test_a_private_cluster_has_a_private_name(grouped: Cloud) -> None:
    _, outputs = grouped.cluster(apiServerAccessProfile={"enablePrivateCluster": True})
    assert ".privatelink.westus.azmk8s.io" in outputs["privateFQDN"]


def test_the_kubelet_has_an_identity_in_the_group_of_the_nodes(grouped: Cloud) -> None:
    _, outputs = grouped.cluster()
    kubelet = outputs["identityProfile"]["kubeletidentity"]
    identity = grouped.get(kubelet["resourceId"])["properties"]
    assert identity["principalId"] == kubelet["objectId"]
    assert "/resourceGroups/MC_rg_aks_westus/" in kubelet["resourceId"]


def test_the_group_of_the_nodes_goes_with_the_cluster(grouped: Cloud) -> None:
    made, _ = grouped.cluster()
    nodes = f"{SUBSCRIPTION}/resourceGroups/MC_rg_aks_westus"
    assert grouped.exists(nodes)
    grouped.delete(made)
    assert not grouped.exists(nodes)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"dnsPrefix": None}, "dnsPrefix"),
        ({"identity": None}, "identity"),
        ({"agentPoolProfiles": []}, "mode 'System'"),
        ({"agentPoolProfiles": [{"name": "a", "mode": "User", "vmSize": "Standard_D2s_v5"}]}, "mode 'System'"),
        ({"agentPoolProfiles": [{"name": "System", "mode": "System", "vmSize": "Standard_D2s_v5"}]}, "agent pool name"),
        ({"agentPoolProfiles": [{"name": "a", "mode": "System"}]}, "vmSize"),
    ],
)
def test_a_cluster_that_lacks_something_is_refused(grouped: Cloud, change: Values, text: str) -> None:
    with refused() as refusal:
        grouped.cluster(**change)
    assert refusal.said == INVALID
    assert text in refusal.error.message


def test_a_pool_name_is_used_once(grouped: Cloud) -> None:
    with refused() as refusal:
        grouped.cluster(agentPoolProfiles=[grouped.pool(), grouped.pool()])
    assert refusal.said == INVALID


@pytest.mark.parametrize("change", [{"dnsPrefix": "other"}, {"networkProfile": {"networkPlugin": "azure"}}])
def test_what_is_fixed_at_creation_makes_an_update_fail(grouped: Cloud, change: Values) -> None:
    made, _ = grouped.cluster()
    with refused() as refusal:
        grouped.update("containerservice:ManagedCluster", made, **grouped.cluster_inputs(**change))
    assert refusal.said == (400, "PropertyChangeNotAllowed")


def test_tags_of_a_cluster_can_change(grouped: Cloud) -> None:
    made, before = grouped.cluster()
    after = grouped.update("containerservice:ManagedCluster", made, **grouped.cluster_inputs(tags={"a": "b"}))
    assert after["tags"] == {"a": "b"}
    assert after["identityProfile"] == before["identityProfile"]


def test_a_kubeconfig_holds_no_credential(grouped: Cloud) -> None:
    grouped.cluster()
    found = grouped.provider.invoke(
        "azure-native:containerservice:listManagedClusterUserCredentials",
        {"resourceGroupName": "rg", "resourceName": "aks"},
    )
    config = yaml.safe_load(base64.b64decode(found["kubeconfigs"][0]["value"]))
    assert list(config["users"][0]["user"]) == ["exec"]
    assert config["clusters"][0]["cluster"]["server"].startswith("https://aks-")


def test_the_credentials_of_a_cluster_that_is_not_there_are_refused(grouped: Cloud) -> None:
    with refused() as refusal:
        grouped.provider.invoke(
            "azure-native:containerservice:listManagedClusterUserCredentials",
            {"resourceGroupName": "rg", "resourceName": "aks"},
        )
    assert refusal.said == (404, "ResourceNotFound")


def test_a_separate_pool_shows_in_its_cluster(grouped: Cloud) -> None:
    grouped.cluster()
    _, outputs = pool(grouped)
    assert outputs["orchestratorVersion"]
    names = [item["name"] for item in grouped.get(CLUSTER)["properties"]["agentPoolProfiles"]]
    assert names == ["system", "kvm"]


def test_an_update_of_the_cluster_leaves_separate_pools_alone(grouped: Cloud) -> None:
    made, _ = grouped.cluster()
    separate, _ = pool(grouped)
    grouped.update("containerservice:ManagedCluster", made, **grouped.cluster_inputs())
    assert grouped.exists(separate)


def test_a_pool_needs_its_cluster(grouped: Cloud) -> None:
    with refused() as refusal:
        pool(grouped)
    assert refusal.said == (404, "ParentResourceNotFound")


@pytest.mark.parametrize("name", ["KVM", "1kvm", "kvm-nodes", "thirteenchars"])
def test_a_pool_name_that_breaks_the_rule_is_refused(grouped: Cloud, name: str) -> None:
    grouped.cluster()
    with refused() as refusal:
        pool(grouped, name)
    assert refusal.said == INVALID


@pytest.mark.parametrize(
    ("counts", "text"),
    [
        ({"minCount": 0}, "enableAutoScaling is not set"),
        ({"count": -1}, "between 0 and 1000"),
        ({"enableAutoScaling": True}, "needs minCount and maxCount"),
        ({"enableAutoScaling": True, "minCount": 3, "maxCount": 2}, "in that order"),
        ({"enableAutoScaling": True, "minCount": 0, "maxCount": 2, "mode": "System"}, "between 1"),
        ({"enableAutoScaling": True, "minCount": 2, "maxCount": 3, "count": 1}, "is not between minCount"),
    ],
)
def test_node_counts_must_make_sense(grouped: Cloud, counts: Values, text: str) -> None:
    grouped.cluster()
    with refused() as refusal:
        pool(grouped, **counts)
    assert refusal.said == INVALID
    assert text in refusal.error.message


def test_a_user_pool_may_scale_to_nothing(grouped: Cloud) -> None:
    grouped.cluster()
    _, outputs = pool(grouped, enableAutoScaling=True, minCount=0, maxCount=3, count=0)
    assert outputs["count"] == 0


def test_a_pool_cannot_change_its_size_in_place(grouped: Cloud) -> None:
    grouped.cluster()
    made, _ = pool(grouped)
    inputs = {"resourceName": "aks", "agentPoolName": "kvm", "mode": "User", "count": 1}
    with refused() as refusal:
        grouped.update("containerservice:AgentPool", made, vmSize="Standard_D4s_v5", **inputs)
    assert refusal.said == (400, "PropertyChangeNotAllowed")


def test_the_last_system_pool_stays(grouped: Cloud) -> None:
    grouped.cluster()
    with refused() as refusal:
        grouped.delete(f"{CLUSTER}/agentPools/system")
    assert refusal.said == INVALID


def test_an_inline_change_of_a_pool_keeps_the_whole_cluster_busy(grouped: Cloud) -> None:
    """The reason why pools that change belong in resources of their own."""
    made, _ = grouped.cluster()
    larger = grouped.cluster_inputs(agentPoolProfiles=[grouped.pool(count=2)])
    refusals: list[CloudError] = []

    def add_pool() -> None:
        try:
            pool(grouped)
        except CloudError as error:
            refusals.append(error)

    def scale() -> None:
        grouped.update("containerservice:ManagedCluster", made, **larger)

    scaling, adding = threading.Thread(target=scale), threading.Thread(target=add_pool)
    with grouped.clock.operation():  # time stands still while the cluster scales
        scaling.start()
        until(lambda: grouped.get(made)["properties"]["provisioningState"] == "Scaling")
        adding.start()
        adding.join()
    scaling.join()
    assert [(error.status, error.code) for error in refusals] == [(409, "OperationNotAllowed")]
    assert "(Scaling)" in refusals[0].message
