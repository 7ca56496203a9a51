"""Reads the commands of a runbook: what stands in its `sh` blocks, by section and by step."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from tests.committed import ROOT

RUNBOOKS = ROOT / "docs" / "runbooks"
EXIT_CODE = re.compile(r"#\s*exit code (\d+)")


@dataclass(frozen=True)
class Command:
    """One command line: its words, and the exit code that the runbook announces."""

    text: str
    words: tuple[str, ...]
    exit_code: int


def commands(runbook: Path) -> dict[str, list[Command]]:
    """The commands by place: `step 2` for those of a numbered step, the title of the section for others."""
    found: dict[str, list[Command]] = {}
    place, inside = "", False
    for line in runbook.read_text().splitlines():
        text = line.strip()
        if text.startswith("```"):
            inside = not inside and text == "```sh"
        elif inside and text:
            found.setdefault(place, []).append(command(text))
        elif line.startswith("## "):
            place = line.removeprefix("## ")
        elif step := re.match(r"(\d+)\. ", line):
            place = f"step {step.group(1)}"
    return found


def command(text: str) -> Command:
    """One line of a block."""
    announced = EXIT_CODE.search(text)
    return Command(text, tuple(shlex.split(text, comments=True)), int(announced.group(1)) if announced else 0)
