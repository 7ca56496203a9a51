"""Drift: what a check finds, and the one issue about it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fleet.discussion import RUN, SLUG, Place, opened
from tests.fleet.event_logs import different, end, log, machine, refreshed, said, step
from virtci.fleet.drift import LABEL, MARKER, TITLE, Drift, drift_of, keep_issue, report, unchecked
from virtci.fleet.markdown import COMMENT_LIMIT


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    with opened(monkeypatch) as found:
        yield found


def checked(folder: Path, *events: dict[str, Any], stack: str = "dev") -> Drift:
    return drift_of(stack, log(folder, *events))


def drifted(folder: Path, size: str = "Standard_D8s_v5", stack: str = "dev") -> Drift:
    """Somebody has resized the machine."""
    diff = different("hardwareProfile.vmSize")
    return checked(
        folder,
        refreshed("box", machine(), machine(size), detailedDiff=diff),
        step("update", "box", machine(size), machine(), detailedDiff=diff),
        end(),
        stack=stack,
    )


def clean(folder: Path, stack: str = "dev") -> Drift:
    return checked(folder, refreshed("box", machine(), machine()), step("same", "box", {}, {}), end(), stack=stack)


def broken(folder: Path) -> Drift:
    return checked(folder, said("no login"), end("failed"))


def test_what_was_changed_by_hand_is_shown_as_declared_and_as_found(tmp_path: Path) -> None:
    (entry,) = drifted(tmp_path).drifted
    assert (entry.resource, entry.path, entry.declared, entry.found) == (
        "box",
        "hardwareProfile.vmSize",
        "Standard_D4s_v5",
        "Standard_D8s_v5",
    )


def test_what_was_deleted_by_hand_is_gone(tmp_path: Path) -> None:
    found = checked(tmp_path, refreshed("box", machine(), None), step("create", "box", None, machine()), end())
    assert [(entry.resource, entry.declared, entry.found) for entry in found.drifted] == [("box", "exists", "gone")]


def test_a_value_that_the_program_leaves_to_others_is_no_drift(tmp_path: Path) -> None:
    changed = refreshed("box", machine(), machine(count=3), detailedDiff=different("count"))
    assert checked(tmp_path, changed, step("same", "box", {}, {}), end()).drifted == ()


def test_a_change_that_is_merged_and_not_deployed_is_no_drift(tmp_path: Path) -> None:
    events = (refreshed("box", machine(), machine()), step("update", "box", machine(), machine("Standard_D8s_v5")))
    found = checked(tmp_path, *events, end())
    assert (found.drifted, found.pending) == ((), ("box",))


@pytest.mark.parametrize(
    ("after", "path"), [(machine("Standard_D8s_v5"), "hardwareProfile.vmSize"), (machine(), "")], ids=["told", "secret"]
)
def test_drift_is_not_lost_where_the_provider_names_no_property(
    tmp_path: Path, after: dict[str, Any], path: str
) -> None:
    read = refreshed("box", machine(), after, detailedDiff=different("x"))
    found = checked(tmp_path, read, step("update", "box", after, machine()), end())
    assert [entry.path for entry in found.drifted] == [path]


@pytest.mark.parametrize("events", [(), (said("no login"), end("failed")), (end("failed"),)])
def test_a_check_that_failed_says_nothing_about_drift(tmp_path: Path, events: tuple[dict[str, Any], ...]) -> None:
    resized = (refreshed("box", machine(), None), step("create", "box", None, machine()))
    found = checked(tmp_path, *resized, *events)
    assert (found.drifted, found.pending, len(found.errors)) == ((), (), 1)


def test_drift_opens_one_issue_and_the_next_check_updates_it(place: Place, tmp_path: Path) -> None:
    keep_issue(place.repository, {"dev": drifted(tmp_path), "test": clean(tmp_path, "test")}, RUN)
    keep_issue(place.repository, {"dev": drifted(tmp_path, "Standard_D16s_v5"), "test": None}, RUN)

    (issue,) = place.issues
    assert (issue.title, issue.labels, issue.state) == (TITLE, (LABEL,), "open")
    assert issue.body.startswith(f"{MARKER}\n")
    assert "`Standard_D16s_v5`" in issue.body
    assert "**Not checked**" in issue.body
    assert place.written() == ["POST", "PATCH"]


def test_the_same_drift_changes_nothing(place: Place, tmp_path: Path) -> None:
    for _ in range(2):
        keep_issue(place.repository, {"dev": drifted(tmp_path)}, RUN)
    assert place.written() == ["POST"]


def test_the_issue_is_closed_with_a_reason_when_the_drift_is_gone(place: Place, tmp_path: Path) -> None:
    keep_issue(place.repository, {"dev": drifted(tmp_path)}, RUN)
    keep_issue(place.repository, {"dev": clean(tmp_path)}, RUN)

    (issue,) = place.issues
    assert (issue.state, issue.state_reason) == ("closed", "completed")
    assert [RUN in item.body for item in issue.comments.values()] == [True]


def test_drift_after_a_closed_issue_opens_a_new_one(place: Place, tmp_path: Path) -> None:
    for found in (drifted(tmp_path), clean(tmp_path), drifted(tmp_path)):
        keep_issue(place.repository, {"dev": found}, RUN)
    assert [issue.state for issue in place.issues] == ["closed", "open"]


@pytest.mark.parametrize("unknown", [broken, lambda _: None])
def test_a_stack_that_was_not_checked_closes_nothing(
    place: Place, tmp_path: Path, unknown: Callable[[Path], Drift | None]
) -> None:
    keep_issue(place.repository, {"dev": drifted(tmp_path)}, RUN)
    before = place.issues[0].body

    keep_issue(place.repository, found := {"dev": unknown(tmp_path), "test": clean(tmp_path, "test")}, RUN)

    assert (place.issues[0].state, place.issues[0].body) == ("open", before)
    assert unchecked(found) == ["dev"]


def test_an_issue_of_somebody_else_with_our_marker_is_left_alone(place: Place, tmp_path: Path) -> None:
    theirs = place.world.open(place.world.repository(*SLUG.split("/")), "octo-author", "mine")
    theirs.body, theirs.labels = f"{MARKER}\nnothing", (LABEL,)

    keep_issue(place.repository, {"dev": clean(tmp_path)}, RUN)
    assert theirs.state == "open"
    keep_issue(place.repository, {"dev": drifted(tmp_path)}, RUN)
    assert (theirs.body, len(place.issues)) == (f"{MARKER}\nnothing", 2)


def test_a_report_that_is_too_long_is_cut_and_says_by_how_much(tmp_path: Path) -> None:
    gone = [
        event
        for number in range(2_000)
        for event in (
            refreshed(f"box-{number}", machine(), None),
            step("create", f"box-{number}", None, machine()),
        )
    ]
    text = report({"dev": checked(tmp_path, *gone, end())}, RUN)
    assert len(text) < COMMENT_LIMIT
    assert "and 1800 more" in text
