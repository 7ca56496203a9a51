"""What a reviewer is told of a preview, and what it looks like."""

from pathlib import Path
from typing import Any

import pytest

from tests.fleet.event_logs import SEALED, different, end, log, machine, said, step, verdict
from virtci.core.sealed import SECRET
from virtci.fleet.markdown import COMMENT_LIMIT
from virtci.fleet.review import NO_END, NO_REASON, Review, review_of
from virtci.fleet.review_text import ROOM, SHORT, comment, heading, stack_text
from virtci.settings.models import Budget, Quota

GOLDEN = Path(__file__).parent / "golden"
QUOTA = Quota.model_validate({"cores": 12, "families": {"standardDSv5Family": 12}, "reserve": 2})
BUDGET = Budget.model_validate({"monthlyUsd": 400, "start": "2026-01-01", "contacts": ["a@example.org"]})
GROUP = "azure-native:network:NetworkSecurityGroup"
SECRETS = "azure-native:keyvault:Secret"
SOURCE = "Commit 0123456789ab, [run](https://github.com/o/r/actions/runs/1)."


def reviewed(folder: Path, *events: dict[str, Any], stack: str = "dev") -> Review:
    return review_of(stack, log(folder, *events), QUOTA, BUDGET)


def eventful(folder: Path) -> Review:
    """A change of everything that a review can show."""
    diff = different("osProfile.customData", kind="update-replace")
    rules = ({"securityRules": [{"name": "in", "priority": 100}]}, {"securityRules": [{"name": "in", "priority": 90}]})
    return reviewed(
        folder,
        step("same", "kept", machine(), machine()),
        step("create", "new", None, machine("Standard_D8s_v5")),
        step("update", "group", *rules, kind=GROUP, detailedDiff=different("securityRules")),
        step("update", "key", {"value": SEALED}, {"value": SEALED}, kind=SECRETS, detailedDiff=different("value")),
        step(
            "replace",
            "box",
            machine(osProfile={"customData": "YQ=="}),
            machine(osProfile={"customData": "Yg=="}),
            detailedDiff=diff,
        ),
        step("delete", "old", {"name": "old"}, kind=GROUP),
        verdict("quota", "14 vCPU; rule: the limit is 12; fix: choose smaller sizes"),
        verdict("tagging", "tag `owner` is `x`; rule: one of y; fix: set it", "box", "advisory"),
        verdict("tagging", "tag `owner` is `x`; rule: one of y; fix: set it", "new", "advisory"),
        said("the provider is old", "warning"),
        said("preview failed"),
        end("failed"),
    )


def test_irreversible_changes_come_first(tmp_path: Path) -> None:
    found = [change.operation for change in eventful(tmp_path).changes]
    assert found == ["delete", "replace", "update", "update", "create"]


def test_vcpu_and_cost_are_counted_before_and_after(tmp_path: Path) -> None:
    review = eventful(tmp_path)

    assert review.quota is not None
    assert review.cost is not None
    assert [(row.family, row.before, row.after, row.exceeded) for row in review.quota] == [
        ("standardDSv5Family", 8, 16, True),
        ("cores", 8, 16, True),
    ]
    assert review.cost.after.expected > review.cost.before.expected > 0
    assert (review.cost.budget, review.cost.by_usage, review.cost.unpriced) == (400, 1, ())


def test_what_goes_away_frees_its_vcpu(tmp_path: Path) -> None:
    review = reviewed(tmp_path, step("delete", "box", machine()), end())
    assert review.quota is not None
    assert [(row.before, row.after, row.exceeded) for row in review.quota] == [(4, 0, False), (4, 0, False)]


def test_verdicts_in_the_same_words_are_one_finding(tmp_path: Path) -> None:
    found = [(item.policy, item.level, item.resources) for item in eventful(tmp_path).findings]
    assert found == [("quota", "mandatory", ("stack",)), ("tagging", "advisory", ("box", "new"))]


@pytest.mark.parametrize(
    ("events", "error"),
    [
        ((end(),), None),
        ((verdict("tagging", "x", "box", "advisory"), end()), None),
        ((verdict("tagging", "x", "box"), end("failed")), ""),
        ((said("stack dev: 2 problems"), end("failed")), "stack dev: 2 problems"),
        ((said("preview failed"), end("failed")), NO_REASON),
        ((), NO_END),
    ],
)
def test_only_a_preview_with_a_good_end_and_no_mandatory_violation_is_good(
    tmp_path: Path, events: tuple[dict[str, Any], ...], error: str | None
) -> None:
    review = reviewed(tmp_path, *events)
    assert review.good is (error is None)
    assert review.errors == ((error,) if error else ())


