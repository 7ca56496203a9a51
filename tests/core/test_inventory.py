"""What declared resources need and cost: what is not known is said, never taken for nothing."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.fleets import DEV, HUB, TEST, cluster, machine, pool, profile
from virtci.core.inventory import (
    CLUSTER,
    DISK,
    FREE,
    MACHINE,
    POOL,
    PRICED,
    UNKNOWN,
    USAGE_BILLED,
    Resource,
    UndeterminedError,
    bill,
    demands,
    lifetime_of,
    plain_kind,
)
from virtci.core.lifetimes import Lifetime
from virtci.core.problems import Refusal

SYSTEM = profile("agentpool", "Standard_D4ds_v5", 2)


def needed(fleet: list[Resource]) -> dict[str, int]:
    return {demand.what: demand.vcpus for demand in demands(fleet)}


def changed(resource: Resource, path: str, value: Any) -> Resource:
    """The resource with another value at a dotted path; `None` removes the key."""

    def put(node: Any, keys: list[str]) -> Any:
        if not keys:
            return value
        if isinstance(node, list):
            index = int(keys[0])
            return [*node[:index], put(node[index], keys[1:]), *node[index + 1 :]]
        rest = {key: item for key, item in node.items() if key != keys[0]}
        return rest if keys[1:] == [] and value is None else {**rest, keys[0]: put(node.get(keys[0], {}), keys[1:])}

    return replace(resource, properties=put(resource.properties, path.split(".")))


def test_fleets_need_what_their_sizes_say() -> None:
    assert needed(HUB) == {"runner-1": 4, "runner-2": 4, "runner-3": 4}
    assert needed(DEV) == {"dev": 8}
    # system pool 2 + 1 extra node of 4, workers 2 + 1 extra of 8
    assert needed(TEST) == {"test-mshv": 8, "test-emulation": 64, "aks": 12, "workers": 24}


def test_pool_that_is_declared_twice_counts_once() -> None:
    worker = profile("workers", "Standard_D8s_v5", 1)
    fleet = [cluster("aks", SYSTEM, worker), pool("workers", "aks", "Standard_D8s_v5", 1)]
    assert needed(fleet) == {"aks": 12, "workers": 16}


def test_pool_is_in_the_region_of_the_cluster_that_it_names() -> None:
    fleet = [
        cluster("west", region="westus"),
        cluster("north", region="northeurope"),
        pool("p", "north", "Standard_D8s_v5", 1),
    ]
    assert [demand.region for demand in demands(fleet)] == ["northeurope"]


def test_pool_of_an_unknown_cluster_is_in_the_region_of_the_only_one() -> None:
    fleet = [cluster("aks", region="West US"), pool("p", UNKNOWN, "Standard_D8s_v5", 1)]
    assert [demand.region for demand in demands(fleet)] == ["westus"]


@pytest.mark.parametrize(
    "clusters", [[], [cluster("west", region="westus"), cluster("north", region="northeurope")]], ids=["none", "two"]
)
def test_pool_without_a_telling_cluster_is_undetermined(clusters: list[Resource]) -> None:
    with pytest.raises(UndeterminedError, match="resourceName"):
        list(demands([*clusters, pool("p", "elsewhere", "Standard_D8s_v5", 1)]))


UNDETERMINED = [
    (machine("vm", "Standard_D8s_v5"), "hardwareProfile.vmSize"),
    (machine("vm", "Standard_D8s_v5"), "hardwareProfile"),
    (machine("vm", "Standard_D8s_v5"), "location"),
    (cluster("aks", SYSTEM), "location"),
    (cluster("aks", SYSTEM), "agentPoolProfiles"),
    (cluster("aks", SYSTEM), "agentPoolProfiles.0"),
    (cluster("aks", SYSTEM), "agentPoolProfiles.0.vmSize"),
    (cluster("aks", SYSTEM), "agentPoolProfiles.0.count"),
    (cluster("aks", SYSTEM), "agentPoolProfiles.0.maxCount"),
    (cluster("aks", SYSTEM), "agentPoolProfiles.0.upgradeSettings"),
    (cluster("aks", SYSTEM), "agentPoolProfiles.0.upgradeSettings.maxSurge"),
    (pool("p", "aks", "Standard_D8s_v5", 1), "vmSize"),
    (pool("p", "aks", "Standard_D8s_v5", 1), "count"),
    (pool("p", "aks", "Standard_D8s_v5", 1), "maxCount"),
]


@pytest.mark.parametrize(
    ("resource", "path"), UNDETERMINED, ids=[f"{item.kind.rsplit(':', 1)[-1]}-{path}" for item, path in UNDETERMINED]
)
def test_demand_that_depends_on_an_unknown_value_is_undetermined(resource: Resource, path: str) -> None:
    fleet = [changed(resource, path, UNKNOWN), *([cluster("aks")] if resource.kind == POOL else [])]
    with pytest.raises(UndeterminedError) as undetermined:
        list(demands(fleet))
    assert undetermined.value.resource.name == resource.name
    assert path.split(".")[-1] in str(undetermined.value) or path.endswith(".0")


@pytest.mark.parametrize("path", ["hardwareProfile", "hardwareProfile.vmSize", "location"])
def test_demand_that_depends_on_a_missing_value_is_undetermined(path: str) -> None:
    with pytest.raises(UndeterminedError):
        list(demands([changed(machine("vm", "Standard_D8s_v5"), path, None)]))


def test_pool_of_fixed_size_has_no_maximum_even_where_that_is_not_known() -> None:
    fixed = profile("agentpool", "Standard_D4ds_v5", 2, enableAutoScaling=False, maxCount=UNKNOWN)
    assert needed([cluster("aks", fixed)]) == {"aks": 12}


def test_unknown_size_is_refused_where_vcpu_is_asked_for() -> None:
    with pytest.raises(Refusal):
        list(demands([machine("vm", "Standard_D8s_v55")]))


@pytest.mark.parametrize(
    "resource",
    [
        machine("odd", "Standard_D8s_v55"),
        machine("odd", "Standard_D8s_v5", region="mars"),
        machine("odd", "Standard_D8s_v5", gib=4096),
        machine("odd", UNKNOWN),
        machine("odd", "Standard_D8s_v5", gib=UNKNOWN),
        machine("odd", "Standard_D8s_v5", region=UNKNOWN),
        changed(machine("odd", "Standard_D8s_v5"), "storageProfile", UNKNOWN),
        changed(cluster("odd", SYSTEM), "sku", UNKNOWN),
        changed(cluster("odd", SYSTEM), "apiServerAccessProfile", UNKNOWN),
        changed(cluster("odd", SYSTEM), "agentPoolProfiles.0.count", UNKNOWN),
        pool("odd", "nowhere", "Standard_D8s_v5", 1),
        Resource("odd", "azure-native:network:VirtualNetworkGateway", {}),
        Resource("odd", "azure-native:network:PrivateEndpoint", {}),
        Resource("odd", "azure-native:containerregistry:Registry", {}),
        Resource("odd", "aws:ec2/instance:Instance", {}),
    ],
    ids=lambda item: item.kind.rsplit(":", 1)[-1],
)
def test_what_has_no_price_is_listed_by_name_and_never_zero(resource: Resource) -> None:
    found = bill([resource])
    assert found.costs == ()
    assert len(found.unpriced) == 1
    assert found.unpriced[0].startswith("odd: ")


def test_what_is_billed_by_usage_is_listed_apart() -> None:
    found = bill(HUB)
    assert found.by_usage == ("vault", "logs")
    assert found.unpriced == ()


def test_kinds_are_priced_or_free_or_by_usage_and_never_two_of_them() -> None:
    assert not PRICED.keys() & USAGE_BILLED.keys()
    assert not FREE & (PRICED.keys() | USAGE_BILLED.keys())


@given(
    size=st.sampled_from(["Standard_D8s_v5", "Standard_D4ds_v5"]),
    count=st.integers(0, 20),
    least=st.integers(0, 20),
    most=st.integers(0, 20),
    scaled=st.booleans(),
    disk=st.sampled_from(["Managed", "Ephemeral", None]),
)
def test_pool_is_never_expected_to_cost_more_than_its_ceiling(
    size: str, count: int, least: int, most: int, scaled: bool, disk: str | None
) -> None:
    more = {
        "enableAutoScaling": scaled,
        "minCount": least,
        "maxCount": max(most, 1) if scaled else None,
        "osDiskType": disk,
    }
    for cost in bill([cluster("aks"), pool("p", "aks", size, count, **more)]).costs:
        assert cost.expected <= cost.ceiling + 1e-9


def test_paid_tier_and_private_endpoint_of_a_cluster_are_on_the_bill() -> None:
    costs = {cost.what: cost.ceiling for cost in bill([cluster("aks", tier="Standard")]).costs}
    assert costs == {"aks private endpoint": 7.3, "aks tier": 73.0}
    assert bill([cluster("aks", private=False)]).costs == ()


def test_ephemeral_disks_are_part_of_their_machine() -> None:
    managed = bill([cluster("aks", profile("a", "Standard_D4ds_v5", 2))]).costs
    ephemeral = bill([cluster("aks", profile("a", "Standard_D4ds_v5", 2, osDiskType="Ephemeral"))]).costs
    assert sum(cost.ceiling for cost in managed) - sum(cost.ceiling for cost in ephemeral) == pytest.approx(2 * 19.71)


def test_a_disk_of_its_own_costs_what_it_would_as_part_of_its_machine() -> None:
    together = machine("dev", "Standard_D4s_v5", "run-scoped")
    around = changed(together, "storageProfile.osDisk", {"createOption": "Attach", "managedDisk": {"id": UNKNOWN}})
    disk = Resource("disk", DISK, {"diskSizeGB": 128, "tags": {"lifetime": "run-scoped"}})

    assert sum(cost.ceiling for cost in bill([around, disk]).costs) == pytest.approx(
        sum(cost.ceiling for cost in bill([together]).costs)
    )
    assert bill([changed(disk, "diskSizeGB", UNKNOWN)]).unpriced == ("disk: diskSizeGB is not known",)


@pytest.mark.parametrize(
    ("tags", "lifetime"),
    [
        ({"lifetime": "working-hours"}, Lifetime.WORKING_HOURS),
        ({"lifetime": "forever"}, None),
        ({"lifetime": UNKNOWN}, None),
        ({}, None),
        (UNKNOWN, None),
        (None, None),
    ],
)
def test_lifetime_is_that_of_the_tag(tags: Any, lifetime: Lifetime | None) -> None:
    assert lifetime_of(Resource("vm", MACHINE, {"tags": tags})) is lifetime


def test_machine_without_a_lifetime_is_expected_to_run_always() -> None:
    compute, _ = bill([machine("vm", "Standard_D8s_v5", lifetime="forever")]).costs
    assert compute.expected == compute.ceiling


@pytest.mark.parametrize(
    ("token", "plain"),
    [
        ("azure-native:compute:VirtualMachine", MACHINE),
        ("azure-native:compute/v20241101:VirtualMachine", MACHINE),
        ("azure-native:containerservice/v20250901:ManagedCluster", CLUSTER),
        (
            "github:index/repositoryEnvironment:RepositoryEnvironment",
            "github:index/repositoryEnvironment:RepositoryEnvironment",
        ),
        ("pulumi:pulumi:Stack", "pulumi:pulumi:Stack"),
    ],
)
def test_kind_is_the_token_without_the_version_of_the_interface(token: str, plain: str) -> None:
    assert plain_kind(token) == plain
