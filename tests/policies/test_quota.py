"""The quota rule: everything that can run at once, against the stack's share."""

from typing import Any

import pytest

from policies.kinds import GROUP
from tests.policies.good import ABSENT, SYSTEM_POOL, good
from tests.policies.harness import UNKNOWN, Seed, judge_one
from virtci.core.inventory import CLUSTER, MACHINE, POOL


def verdict(resources: list[Seed], limits: dict[str, int], reserve: int = 0, region: str = "westus") -> list[str]:
    """What the rule says."""
    config = {"region": region, "limits": limits, "reserve": reserve}
    return [message for _, _, message in judge_one("quota", resources, config)]


def machine(name: str = "vm", size: Any = "Standard_D8s_v5", **changes: Any) -> Seed:
    """A machine of a size."""
    return good(MACHINE, name, {"hardwareProfile.vmSize": size, **changes})


@pytest.mark.parametrize(("limit", "fits"), [(15, False), (16, True), (17, True)])
def test_the_limit_itself_still_fits(limit: int, fits: bool) -> None:
    machines = [machine("one"), machine("two")]
    assert (verdict(machines, {"cores": 100, "standardDSv5Family": limit}) == []) is fits
    assert (verdict(machines, {"cores": limit, "standardDSv5Family": 100}) == []) is fits


def test_a_violation_says_which_family_how_much_and_by_what() -> None:
    (found,) = verdict(
        [machine("small"), machine("large", "Standard_D64s_v5")], {"cores": 80, "standardDSv5Family": 70}
    )
    assert "72 vCPU of standardDSv5Family can run at once in westus (large 64, small 8)" in found
    assert "the limit is 70; 2 are missing" in found


def test_family_names_are_compared_without_regard_to_case() -> None:
    assert verdict([machine()], {"cores": 8, "STANDARDdsv5family": 8}) == []


def test_a_family_without_a_limit_is_a_violation() -> None:
    (found,) = verdict([machine()], {"cores": 8})
    assert "the limit is not declared" in found


def test_the_reserve_is_kept_free() -> None:
    assert verdict([machine()], {"cores": 12, "standardDSv5Family": 12}, reserve=4) == []
    assert len(verdict([machine()], {"cores": 11, "standardDSv5Family": 12}, reserve=4)) == 1


def test_pools_count_with_their_maximum_and_the_surge_of_an_upgrade() -> None:
    """System pool (2 + 1) x 4, worker pool (2 + 1) x 8."""
    resources = [good(CLUSTER, "cluster"), good(POOL, "workers")]
    assert verdict(resources, {"cores": 36, "standardDSv5Family": 24, "standardDDSv5Family": 12}) == []
    assert len(verdict(resources, {"cores": 35, "standardDSv5Family": 23, "standardDDSv5Family": 11})) == 3


def test_a_pool_that_the_cluster_lists_as_well_counts_once() -> None:
    listed = good(CLUSTER, "cluster", {"agentPoolProfiles": [SYSTEM_POOL, {**good(POOL).props, "name": "workers"}]})
    assert (
        verdict([listed, good(POOL, "workers")], {"cores": 36, "standardDSv5Family": 24, "standardDDSv5Family": 12})
        == []
    )


UNCOUNTABLE: list[tuple[str, Seed, str]] = [
    ("unknown size", machine(size=UNKNOWN), "hardwareProfile.vmSize is not known"),
    ("unknown profile", machine(hardwareProfile=UNKNOWN), "hardwareProfile is not known"),
    ("missing size", machine(hardwareProfile=ABSENT), "hardwareProfile.vmSize is not known"),
    ("size without a row", machine(size="Standard_X1"), "a size has a row in virtci/data/sizes.json"),
    ("unknown region", machine(location=UNKNOWN), "location is not known"),
    ("missing region", machine(location=ABSENT), "location is not known"),
    ("unknown pools", good(CLUSTER, "it", {"agentPoolProfiles": UNKNOWN}), "agentPoolProfiles is not known"),
    ("an unknown pool", good(CLUSTER, "it", {"agentPoolProfiles": [UNKNOWN]}), "agentPoolProfiles[0] is not known"),
    ("unknown count", good(CLUSTER, "it", {"agentPoolProfiles.0.count": UNKNOWN}), "agentPoolProfiles[0].count is not known"),
    ("unknown maximum", good(CLUSTER, "it", {"agentPoolProfiles.0.enableAutoScaling": True, "agentPoolProfiles.0.maxCount": UNKNOWN}),
     "agentPoolProfiles[0].maxCount is not known"),
    ("unknown surge", good(CLUSTER, "it", {"agentPoolProfiles.0.upgradeSettings": UNKNOWN}), "upgradeSettings is not known"),
    ("pool without its cluster", good(POOL, "it"), "points to none of the 0 clusters"),
]  # fmt: skip


@pytest.mark.parametrize(("title", "resource", "says"), UNCOUNTABLE, ids=[title for title, _, _ in UNCOUNTABLE])
def test_what_cannot_be_counted_is_a_violation(title: str, resource: Seed, says: str) -> None:
    plenty = {"cores": 1000, "standardDSv5Family": 1000, "standardDDSv5Family": 1000}
    found = verdict([resource], plenty)
    assert len(found) == 1, title
    assert says in found[0]


def test_an_unknown_size_does_not_hide_that_the_rest_is_too_large() -> None:
    found = verdict(
        [machine("large", "Standard_D64s_v5"), machine("odd", UNKNOWN)], {"cores": 16, "standardDSv5Family": 16}
    )
    assert len(found) == 3


def test_a_pool_of_fixed_size_needs_no_maximum() -> None:
    """A preview shows an absent maximum as unknown."""
    resource = good(CLUSTER, "it", {"agentPoolProfiles.0.maxCount": UNKNOWN, "agentPoolProfiles.0.minCount": UNKNOWN})
    assert verdict([resource], {"cores": 12, "standardDDSv5Family": 12}) == []


def test_another_region_has_no_share() -> None:
    found = verdict([machine(location="East US")], {"cores": 100, "standardDSv5Family": 100})
    assert found == [
        "stack: vm needs 8 vCPU in eastus; rule: the share is for westus only; "
        "fix: move it to westus, or give the stack a share there"
    ]  # fmt: skip


def test_other_types_need_nothing() -> None:
    assert verdict([good(GROUP)], {"cores": 1}) == []


def test_without_limits_the_rule_says_so() -> None:
    ((_, _, found),) = judge_one("quota", [machine()], {})
    assert "policy `quota` has no value for region, limits" in found
