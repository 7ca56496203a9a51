"""Differences down to single values."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtci.core.inventory import UNKNOWN
from virtci.core.sealed import SECRET
from virtci.fleet.differences import ABSENT, LONGEST, Difference, differences, shown, value_at

RULE = {"name": "allow", "priority": 100}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("a.b", 1),
        ("a.missing", ABSENT),
        ("a.b.deeper", ABSENT),
        ("list[1].name", "second"),
        ("list[9]", ABSENT),
        ('tags["kubernetes.io/arch"]', "amd64"),
        ("sealed.inside[0]", SECRET),
        ("later.id", UNKNOWN),
    ],
)
def test_a_path_in_the_engine_s_notation_finds_its_value(path: str, value: Any) -> None:
    values = {
        "a": {"b": 1},
        "list": [{"name": "first"}, {"name": "second"}],
        "tags": {"kubernetes.io/arch": "amd64"},
        "sealed": SECRET,
        "later": UNKNOWN,
    }
    assert value_at(values, path) is value or value_at(values, path) == value


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        ({"p": 1}, {"p": 2}, [Difference("p", "1", "2")]),
        ({}, {"p": True}, [Difference("p", "(absent)", "true")]),
        ({"p": "x"}, {"p": UNKNOWN}, [Difference("p", "x", "(known after the deployment)")]),
        ({"p": SECRET}, {"p": SECRET}, [Difference("p", "[secret]", "[secret]")]),
        ({"p": {"a": 1, "b": 2}}, {"p": {"a": 1, "b": 3}}, [Difference("p.b", "2", "3")]),
        ({"p": [1, 2]}, {"p": [1, 3]}, [Difference("p[1]", "2", "3")]),
        ({"p": [1, 2]}, {"p": [2]}, [Difference("p", "[1]", "[]")]),
        (
            {"p": [RULE, {"name": "deny", "priority": 200}]},
            {"p": [{"name": "deny", "priority": 101}]},
            [
                Difference("p[allow]", '{"name": "allow", "priority": 100}', "(absent)"),
                Difference("p[deny].priority", "200", "101"),
            ],
        ),
        ({"p": [1, 1]}, {"p": [1]}, [Difference("p", "[1, 1]", "[1]")]),
    ],
)
def test_a_difference_is_named_as_deep_as_it_goes(
    before: dict[str, Any], after: dict[str, Any], found: list[Difference]
) -> None:
    assert differences(before, after, ["p"]) == found


def test_a_long_value_is_cut_and_an_arm_id_keeps_its_end() -> None:
    assert shown("x" * 200) == f"{'x' * LONGEST}… (200 characters)"
    assert shown(f"/subscriptions/{'0' * 100}/virtualMachines/box").endswith("/virtualMachines/box")
    assert shown("two\nlines") == "two lines"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=12,
)


@given(VALUES, VALUES)
def test_whatever_the_engine_calls_different_is_said_once_at_least(before: Any, after: Any) -> None:
    found = differences({"p": before}, {"p": after}, ["p"])
    assert found
    assert all(item.path.startswith("p") and len(item.before) < LONGEST + 40 for item in found)


@given(VALUES)
def test_a_shown_value_is_one_line(value: Any) -> None:
    assert "\n" not in shown(value)
    assert json.dumps(value) == "null" or shown(value) or value == "" or str(value).isspace()
