"""`docs/components.md` says what the sources say, and what README and documentation name is there."""

import argparse
import importlib.util
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.docs import components as page
from tools.docs.components import ROOT
from virtci.cli.main import COMMANDS
from virtci.rehearsal.endings import Ending
from virtci.rehearsal.journal import Fault, FaultPlan

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
REHEARSAL = ROOT / "docs" / "rehearsal.md"
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`\n]+)`")
BLOCK = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
SHELL = ("sh", "bash")
ROOMS = ("components", "docs", "policies", "tests", "tools", "virtci", ".github", ".ci")
FILE_AT_THE_TOP = re.compile(r"Makefile|__main__\.py|pyproject\.toml|requirements\.\w+|Pulumi\.[\w.<>*]+|README\.md")


def commands(text: str) -> Iterator[str]:
    """The commands that a page shows: in backticks, and line by line in blocks for a shell."""
    for language, block in BLOCK.findall(text):
        if language in SHELL:
            yield from (line.strip() for line in block.splitlines())
    yield from CODE.findall(BLOCK.sub("", text))


def anchors(text: str) -> set[str]:
    """The anchors that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", BLOCK.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def parser() -> argparse.ArgumentParser:
    """All commands of `virtci`."""
    made = argparse.ArgumentParser()
    below = made.add_subparsers()
    for command in COMMANDS:
        command.add_to(below)
    return made


def options() -> dict[str, set[str]]:
    """The options of every command of `virtci`."""
    return {name: options_of(command) for name, command in commands_below(parser()).items()}


def options_of(command: argparse.ArgumentParser) -> set[str]:
    """The options of a command and of the commands below it."""
    own = {option for action in command._actions for option in action.option_strings}
    return own.union(*(options_of(below) for below in commands_below(command).values()))


def commands_below(command: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """The commands that a command has."""
    found = [action for action in command._actions if isinstance(action, argparse._SubParsersAction)]
    return dict(found[0].choices) if found else {}


def named(page_of: Path) -> str:
    """A page's name in a test's id."""
    return str(page_of.relative_to(ROOT))


def test_page_is_fresh() -> None:
    assert page.publish(page.PAGE, page.render(), page.COMMAND, ["--check"]) == 0


def test_a_page_that_is_not_fresh_is_said_so_and_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = tmp_path / "components.md"

    assert page.publish(other, "text\n", page.COMMAND, ["--check"]) == 1
    assert page.COMMAND in capsys.readouterr().err
    assert page.publish(other, "text\n", page.COMMAND, []) == 0
    assert page.publish(other, "text\n", page.COMMAND, ["--check"]) == 0


def test_every_component_class_is_on_the_page() -> None:
    classes = {
        found for file in page.SOURCES.glob("*.py") for found in re.findall(r"^class (\w+)\(Component\)", file.read_text(), re.M)
    }  # fmt: skip

    assert {item.name for item in page.components()} == classes


def test_arguments_carry_their_docstrings_and_whether_they_are_required() -> None:
    machine = next(item for item in page.components() if item.name == "Machine")
    own, *nested = machine.arguments
    found = {field.name: field for field in own.fields}

    assert found["identity_id"] == page.Field(
        "identity_id", "Input[str]", True, "User-assigned identity that the machine acts as."
    )
    assert not found["time_zone"].required
    assert [item.name for item in nested] == ["GalleryImage", "MarketplaceImage"]


def test_a_component_that_does_not_say_what_it_refuses_is_an_error(tmp_path: Path) -> None:
    source = 'class Thing(Component):\n    """A thing.\n\n    Resources: none.\n    """\n    TYPE = "virt-ci:a:Thing"\n'
    (tmp_path / "thing.py").write_text(source)

    with pytest.raises(ValueError, match=r"thing\.py: the docstring of Thing has no paragraph `Refuses:`"):
        page.components(tmp_path)


@pytest.mark.parametrize("path", PAGES, ids=named)
def test_relative_links_resolve(path: Path) -> None:
    for target in LINK.findall(path.read_text()):
        if target.startswith(("http://", "https://", "mailto:")):
            continue
        file, _, anchor = target.partition("#")
        place = (path.parent / file).resolve() if file else path
        assert place.exists(), f"{target} is not there"
        if anchor:
            assert anchor in anchors(place.read_text()), f"{target}: no such heading"


@pytest.mark.parametrize("path", PAGES, ids=named)
def test_make_targets_and_commands_exist(path: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    known = options()
    for text in commands(path.read_text()):
        for target in re.findall(r"\bmake ([a-z]+)", text):
            assert target in targets, f"make {target}"
        for command, rest in re.findall(r"\bvirtci ([a-z]+)([^|;&]*)", text):
            assert command in known, f"virtci {command}"
            assert set(re.findall(r"(?<!\S)--[a-z-]+", rest)) <= known[command], text
        for module in re.findall(r"\bpython -m ([\w.]+)", text):
            assert importlib.util.find_spec(module), module


@pytest.mark.parametrize("path", PAGES, ids=named)
def test_paths_of_the_repository_exist(path: Path) -> None:
    """`<…>` and `*` stand for any name."""
    for text in CODE.findall(BLOCK.sub("", path.read_text())):
        is_path = re.fullmatch(r"[\w.<>*/-]+", text) and text.partition("/")[0] in ROOMS and "/" in text
        if is_path or FILE_AT_THE_TOP.fullmatch(text):
            pattern = re.sub(r"<[^>]*>", "*", text).rstrip("/")
            assert list(ROOT.glob(pattern)), f"{text} is not there"


def test_readme_names_every_command() -> None:
    text = (ROOT / "README.md").read_text()

    assert [name for name in options() if f"virtci {name}" not in text] == []


def test_every_ending_has_its_row_with_its_exit_code() -> None:
    rows = re.findall(r"^\| (\d+) \| ([a-z ]+) \|", REHEARSAL.read_text(), re.MULTILINE)

    assert [(int(code), name) for code, name in rows] == [
        (ending.value, ending.name.lower().replace("_", " ")) for ending in Ending
    ]


def test_every_key_of_a_fault_has_its_row() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", REHEARSAL.read_text(), re.MULTILINE)

    assert rows == list(Fault.model_fields)


def test_examples_of_fault_plans_are_fault_plans() -> None:
    plans = [block for language, block in BLOCK.findall(REHEARSAL.read_text()) if language == "json"]

    assert len(plans) == 2
    for plan in plans:
        assert FaultPlan.model_validate(json.loads(plan)).faults
