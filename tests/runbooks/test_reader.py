"""Runbooks have the same parts, and what stands in the blocks of the rehearsed ones can be run as it is."""

from pathlib import Path

import pytest

from tests.runbooks.follower import PROGRAMS
from tests.runbooks.reader import RUNBOOKS, command, commands

PARTS = ["Symptom", "What it means", "Steps", "How to check", "How it is prevented"]
REHEARSED = ("aks-upgrade", "gate-rollback", "hypervisor-absent", "rebuild-machine", "rotate-keys")


@pytest.mark.parametrize("runbook", sorted(RUNBOOKS.glob("*.md")), ids=lambda path: path.stem)
def test_a_runbook_goes_from_the_symptom_to_how_it_is_prevented(runbook: Path) -> None:
    titles = [line.removeprefix("## ") for line in runbook.read_text().splitlines() if line.startswith("## ")]

    assert titles == PARTS


@pytest.mark.parametrize("name", REHEARSED)
def test_every_command_of_a_rehearsed_runbook_is_followed_somewhere(name: str) -> None:
    found = commands(RUNBOOKS / f"{name}.md")
    test = (Path(__file__).parent / f"test_{name.replace('-', '_')}.py").read_text()

    assert "How to check" in found
    for place, lines in found.items():
        assert f'follow("{place}")' in test, place
        assert {line.words[0] for line in lines} <= PROGRAMS.keys()


def test_a_command_says_how_it_ends() -> None:
    assert command("virtci readiness dev  # exit code 2").exit_code == 2
    assert command("virtci readiness dev").exit_code == 0
    assert command("pulumi up --replace 'urn:a$b'").words == ("pulumi", "up", "--replace", "urn:a$b")


def test_commands_are_found_by_their_place(tmp_path: Path) -> None:
    text = "## Steps\n\n1. First:\n\n   ```sh\n   a b\n   ```\n\n   ```text\n   no command\n   ```\n\n## How to check\n\n```sh\nc\n```\n"
    (tmp_path / "x.md").write_text(text)

    found = commands(tmp_path / "x.md")

    assert {place: [line.words for line in lines] for place, lines in found.items()} == {
        "step 1": [("a", "b")],
        "How to check": [("c",)],
    }
