"""The quota gate: worst-case vCPU of a fleet against the limits of a region."""

import math
import random
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from virtci.core.problems import Refusal
from virtci.core.quota import Demand, held_against, machine_demand, pool_demand, surge_nodes

FAMILIES = (
    "standardDSv5Family",
    "StandardDSv5family",
    "STANDARDDDSV5FAMILY",
    "standardDDSv5Family",
    "StandardDdsv6Family",
)
REGIONS = ("westus", "westeurope")

Verdict = set[tuple[str, str, bool]]


def oracle(fleet: list[Demand], limits: dict[str, int], reserve: int) -> Verdict:
    """What is exceeded, by trying every limit on every machine."""
    verdict = set()
    for region in {demand.region for demand in fleet}:
        there = [demand for demand in fleet if demand.region == region]
        groups = {
            demand.family.lower(): [d for d in there if d.family.lower() == demand.family.lower()] for demand in there
        }
        for family, members in {**groups, "cores": there}.items():
            free = None
            for name, limit in limits.items():
                if name.lower() == family:
                    free = limit - reserve
            for member in members:
                free = None if free is None else free - member.vcpus
            verdict.add((region, family, free is None or free < 0))
    return verdict


def verdict_of(fleet: list[Demand], limits: dict[str, int], reserve: int) -> Verdict:
    return {(line.region, line.family.lower(), line.exceeded) for line in held_against(fleet, limits, reserve)}


def demand(vcpus: int, family: str = "standardDSv5Family", region: str = "westus") -> Demand:
    return Demand("machine", region, family, vcpus)


def random_fleet(source: random.Random) -> tuple[list[Demand], dict[str, int], int]:
    fleet = [
        demand(source.choice((2, 4, 8, 64)), source.choice(FAMILIES), source.choice(REGIONS))
        for _ in range(source.randrange(8))
    ]
    named = [family for family in ("standarddsv5family", "standardddsv5family", "cores") if source.random() < 0.8]
    return fleet, {family: source.randrange(0, 160, 2) for family in named}, source.choice((0, 0, 4))


def test_verdict_equals_a_brute_force_count_on_ten_thousand_fleets() -> None:
    source = random.Random(20260116)  # noqa: S311  reproducible, not secret
    for _ in range(10_000):
        fleet, limits, reserve = random_fleet(source)
        assert verdict_of(fleet, limits, reserve) == oracle(fleet, limits, reserve), (fleet, limits, reserve)


@settings(max_examples=150)
@given(
    fleet=st.lists(
        st.builds(demand, st.integers(0, 500), st.sampled_from(FAMILIES), st.sampled_from(REGIONS)), max_size=12
    ),
    limits=st.dictionaries(
        st.sampled_from(("standardDSV5Family", "standardddsv5family", "cores")), st.integers(0, 2000)
    ),
    reserve=st.integers(0, 100),
)
def test_verdict_equals_a_brute_force_count_on_any_fleet(
    fleet: list[Demand], limits: dict[str, int], reserve: int
) -> None:
    assert verdict_of(fleet, limits, reserve) == oracle(fleet, limits, reserve)


@pytest.mark.parametrize(("limit", "exceeded", "missing"), [(87, True, 1), (88, False, 0), (89, False, 0)])
@pytest.mark.parametrize("reserve", [0, 12])
def test_limit_is_exact_to_the_core(limit: int, exceeded: bool, missing: int, reserve: int) -> None:
    fleet = [demand(8), demand(8), demand(64), demand(8)]
    family, total = held_against(fleet, {"standardDSv5Family": limit + reserve, "cores": limit + reserve}, reserve)
    assert (family.exceeded, family.missing) == (total.exceeded, total.missing) == (exceeded, missing)
    assert family.needed == total.needed == 88


def test_family_that_nobody_declared_is_exceeded_by_all_it_needs() -> None:
    family, total = held_against([demand(8)], {"cores": 100, "standardDDSv5Family": 100}, reserve=2)
    assert (family.limit, family.exceeded, family.missing) == (None, True, 10)
    assert not total.exceeded


def test_families_are_one_whatever_their_letter_case() -> None:
    fleet = [demand(8, "standardDSv5Family"), demand(8, "STANDARDDSV5FAMILY")]
    family, _ = held_against(fleet, {"StandardDsv5Family": 16, "cores": 16})
    assert (family.needed, family.limit, family.exceeded) == (16, 16, False)


def test_regions_have_limits_of_their_own() -> None:
    lines = held_against(
        [demand(8, region="westus"), demand(8, region="westeurope")], {"standardDSv5Family": 8, "cores": 8}
    )
    assert [line.region for line in lines] == ["westeurope", "westus", "westeurope", "westus"]
    assert not any(line.exceeded for line in lines)


def test_fleet_of_nothing_touches_no_limit() -> None:
    assert held_against([], {"cores": 0}) == []


def test_total_can_be_exceeded_where_no_family_is() -> None:
    fleet = [demand(8, "standardDSv5Family"), demand(8, "standardDDSv5Family")]
    lines = held_against(fleet, {"standardDSv5Family": 8, "standardDDSv5Family": 8, "cores": 15})
    assert [(line.family, line.exceeded) for line in lines][-1] == ("cores", True)
    assert [line.exceeded for line in lines[:-1]] == [False, False]


@given(nodes=st.integers(0, 5000), share=st.integers(1, 100))
def test_surge_share_is_rounded_up_to_whole_nodes(nodes: int, share: int) -> None:
    assert surge_nodes(nodes, f"{share}%") == max(1, math.ceil(Fraction(nodes * share, 100)))


@pytest.mark.parametrize(
    ("nodes", "surge", "extra"),
    [
        (3, None, 1),
        (3, "1", 1),
        (3, "2", 2),
        (3, "33%", 1),
        (3, "34%", 2),
        (100, "1%", 1),
        (101, "1%", 2),
        (0, "50%", 1),
    ],
)
def test_upgrade_starts_at_least_one_extra_node(nodes: int, surge: str | None, extra: int) -> None:
    assert surge_nodes(nodes, surge) == extra


@pytest.mark.parametrize(
    ("count", "maximum", "surge", "nodes"),
    [(2, None, "1", 3), (1, 3, "1", 4), (5, 3, "1", 6), (0, 10, "33%", 14), (0, None, None, 1)],
)
def test_pool_counts_its_autoscaler_at_the_top_in_the_middle_of_an_upgrade(
    count: int, maximum: int | None, surge: str | None, nodes: int
) -> None:
    found = pool_demand("pool", "westus", "Standard_D8s_v5", count, maximum, surge)
    assert (found.family, found.vcpus) == ("standardDSv5Family", nodes * 8)


def test_machines_count_with_the_vcpu_and_family_of_their_size() -> None:
    found = machine_demand("runners", "westus", "Standard_D4ds_v5", count=3)
    assert (found.region, found.family, found.vcpus) == ("westus", "standardDDSv5Family", 12)


def test_demand_of_an_unknown_size_is_refused_not_counted_as_nothing() -> None:
    with pytest.raises(Refusal, match="has a row"):
        machine_demand("vm", "westus", "Standard_D8s_v55")
