"""What a month costs: from a dated table, to the cent, and never silently nothing."""

from collections import defaultdict
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core import fleets
from virtci.core.inventory import Resource, bill
from virtci.core.lifetimes import SCHEDULES, Lifetime
from virtci.core.prices import DISK_TIERS, compute_cost, disk_cost, fixed_cost, hours_per_month, total
from virtci.core.problems import Refusal
from virtci.core.sizes import size
from virtci.core.tables import table

HOURLY: dict[str, dict[str, float]] = table("prices")["compute_hourly"]
LISTED = [(region, name) for region, sizes in HOURLY.items() for name in sizes]
PUBLISHED = {
    "eastus": {
        "Standard_D2s_v5": 0.096, "Standard_D4s_v5": 0.192, "Standard_D8s_v5": 0.384, "Standard_D64s_v5": 3.072,
        "Standard_D96s_v5": 4.608, "Standard_D8ds_v5": 0.452, "Standard_D8s_v6": 0.403, "Standard_E16s_v5": 1.008,
        "Standard_F8s_v2": 0.338,
    },
    "westeurope": {"Standard_D8s_v5": 0.460, "Standard_D16ds_v5": 1.088, "Standard_D8ds_v6": 0.597, "Standard_E8s_v5": 0.608},
    "swedencentral": {"Standard_D64s_v5": 3.264, "Standard_D8ds_v5": 0.480, "Standard_F16s_v2": 0.776},
}  # fmt: skip
"""Prices of the same provider, read from another restatement of its list."""


@pytest.mark.parametrize(
    ("fleet", "ceiling", "expected"),
    [
        # 3 * 0.224 $/h * 730 h + 3 disks * 19.71 + NAT gateway 32.85 + address 3.65
        (fleets.HUB, 586.19, 586.19),
        # 0.448 * 730 + disk 19.71; expected 260 h
        (fleets.DEV, 346.75, 136.19),
        # VMs 0.448 and 3.584 with disks (90 h), endpoint 7.30, 2 * 0.266 always, 0 to 2 * 0.448 with disks
        (fleets.TEST, 4071.94, 898.31),
    ],
    ids=["hub", "dev", "test"],
)
def test_fleet_costs_the_same_to_the_cent(fleet: list[Resource], ceiling: float, expected: float) -> None:
    found = bill(fleet)
    assert found.unpriced == ()
    assert [round(amount, 2) for amount in total(found.costs)] == [ceiling, expected]


@pytest.mark.parametrize(("region", "name"), [(region, name) for region, sizes in PUBLISHED.items() for name in sizes])
def test_table_is_within_one_percent_of_the_published_price(region: str, name: str) -> None:
    assert HOURLY[region][name] == pytest.approx(PUBLISHED[region][name], rel=0.01)


def families(region: str) -> dict[str, list[tuple[int, float]]]:
    found: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for name, price in HOURLY[region].items():
        found[size(name).family].append((size(name).vcpus, price))
    return {family: sorted(prices) for family, prices in found.items()}


@pytest.mark.parametrize("region", HOURLY)
def test_price_grows_with_the_vcpu_of_a_family_in_proportion(region: str) -> None:
    for family, prices in families(region).items():
        for vcpus, price in prices:
            largest_vcpus, largest_price = prices[-1]
            assert price / vcpus == pytest.approx(largest_price / largest_vcpus, rel=0.01), (family, vcpus)


@pytest.mark.parametrize("region", HOURLY)
def test_larger_size_of_a_family_costs_more(region: str) -> None:
    for family, prices in families(region).items():
        assert all(small[1] < large[1] for small, large in pairwise(prices)), family


def test_larger_disk_costs_more() -> None:
    monthly = [disk_cost("disk", limit, Lifetime.DURABLE).ceiling for limit, _ in DISK_TIERS]
    assert monthly == sorted(set(monthly))


@given(gib=st.integers(1, DISK_TIERS[-1][0]))
def test_disk_is_billed_by_the_smallest_tier_that_holds_it(gib: int) -> None:
    tier = next(item for limit, item in DISK_TIERS if gib <= limit)
    assert disk_cost("disk", gib, Lifetime.ON_DEMAND).ceiling == table("prices")["fixed"][tier]["monthly"]


@given(
    listed=st.sampled_from(LISTED),
    lifetime=st.sampled_from(Lifetime),
    count=st.integers(0, 50),
    share=st.fractions(0, 1),
)
def test_expected_cost_lies_between_idle_and_ceiling(
    listed: tuple[str, str], lifetime: Lifetime, count: int, share: float
) -> None:
    region, name = listed
    idle = int(count * share)
    cost = compute_cost("vm", region, name, lifetime, count, idle)
    floor = compute_cost("vm", region, name, lifetime, idle, idle).ceiling
    assert cost.ceiling == pytest.approx(HOURLY[region][name] * 730 * count)
    assert floor - 1e-9 <= cost.expected <= cost.ceiling + 1e-9


def test_parked_machine_is_expected_to_cost_its_hours() -> None:
    parked = compute_cost("vm", "westus", "Standard_D8s_v5", Lifetime.ON_DEMAND)
    assert parked.expected == pytest.approx(0.448 * SCHEDULES[Lifetime.ON_DEMAND].expected_hours)


@pytest.mark.parametrize(("region", "name"), [("westus", "Standard_D8s_v55"), ("mars", "Standard_D8s_v5")])
def test_machine_without_a_price_is_refused(region: str, name: str) -> None:
    with pytest.raises(Refusal, match=f"{name} has a price in {region}"):
        compute_cost("vm", region, name, Lifetime.ALWAYS_ON)


def test_disk_beyond_the_table_is_refused() -> None:
    with pytest.raises(Refusal, match="513 GiB"):
        disk_cost("disk", 513, Lifetime.ALWAYS_ON)


def test_fixed_cost_is_due_whether_used_or_not() -> None:
    cost = fixed_cost("nat", "nat_gateway", count=2)
    assert cost.ceiling == cost.expected == pytest.approx(65.70)


def test_nothing_costs_nothing() -> None:
    assert total([]) == (0, 0)


def test_month_of_the_table_has_730_hours_and_no_class_runs_longer() -> None:
    assert hours_per_month() == 730
    assert SCHEDULES.keys() == set(Lifetime)
    assert all(0 < schedule.expected_hours <= 730 for schedule in SCHEDULES.values())
    shut_down = {lifetime for lifetime, schedule in SCHEDULES.items() if schedule.daily_shutdown}
    assert shut_down == {Lifetime.WORKING_HOURS, Lifetime.ON_DEMAND}, "a run-scoped machine has a deadline instead"
