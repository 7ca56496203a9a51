"""The comment on a pull request: written once, edited afterwards, never somebody else's."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.fleet.discussion import Place, opened
from virtci.core.problems import Refusal
from virtci.rehearsal.github.discussions import BOT
from virtci.rehearsal.journal import Fault, FaultPlan

NOTE = "<!-- note -->"


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    with opened(monkeypatch) as found:
        yield found


def test_the_comment_is_written_once_and_then_edited(place: Place) -> None:
    for text in ("first", "second"):
        place.repository.put_comment(1, NOTE, text)
    assert [item.body for item in place.pull_request.comments.values()] == [f"{NOTE}\nsecond"]
    assert place.written() == ["POST", "PATCH"]


def test_a_comment_that_says_so_already_is_left_alone(place: Place) -> None:
    addresses = {place.repository.put_comment(1, NOTE, "same") for _ in range(2)}
    assert (len(addresses), place.written()) == (1, ["POST"])


def test_two_markers_are_two_comments(place: Place) -> None:
    for marker in (NOTE, "<!-- other -->"):
        place.repository.put_comment(1, marker, "text")
    assert len(place.pull_request.comments) == 2


def test_a_comment_of_somebody_else_is_not_ours_even_with_the_marker(place: Place) -> None:
    place.world.comment(place.pull_request, "octo-author", f"{NOTE}\nPreview: good")
    place.repository.put_comment(1, NOTE, "stopped")
    assert [item.body for item in place.pull_request.comments.values()] == [
        f"{NOTE}\nPreview: good",
        f"{NOTE}\nstopped",
    ]


def test_a_marker_inside_a_comment_of_ours_is_not_the_marker_of_one(place: Place) -> None:
    place.world.comment(place.pull_request, BOT, f"Quoting {NOTE}\n")
    place.repository.put_comment(1, NOTE, "text")
    assert len(place.pull_request.comments) == 2


def test_the_comment_is_found_behind_many_others(place: Place) -> None:
    for number in range(230):
        place.world.comment(place.pull_request, "octo-author", f"{number}")
    place.repository.put_comment(1, NOTE, "first")
    place.repository.put_comment(1, NOTE, "second")
    assert place.written() == ["POST", "PATCH"]


@pytest.mark.parametrize(
    ("fault", "number", "fix"),
    [
        ({"operation": "POST", "status": 403, "message": "Resource not accessible by integration"}, 1, "pull-requests"),
        ({"operation": "GET", "status": 502}, 1, "run it again"),
        (None, 99, "pull-requests"),
    ],
)
def test_what_github_refuses_is_one_clear_error(
    place: Place, fault: dict[str, Any] | None, number: int, fix: str
) -> None:
    if fault:
        place.journal.plan = FaultPlan(faults=(Fault.model_validate({"cloud": "github", **fault}),))
    with pytest.raises(Refusal) as refused:
        place.repository.put_comment(number, NOTE, "text")
    assert fix in refused.value.fix
    assert f"issues/{number}/comments" in refused.value.rule
