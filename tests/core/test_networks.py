"""The address plan: ranges apart, inside, and large enough."""

from ipaddress import IPv4Address, IPv4Network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from virtci.core.networks import AKS_DNS_ADDRESS, AKS_SERVICE_RANGE, RESERVED, last_free, range_faults, usable_addresses

SPACE = IPv4Network("10.60.0.0/26")
AROUND = 2**6 * 4


def networks(width: int = AROUND, smallest: int = 32, largest: int = 25) -> st.SearchStrategy[IPv4Network]:
    """Small ranges in and around the address space, so that all their addresses can be counted."""
    start = int(SPACE.network_address) - AROUND // 2
    return st.builds(
        lambda prefix, offset: IPv4Network((start + offset, prefix), strict=False),
        st.integers(largest, smallest),
        st.integers(0, width - 1),
    )


def oracle(space: IPv4Network, subnets: dict[str, IPv4Network]) -> set[tuple[str, str]]:
    """The faults by looking at every single address."""
    faults = set()
    inside = set(space)
    seen: list[set[IPv4Address]] = []
    for name, network in subnets.items():
        addresses = set(network)
        if not addresses <= inside:
            faults.add((name, "lies"))
        if len(addresses) <= 5:
            faults.add((name, "has"))
        if any(addresses & other for other in seen):
            faults.add((name, "overlaps"))
        seen.append(addresses)
    return faults


@settings(max_examples=150)
@given(ranges=st.lists(networks(), max_size=5))
def test_faults_equal_a_count_of_every_address(ranges: list[IPv4Network]) -> None:
    subnets = {f"subnet-{number}": network for number, network in enumerate(ranges)}
    found = {(fault.name, fault.reason.split()[0]) for fault in range_faults(SPACE, subnets)}
    assert found == oracle(SPACE, subnets)


@given(ranges=st.lists(networks(), min_size=2, max_size=5))
def test_every_overlapping_pair_is_named(ranges: list[IPv4Network]) -> None:
    subnets = {f"subnet-{number}": network for number, network in enumerate(ranges)}
    pairs = {
        (first, second)
        for first in subnets
        for second in subnets
        if first < second and set(subnets[first]) & set(subnets[second])
    }
    found = [fault for fault in range_faults(SPACE, subnets) if fault.reason.startswith("overlaps")]
    assert {(fault.reason.split()[1], fault.name) for fault in found} == pairs


@pytest.mark.parametrize(("user", "reserved"), RESERVED.items())
def test_space_stays_clear_of_what_clusters_use_inside(user: str, reserved: IPv4Network) -> None:
    (fault,) = range_faults(reserved, {})
    assert fault.name == "addressSpace"
    assert user in fault.reason
    assert str(reserved) in fault.reason
    assert fault.rule == "ranges do not overlap"


def test_plan_without_a_fault_has_none() -> None:
    plan = {"runners": IPv4Network("10.60.0.0/28"), "dev": IPv4Network("10.60.0.16/29")}
    assert range_faults(SPACE, plan) == []


@pytest.mark.parametrize(
    ("network", "usable"), [("10.0.0.0/24", 251), ("10.0.0.0/29", 3), ("10.0.0.0/30", 0), ("10.0.0.0/32", 0)]
)
def test_platform_keeps_five_addresses_of_every_subnet(network: str, usable: int) -> None:
    assert usable_addresses(IPv4Network(network)) == usable


def test_cluster_dns_answers_from_the_range_of_the_services() -> None:
    assert AKS_DNS_ADDRESS in AKS_SERVICE_RANGE
    assert int(AKS_DNS_ADDRESS) > int(AKS_SERVICE_RANGE[0])


def test_reserved_ranges_do_not_overlap_each_other() -> None:
    ranges = list(RESERVED.values())
    assert not any(first.overlaps(second) for first in ranges for second in ranges if first is not second)


@settings(max_examples=150)
@given(taken=st.lists(networks(), max_size=5), prefix=st.integers(26, 30))
def test_the_last_free_range_is_the_highest_that_fits(taken: list[IPv4Network], prefix: int) -> None:
    fitting = [item for item in SPACE.subnets(new_prefix=prefix) if not any(item.overlaps(other) for other in taken)]
    assert last_free(SPACE, taken, prefix) == (fitting[-1] if fitting else None)


def test_nothing_larger_than_the_space_is_free_in_it() -> None:
    assert last_free(SPACE, [], 25) is None
