"""How image versions are numbered, offered, withdrawn and pruned."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.images.versions import images, names, version, versions
from virtci.core.problems import Refusal
from virtci.core.runners.clouds import Cloud
from virtci.core.runners.images import (
    ImageVersion,
    Seen,
    State,
    Version,
    canary_faults,
    latest,
    next_version,
    part_tags,
    parts_of,
    require_latest,
    to_promote,
    to_prune,
    to_withdraw,
)

TODAY = date(2026, 11, 21)
A, B, C, D, E = "2026.09.1", "2026.10.1", "2026.10.2", "2026.11.1", "2026.11.2"
days = st.dates(date(2020, 1, 1), date(2030, 12, 31))


@pytest.mark.parametrize(
    ("known", "following"),
    [
        ([], "2026.11.1"),
        (["2026.10.7"], "2026.11.1"),
        (["2026.11.1", "2026.11.9", "2026.11.10"], "2026.11.11"),
        (["2026.12.3"], "2026.12.4"),
        (["2027.01.1"], "2027.01.2"),
    ],
)
def test_a_build_is_the_next_of_its_month(known: list[str], following: str) -> None:
    assert str(next_version(map(Version.parse, known), TODAY)) == following


@given(st.lists(versions), days)
def test_the_next_version_is_newer_than_every_other_whatever_the_clock_says(known: list[Version], today: date) -> None:
    following = next_version(known, today)
    assert all(following > item for item in known)
    assert (following.year, following.month) >= (today.year, today.month)
    assert following.number == 1 or Version(following.year, following.month, following.number - 1) in known


@given(versions)
def test_a_version_reads_as_it_is_written_with_or_without_the_zero_of_its_month(number: Version) -> None:
    assert Version.parse(str(number)) == number
    assert Version.parse(f"{number.year}.{number.month}.{number.number}") == number


@given(versions, versions)
def test_versions_are_in_order_as_both_clouds_have_it(one: Version, other: Version) -> None:
    assert (one < other) == (
        [int(part) for part in str(one).split(".")] < [int(part) for part in str(other).split(".")]
    )


@pytest.mark.parametrize("text", ["", "latest", "2026.13.1", "2026.00.1", "26.11.1", "2026.11", "2026.11.1 ", "v1"])
def test_what_is_no_version_is_refused(text: str) -> None:
    with pytest.raises(Refusal) as refusal:
        Version.parse(text)
    assert repr(text) in refusal.value.rule
    assert refusal.value.fix


def test_the_latest_is_the_newest_that_is_offered() -> None:
    found = [version(A), version(C), version(B), version(D, State.CANDIDATE), version(E, ready=False)]
    chosen = latest(found)
    assert chosen is not None
    assert str(chosen.version) == C


@pytest.mark.parametrize(
    ("found", "have"), [([], "none at all"), ([version(A, State.CANDIDATE)], f"{A} (candidate)")], ids=["none", "one"]
)
def test_an_image_that_no_machine_can_be_made_from_says_what_to_do(found: list[ImageVersion], have: str) -> None:
    with pytest.raises(Refusal) as refusal:
        require_latest(found, "L0BaseImage", Cloud.EC2)
    assert have in refusal.value.rule
    assert "make -C cloud/aws L0BaseImage" in refusal.value.fix


def test_a_newer_version_is_promoted_and_again_without_harm() -> None:
    assert str(to_promote([version(A), version(B, State.CANDIDATE)], Version.parse(B)).version) == B
    assert str(to_promote([version(A), version(B)], Version.parse(B)).version) == B


@pytest.mark.parametrize(
    ("found", "wanted", "fix"),
    [
        ([version(A)], B, f"choose one of: {A}"),
        ([], B, "choose one of: none"),
        ([version(A), version(B, State.CANDIDATE, ready=False)], B, "wait until the cloud has copied it"),
        ([version(A, State.CANDIDATE), version(B)], A, f"virtci images rollback --to {A}"),
    ],
    ids=["unknown", "no versions", "being made", "older"],
)
def test_what_cannot_become_the_latest_is_not_promoted(found: list[ImageVersion], wanted: str, fix: str) -> None:
    with pytest.raises(Refusal) as refusal:
        to_promote(found, Version.parse(wanted))
    assert fix in refusal.value.fix


SEEN = Seen(image="L0BaseImage", version=B, cloud="azure", parts={"agent": "2.337.0", "docker": "28.4"})
RECORDED = version(B, State.CANDIDATE, agent="2.337.0", docker="28.4")


def test_a_canary_speaks_for_the_version_that_it_was_made_from() -> None:
    assert canary_faults(SEEN, "L0BaseImage", Cloud.AZURE, RECORDED) == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"image": "other"}, "it was made from image other, not L0BaseImage"),
        ({"version": A}, f"it was made from version {A}, not {B}"),
        ({"cloud": "ec2"}, "it was made from cloud ec2, not azure"),
        ({"parts": {"agent": "2.336.0", "docker": "28.4"}}, "agent is 2.336.0; the build recorded 2.337.0"),
        ({"parts": {"agent": "2.337.0"}}, "docker is absent; the build recorded 28.4"),
        ({"parts": {**SEEN.parts, "qemu": "9"}}, "qemu is 9; the build recorded none"),
        ({"faults": ("docker does not run",)}, "docker does not run"),
    ],
)
def test_a_canary_that_saw_something_else_does_not(change: dict[str, Any], fault: str) -> None:
    assert canary_faults(replace(SEEN, **change), "L0BaseImage", Cloud.AZURE, RECORDED) == [fault]


@pytest.mark.parametrize("found", [None, [], {}, {"image": "x", "version": "y", "cloud": "z", "parts": ["a"]}])
def test_a_document_of_another_kind_is_refused(found: object) -> None:
    with pytest.raises(Refusal, match="the document names"):
        Seen.read(found)


@given(st.dictionaries(st.from_regex(r"[a-z][a-z0-9]{0,9}", fullmatch=True), st.text(min_size=1, max_size=400)))
def test_tags_tell_the_parts_in_at_most_256_characters(parts: dict[str, str]) -> None:
    tags = part_tags(parts)
    assert parts_of(tags | {"owner": "somebody"}) == {name: value[:256] for name, value in parts.items()}


def test_a_rollback_withdraws_the_latest() -> None:
    assert names(to_withdraw([version(A), version(B), version(C, State.CANDIDATE)])) == [B]


def test_a_rollback_to_a_version_withdraws_all_that_are_newer() -> None:
    assert names(to_withdraw([version(A), version(B), version(C)], Version.parse(A))) == [C, B]
    assert to_withdraw([version(A), version(B)], Version.parse(B)) == []


@pytest.mark.parametrize(
    ("found", "target"),
    [([], None), ([version(A)], None), ([version(A, State.WITHDRAWN), version(B)], A), ([version(A)], B)],
)
def test_a_rollback_without_anything_to_go_back_to_is_refused(found: list[ImageVersion], target: str | None) -> None:
    with pytest.raises(Refusal):
        to_withdraw(found, Version.parse(target) if target else None)


@given(images)
def test_after_a_rollback_an_older_version_is_the_latest(found: list[ImageVersion]) -> None:
    before = latest(found)
    try:
        gone = to_withdraw(found)
    except Refusal:
        assert len([item for item in found if item.usable]) < 2
        return
    after = latest([item for item in found if item not in gone])
    assert before
    assert after
    assert after.version < before.version


def test_three_offered_versions_are_kept_and_failed_candidates_go() -> None:
    found = [version(A), version(B), version(C), version(D), version("2026.11.3", State.CANDIDATE)]
    found += [version(E, State.CANDIDATE), version("2026.08.1", State.WITHDRAWN), version("2026.08.2", State.FAILED)]
    assert names(to_prune(found, ())) == ["2026.08.1", "2026.08.2", A, E]


@given(images, st.sets(versions, max_size=4), st.integers(0, 5))
def test_pruning_never_takes_the_latest_what_is_used_what_is_being_made_or_the_newest(
    found: list[ImageVersion], used: set[Version], keep: int
) -> None:
    used |= {item.version for item in found[::3]}
    gone = {item.version for item in to_prune(found, used, keep)}
    chosen = latest(found)
    assert not gone & used
    assert chosen is None or chosen.version not in gone
    assert max((item.version for item in found), default=None) not in gone
    assert all(item.ready or item.state is State.FAILED for item in found if item.version in gone)


@given(images, st.integers(1, 5))
def test_pruning_leaves_as_many_versions_to_go_back_to_as_are_kept(found: list[ImageVersion], keep: int) -> None:
    gone = to_prune(found, (), keep)
    offered = sorted((item.version for item in found if item.usable), reverse=True)
    left = [item for item in offered if item not in {pruned.version for pruned in gone}]
    assert left[:keep] == offered[:keep]
    assert len(left) <= keep + 1, "the newest of all stays beside them at most"


@given(images, days)
def test_a_number_is_never_given_twice_also_after_pruning(found: list[ImageVersion], today: date) -> None:
    gone = to_prune(found, (), 1)
    left = [item.version for item in found if item not in gone]
    assert next_version(left, today) not in {item.version for item in found}
