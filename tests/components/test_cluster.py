"""The cluster: no public API, Entra identities only, workers that may go to nothing."""

from tests.committed import fleet

CLUSTER = fleet("test").one("azure-native:containerservice:ManagedCluster")
WORKERS = fleet("test").one("azure-native:containerservice:AgentPool")
SYSTEM = CLUSTER.inputs["agentPoolProfiles"][0]


def test_the_api_has_no_public_address_and_no_remote_commands() -> None:
    access = CLUSTER.inputs["apiServerAccessProfile"]

    assert access["enablePrivateCluster"] is True
    assert access["enablePrivateClusterPublicFQDN"] is False
    assert access["disableRunCommand"] is True


def test_only_entra_identities_log_in_and_azure_decides_what_they_may() -> None:
    assert CLUSTER.inputs["disableLocalAccounts"] is True
    assert CLUSTER.inputs["enableRBAC"] is True
    assert CLUSTER.inputs["aadProfile"]["managed"] is True
    assert CLUSTER.inputs["aadProfile"]["enableAzureRBAC"] is True


def test_the_cluster_has_a_managed_identity_that_may_use_its_subnet() -> None:
    grant = fleet("test").one("azure-native:authorization:RoleAssignment", "test-kvm-join-subnet").inputs

    assert CLUSTER.inputs["identity"]["type"] == "UserAssigned"
    assert grant["scope"].endswith("/subnets/test-kvm")


def test_pods_are_kept_apart_by_network_policy_on_azure_cni() -> None:
    profile = CLUSTER.inputs["networkProfile"]

    assert profile["networkPlugin"] == "azure"
    assert profile["networkPolicy"] == "calico"
    assert profile["outboundType"] == "userAssignedNATGateway"


def test_node_images_are_kept_fresh() -> None:
    assert CLUSTER.inputs["autoUpgradeProfile"]["nodeOSUpgradeChannel"] == "NodeImage"


def test_workers_scale_from_nothing_and_their_count_is_the_autoscalers() -> None:
    assert WORKERS.inputs["enableAutoScaling"] is True
    assert (WORKERS.inputs["minCount"], WORKERS.inputs["maxCount"]) == (0, 2)
    assert WORKERS.ignore_changes == ("count", "orchestratorVersion", "powerState")


def test_the_pools_inside_the_cluster_are_left_alone_after_creation() -> None:
    assert CLUSTER.ignore_changes == ("agentPoolProfiles",)
    assert SYSTEM["mode"] == "System"


def test_system_nodes_carry_no_workload() -> None:
    assert SYSTEM["nodeTaints"] == ["CriticalAddonsOnly=true:NoSchedule"]


def test_no_node_has_a_public_address() -> None:
    assert [pool["enableNodePublicIP"] for pool in (SYSTEM, WORKERS.inputs)] == [False, False]


def test_a_pool_uses_the_local_disk_where_its_size_has_one() -> None:
    assert (SYSTEM["osDiskType"], WORKERS.inputs["osDiskType"]) == ("Ephemeral", "Managed")


def test_the_kubeconfig_in_the_vault_is_a_secret() -> None:
    assert fleet("test").one("azure-native:keyvault:Secret", "test-kvm-kubeconfig").is_secret("properties.value")


def test_the_control_planes_logs_are_kept() -> None:
    logs = fleet("test").one("azure-native:monitor:DiagnosticSetting", "test-kvm-cluster-logs").inputs["logs"]

    assert {log["category"] for log in logs} >= {"kube-apiserver", "kube-audit-admin", "guard"}