def test_a_preview_that_did_not_see_everything_gives_no_figures(tmp_path: Path) -> None:
    review = reviewed(tmp_path, step("create", "box", None, machine()), said("refused"), end("failed"))
    assert (review.quota, review.cost) == (None, None)


def test_a_size_that_nobody_knows_stops_the_stack(tmp_path: Path) -> None:
    review = reviewed(tmp_path, step("create", "box", None, machine("Standard_Nonsense")), end())
    assert not review.good
    assert "vCPU cannot be counted" in review.errors[0]


def test_a_secret_is_named_and_not_shown(tmp_path: Path) -> None:
    change = next(item for item in eventful(tmp_path).changes if item.name == "key")
    assert [(item.path, item.before, item.after) for item in change.properties] == [("value", SECRET, SECRET)]


def test_a_review_survives_its_journey_through_a_file(tmp_path: Path) -> None:
    review = eventful(tmp_path)
    assert Review.model_validate_json(review.model_dump_json(by_alias=True)) == review


def test_the_comment_is_the_golden_one(tmp_path: Path) -> None:
    quiet = reviewed(tmp_path, step("same", "kept", machine(), machine()), end(), stack="hub")
    broken = reviewed(tmp_path, said("stack test: 1 problem\n\n  1. `quota.cores` = 3"), end("failed"), stack="test")
    text = comment({"hub": quiet, "dev": eventful(tmp_path), "test": broken, "prow": None}, SOURCE) + "\n"
    golden = GOLDEN / "comment.md"
    assert text == golden.read_text()


@pytest.mark.parametrize(
    ("names", "text"),
    [
        (("quiet",), "Preview: good, no change"),
        (("quiet", "changing"), "Preview: good, changes changing"),
        (("changing", "stopped", "absent"), "Preview: stopped by stopped, absent"),
    ],
)
def test_the_heading_says_the_outcome(tmp_path: Path, names: tuple[str, ...], text: str) -> None:
    known = {
        "quiet": reviewed(tmp_path, end()),
        "changing": reviewed(tmp_path, step("delete", "old", {}, kind=GROUP), end()),
        "stopped": reviewed(tmp_path, end("failed")),
        "absent": None,
    }
    assert heading({name: known[name] for name in names}) == text


def crowd(folder: Path, count: int, properties: int) -> Review:
    """A review of very many changes."""
    before = {f"property{number}": "a" * 60 for number in range(properties)}
    after = dict.fromkeys(before, "b" * 60)
    updates = (
        step("update", f"group-{number}", before, after, kind=GROUP, detailedDiff=different(*before))
        for number in range(count)
    )
    return reviewed(folder, step("delete", "precious", {}, kind=GROUP), *updates, end())


@pytest.mark.parametrize(("count", "properties"), [(30, 10), (300, 3), (3_000, 1)])
def test_a_comment_that_is_too_long_loses_details_and_no_deletion(tmp_path: Path, count: int, properties: int) -> None:
    review = crowd(tmp_path, count, properties)

    text = comment({"dev": review}, SOURCE)

    assert len(stack_text(review)) > COMMENT_LIMIT or count == 30
    assert len(text) <= COMMENT_LIMIT - ROOM
    assert "`precious`" in text
    assert f"Updated: {count:,} resources" in text


def test_a_comment_that_cannot_hold_anything_keeps_the_overview(tmp_path: Path) -> None:
    stacks = {f"stack-{number}": crowd(tmp_path, 2, 1) for number in range(500)}
    text = comment(dict(stacks), SOURCE)
    assert text.endswith(SHORT)
    assert "| stack-499 | good |" in text


def test_a_value_that_looks_like_markup_stays_a_value(tmp_path: Path) -> None:
    evil = "`|` @everyone <img src=x>\n<!-- virt-ci:preview -->"
    events = step("update", "box|`", {"a": "b"}, {"a": evil}, kind=GROUP, detailedDiff=different("a"))
    text = comment({"dev": reviewed(tmp_path, events, verdict("p", evil, "box"), end("failed"))}, SOURCE)

    assert "`` `\\|` @everyone <img src=x> <!-- virt-ci:preview --> ``" in text
    assert "\n<!--" not in text
    assert "`` box\\|` ``" in text
