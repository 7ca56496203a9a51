"""What a step of a workflow gives back: outputs, a summary, annotations, and an exit code."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from virtci.cli.refusals import NOT_ASKED
from virtci.core.problems import Problem, ProblemsError, Refusal

GOOD, RED, NOTHING_RAN = 0, 1, 2
JOB_RESULTS = ("success", "failure", "cancelled", "skipped")


def answering(
    run: Callable[[argparse.Namespace], int], refused: int = NOT_ASKED
) -> Callable[[argparse.Namespace], int]:
    """A command whose refusals are said in words, for people and as an annotation of the job."""

    def running(arguments: argparse.Namespace) -> int:
        try:
            return run(arguments)
        except ProblemsError as problems:
            print(problems, file=sys.stderr)
            _annotate(problems.problems)
            return refused if refused != NOT_ASKED else NOTHING_RAN
        except Refusal as refusal:
            print(f"{refusal.rule}; {refusal.consequence}\nfix: {refusal.fix}", file=sys.stderr)
            _annotate([Problem("pipeline", None, refusal.rule, refusal.consequence, refusal.fix)])
            return refused

    return running


def _annotate(problems: Sequence[Problem]) -> None:
    """What GitHub shows above the log; it ends at a line break."""
    for problem in problems if os.environ.get("GITHUB_ACTIONS") else ():
        sentence = f"{problem.rule}; {problem.consequence}; fix: {problem.fix}"
        print("::error::" + " ".join(sentence.replace("%", "%25").split()))


def text_of(file: Path) -> str:
    """What a file holds. Raises `Refusal` for one that cannot be read."""
    try:
        return file.read_text()
    except OSError as error:
        raise Refusal(
            f"{file} can be read",
            f"there is nothing to work with: {error.strerror}",
            "look at the step before, which writes it",
        ) from None


def set_output(name: str, value: str) -> None:
    """An output of the step. A line break in a value would begin another output."""
    value = " ".join(value.splitlines())
    if file := os.environ.get("GITHUB_OUTPUT"):
        with Path(file).open("a", encoding="utf-8") as outputs:
            outputs.write(f"{name}={value}\n")
    print(f"{name}={value}")


def write_summary(text: str) -> None:
    """Markdown for the summary of the job, and for the log."""
    from virtci.fleet.actions import add_summary

    if file := os.environ.get("GITHUB_STEP_SUMMARY"):
        add_summary(Path(file), text)
    print(text)
