"""vCPU quota: two levels, and everything that exists counts."""

from typing import Any

from tests.rehearsal.azure.simulated import GROUP, SUBSCRIPTION, Cloud, build, default_scenario, refused

D4 = {"vmSize": "Standard_D4s_v5"}
F8 = {"vmSize": "Standard_F8s_v2"}


def usage(cloud: Cloud, name: str) -> Any:
    found = cloud.get(f"{SUBSCRIPTION}/providers/Microsoft.Compute/locations/westus/usages")["value"]
    return next(row["currentValue"] for row in found if row["name"]["value"] == name)


def test_the_family_limit_holds_to_the_core(cloud: Cloud) -> None:
    cloud.machine("one", hardwareProfile=D4)
    cloud.machine("two", hardwareProfile=D4)
    with refused() as refusal:
        cloud.machine("three")
    assert refusal.said == (409, "OperationNotAllowed")
    assert (
        "exceeding approved standardDSv5Family Cores quota. Additional details - Deployment Model: Resource Manager, "
        "Location: westus, Current Limit: 8, Current Usage: 8, Additional Required: 2, (Minimum) New Limit Required: 10."
    ) in refusal.error.message


def test_the_regional_limit_holds_over_families(cloud: Cloud) -> None:
    cloud.machine("one", hardwareProfile=F8)
    cloud.machine("two", hardwareProfile=D4)
    with refused() as refusal:
        cloud.machine("three", hardwareProfile=F8)
    assert "Total Regional Cores" in refusal.error.message


def test_a_deallocated_machine_still_counts(cloud: Cloud) -> None:
    made, _ = cloud.machine(hardwareProfile=D4)
    cloud.request("POST", f"{made}/deallocate")
    assert usage(cloud, "standardDSv5Family") == 4


def test_a_deleted_machine_does_not(cloud: Cloud) -> None:
    made, _ = cloud.machine(hardwareProfile=D4)
    cloud.delete(made)
    assert (usage(cloud, "standardDSv5Family"), usage(cloud, "cores")) == (0, 0)


def test_spot_machines_have_a_quota_of_their_own(cloud: Cloud) -> None:
    cloud.machine("one", hardwareProfile=D4, priority="Spot")
    assert (usage(cloud, "lowPriorityCores"), usage(cloud, "cores")) == (4, 0)
    with refused() as refusal:
        cloud.machine("two", priority="Spot")
    assert "LowPriorityCores" in refusal.error.message


def test_resizing_counts_the_new_size_once(cloud: Cloud) -> None:
    made, _ = cloud.machine(hardwareProfile=D4)
    inputs = cloud.machine_inputs(nic=f"{GROUP}/providers/Microsoft.Network/networkInterfaces/vm-nic")
    cloud.update("compute:VirtualMachine", made, **inputs | {"hardwareProfile": {"vmSize": "Standard_D8s_v5"}})
    assert usage(cloud, "standardDSv5Family") == 8


def test_family_names_are_compared_in_any_case() -> None:
    cloud = build(default_scenario(limits={"WestUS": {"STANDARDDSV5FAMILY": 2}}))
    cloud.machine("one")
    with refused() as refusal:
        cloud.machine("two")
    assert refusal.said == (409, "OperationNotAllowed")


def test_node_pools_count_their_nodes(cloud: Cloud) -> None:
    cloud.group()
    cloud.cluster(agentPoolProfiles=[cloud.pool(count=3)])
    assert (usage(cloud, "standardDSv5Family"), usage(cloud, "cores")) == (6, 6)


def test_a_cluster_over_the_limit_is_refused_in_the_words_of_aks(cloud: Cloud) -> None:
    cloud.group()
    with refused() as refusal:
        cloud.cluster(agentPoolProfiles=[cloud.pool(count=5)])
    assert refusal.said == (400, "ErrCode_InsufficientVCPUQuota")


def test_a_limit_that_nobody_named_is_not_enforced() -> None:
    cloud = build(default_scenario(limits={}))
    assert cloud.machine(hardwareProfile={"vmSize": "Standard_D64s_v5"})


def test_the_sizes_of_a_region_can_be_listed(cloud: Cloud) -> None:
    found = cloud.get(f"{SUBSCRIPTION}/providers/Microsoft.Compute/skus")["value"]
    sku = next(item for item in found if item["name"] == "Standard_D8s_v5" and item["locations"] == ["westus"])
    assert sku["family"] == "standardDSv5Family"
    assert {"name": "vCPUs", "value": "8"} in sku["capabilities"]
