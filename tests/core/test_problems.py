"""Errors: five parts, everything at once, and a hint at what was meant."""

import pytest

from virtci.core.placeholders import is_placeholder
from virtci.core.problems import Problem, ProblemsError, Refusal, nearest


def problem(key: str = "hub.runners.size", value: object = "tiny") -> Problem:
    return Problem(key, value, "a rule", "a consequence", "a fix")


def test_problem_shows_its_five_parts_in_order() -> None:
    text = str(problem())
    parts = ("hub.runners.size", "'tiny'", "a rule", "a consequence", "a fix")
    places = [text.index(part) for part in parts]
    assert places == sorted(places)


@pytest.mark.parametrize(("value", "shown"), [(None, "(absent)"), ("", "''"), (0, "0"), (False, "False")])
def test_absent_value_is_told_from_an_empty_one(value: object, shown: str) -> None:
    assert str(problem(value=value)).splitlines()[0] == f"hub.runners.size = {shown}"


def test_all_problems_are_in_one_message_and_counted() -> None:
    error = ProblemsError("Pulumi.hub.yaml", iter([problem("a"), problem("b"), problem("c")]))
    assert str(error).startswith("Pulumi.hub.yaml: 3 problems; nothing was changed.")
    assert [line.strip()[:4] for line in str(error).splitlines() if " = " in line] == ["1. a", "2. b", "3. c"]
    assert [item.key for item in error.problems] == ["a", "b", "c"]


def test_one_problem_is_not_problems() -> None:
    assert str(ProblemsError("file", [problem()])).startswith("file: 1 problem; ")


def test_refusal_is_known_by_its_rule() -> None:
    refusal = Refusal("rule", "consequence", "fix")
    assert (str(refusal), refusal.rule, refusal.consequence, refusal.fix) == ("rule", "rule", "consequence", "fix")


def test_near_miss_gets_the_right_word() -> None:
    assert nearest("regoin", ["region", "owner", "system"]) == "did you mean `region`?"


def test_far_miss_gets_the_list() -> None:
    assert nearest("xyz", ["region", "owner"]) == "one of: owner, region"


def test_long_list_is_cut() -> None:
    hint = nearest("?", [f"word-{number:03}" for number in range(100)])
    assert hint.endswith(", …")
    assert len(hint) < 400


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("00000000-0000-0000-0000-0000000000a1", True),
        ("/subscriptions/00000000-0000-0000-0000-0000000000c1/resourceGroups/l1vh", True),
        ("rehearsal-org/kubevirt", True),
        ("ci-costs@Rehearsal.example", True),
        ("6f3f9a44-1c1f-4a58-9d3e-2b6a3c1d0e5f", False),
        ("octo-lab/kubevirt", False),
        ("", False),
    ],
)
def test_placeholders_are_known_by_their_look(value: str, expected: bool) -> None:
    assert is_placeholder(value) is expected
