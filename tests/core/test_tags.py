"""Tags: made in one place, and judged by the platform's limits and our own rules."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtci.core.lifetimes import Lifetime
from virtci.core.tags import FORBIDDEN_IN_NAMES, MANAGED_BY, REQUIRED, TagSet, tag_faults, tags

COMMON = TagSet(owner="kubevirt-ci", system="l1vh", stack="dev")
words = st.from_regex(r"[a-z0-9][a-z0-9.@-]{0,40}", fullmatch=True)


def good(**changed: str) -> dict[str, str]:
    return tags(COMMON, "dev", Lifetime.ON_DEMAND) | {name.replace("_", "-"): value for name, value in changed.items()}


@given(owner=words, system=words, stack=words, environment=words, lifetime=st.sampled_from(Lifetime))
def test_what_is_made_here_has_no_fault(
    owner: str, system: str, stack: str, environment: str, lifetime: Lifetime
) -> None:
    made = tags(TagSet(owner=owner, system=system, stack=stack), environment, lifetime)
    assert tag_faults(made) == []
    assert tuple(made) == REQUIRED
    assert made["managed-by"] == MANAGED_BY


@pytest.mark.parametrize("name", REQUIRED)
def test_missing_tag_is_named(name: str) -> None:
    found = good()
    del found[name]
    assert tag_faults(found) == [f"required tag `{name}` is missing"]


def test_no_tags_at_all_is_a_fault_for_each() -> None:
    assert len(tag_faults({})) == len(REQUIRED)


@pytest.mark.parametrize("value", ["Kubevirt", "", "-ci", "a b", "ä", "ci\n"])
def test_words_are_lower_case_and_plain(value: str) -> None:
    (fault,) = tag_faults(good(owner=value))
    assert "`owner`" in fault


@pytest.mark.parametrize("value", ["forever", "On-Demand", ""])
def test_lifetime_is_one_of_the_classes(value: str) -> None:
    (fault,) = tag_faults(good(lifetime=value))
    assert "durable, always-on, working-hours, on-demand" in fault


def test_managed_by_is_this_project() -> None:
    (fault,) = tag_faults(good(managed_by="hand"))
    assert fault == "tag `managed-by` is `hand`; allowed: virt-ci"


def test_values_can_be_narrowed_further() -> None:
    assert tag_faults(good(owner="kubevirt-ci"), {"owner": ("kubevirt-ci",)}) == []
    (fault,) = tag_faults(good(owner="other"), {"owner": ("kubevirt-ci",)})
    assert "allowed: kubevirt-ci" in fault


@pytest.mark.parametrize(("count", "faults"), [(49, 0), (50, 0), (51, 1)])
def test_platform_takes_fifty_tags(count: int, faults: int) -> None:
    found = good() | {f"extra-{number}": "x" for number in range(count - len(REQUIRED))}
    assert len(tag_faults(found)) == faults


@pytest.mark.parametrize("character", "<>%&\\?/")
def test_names_have_no_forbidden_character(character: str) -> None:
    assert FORBIDDEN_IN_NAMES.search(character)
    (fault,) = tag_faults(good() | {f"a{character}b": "x"})
    assert "not legal" in fault


@pytest.mark.parametrize(
    ("extra", "faults"),
    [({"n" * 512: "x"}, 0), ({"n" * 513: "x"}, 1), ({"note": "v" * 256}, 0), ({"note": "v" * 257}, 1)],
)
def test_platform_limits_are_exact(extra: dict[str, str], faults: int) -> None:
    assert len(tag_faults(good() | extra)) == faults


def test_free_tags_may_hold_any_text() -> None:
    assert tag_faults(good() | {"note": "Ask the team, please!"}) == []
