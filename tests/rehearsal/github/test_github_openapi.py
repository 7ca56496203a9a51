"""The table of GitHub's operations, and how the simulator is held to it."""

import json
import runpy
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from virtci.rehearsal.github.contract import contract
from virtci.rehearsal.github.operations import OPERATIONS

TABLE = Path(str(resources.files("virtci.data").joinpath("github-openapi.json")))
TOOL = Path(__file__).parents[3] / "tools" / "github_openapi.py"


def test_every_declared_operation_is_simulated_and_no_other() -> None:
    assert {operation.name for operation in contract().operations} == set(OPERATIONS)


def test_the_table_says_where_it_is_from_and_is_small() -> None:
    table = json.loads(TABLE.read_text())
    assert all(table[key] for key in ("source", "version", "date"))
    assert TABLE.stat().st_size < 150_000


def test_the_table_is_structure_without_prose() -> None:
    def keywords(node: Any, named: bool = False) -> set[str]:
        if isinstance(node, dict):
            below = [keywords(value, key in ("properties", "responses")) for key, value in node.items()]
            return set().union(*below, set() if named else node.keys())
        return set().union(*map(keywords, node)) if isinstance(node, list) else set()

    assert not keywords(json.loads(TABLE.read_text())) & {"description", "summary", "example", "examples", "x-github"}


def test_the_tool_cuts_the_same_table_out_of_the_table(tmp_path: Path) -> None:
    table = json.loads(TABLE.read_text())
    again = tmp_path / "again.json"
    tool = runpy.run_path(str(TOOL))
    tool["main"]([str(TABLE), str(again), "--version", table["version"], "--date", table["date"]])
    assert again.read_text() == TABLE.read_text()


def test_an_answer_that_the_description_does_not_allow_is_the_simulator_s_error() -> None:
    found = contract().find("GET", "/repos/octo-lab/virt-ci/environments/dev/variables/REGION")
    assert found is not None
    operation, names = found
    assert names["name"] == "REGION"
    for status, body in ((200, {"name": "REGION"}), (202, None), (404, {"message": 1})):
        with pytest.raises(AssertionError):
            contract().check_answer(operation, status, body)
