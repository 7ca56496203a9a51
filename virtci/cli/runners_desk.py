"""What the commands about on-demand runners have in common: the launcher that they act with, and the run that is meant."""

import argparse
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from virtci.cli.step import answering
from virtci.cli.targets import progress, stack_outputs, stack_settings
from virtci.core.problems import Refusal
from virtci.core.runners.naming import Run

if TYPE_CHECKING:
    from virtci.fleet.runners.build import Desk
    from virtci.fleet.runners.ports import Limits
    from virtci.outputs.contract import Outputs, RunnersPart

STACK = "kontain"
INTERRUPTED = 130
RUN = "id of a workflow run, owner/name/id/attempt, a label, a stack, or the name of a machine"
"""How the machines of a run are named on a command line."""
GIVEN = {
    "repository": "GITHUB_REPOSITORY",
    "workflow": "GITHUB_WORKFLOW",
    "run_number": "GITHUB_RUN_NUMBER",
    "run_id": "GITHUB_RUN_ID",
    "attempt": "GITHUB_RUN_ATTEMPT",
}
"""What names a run, and the variables in which Actions says it."""
NUMBERS = ("run_number", "run_id", "attempt")


def add_deployment(parser: Any, *, keys: bool = False) -> None:
    """Adds where the runners stand; `keys` for a command that may make a machine."""
    parser.add_argument(
        "--outputs",
        type=Path,
        metavar="FILE",
        help="outputs of the stack as JSON, or a list with them; default: ask the engine",
    )
    parser.add_argument("--stack", default=STACK, help=f"stack that declares the runners; default: {STACK}")
    if keys:
        parser.add_argument(
            "--keys", type=Path, metavar="DIR", help="folder of public SSH keys; default: as the stack says, from here"
        )


def add_run(parser: Any) -> None:
    """Adds the run whose machines are meant; in Actions it is known."""
    for name, variable in GIVEN.items():
        parser.add_argument(f"--{name.replace('_', '-')}", dest=name, help=f"default: {variable}")


def run_of(arguments: argparse.Namespace) -> Run:
    """The run of a command line. Raises `Refusal` that names everything that is missing."""
    found = {name: getattr(arguments, name) or os.environ.get(variable, "") for name, variable in GIVEN.items()}
    wrong = [name for name, value in found.items() if not value or (name in NUMBERS and not value.isdecimal())]
    if wrong:
        raise Refusal(
            f"a run is known by its {', '.join(name.replace('_', ' ') for name in wrong)}; numbers are decimal",
            "no machine could be told from another run's",
            f"run it in Actions, or set {', '.join(GIVEN[name] for name in wrong)}",
        )
    return Run(
        repository=found["repository"],
        workflow=found["workflow"],
        run_number=int(found["run_number"]),
        run_id=int(found["run_id"]),
        attempt=int(found["attempt"]),
    )


def acting(run: Callable[[argparse.Namespace], int]) -> Callable[[argparse.Namespace], int]:
    """A command whose refusals, and what clouds and GitHub did not do, are said in words."""

    def running(arguments: argparse.Namespace) -> int:
        from virtci.fleet.runners.ports import StartFailed

        try:
            return run(arguments)
        except StartFailed as failed:
            raise Refusal(
                "the clouds, GitHub and the state do what they are asked for",
                str(failed),
                "run this again; the next sweep finishes what is left",
            ) from None
        except KeyboardInterrupt:
            progress("interrupted; the next sweep finishes what is left, or takes it down")
            return INTERRUPTED

    return answering(running)


def deployed(arguments: argparse.Namespace) -> "tuple[Outputs, RunnersPart]":
    """The outputs of the stack that declares the runners. Raises `Refusal`."""
    from virtci.fleet.runners.build import require_part

    outputs = stack_outputs(arguments.outputs, arguments.stack)
    return outputs, require_part(outputs)


def require_repository(part: "RunnersPart", run: Run) -> None:
    """Raises `Refusal` for a run of a repository that has no runners here."""
    if run.repository.lower() != part.repository.lower():
        raise Refusal(
            f"these runners are for {part.repository}, not for {run.repository}",
            "GitHub would not give its jobs to them",
            "run it in that repository, or hand over the outputs of the stack for this one",
        )


def desk(arguments: argparse.Namespace, limits: "Limits | None" = None) -> "Desk":
    """The launcher of a command line. Raises `Refusal` or `ProblemsError` where something is missing."""
    from virtci.fleet.runners import build
    from virtci.fleet.runners.keys import public_keys

    outputs, part = deployed(arguments)
    keys = public_keys(arguments.keys or Path(part.keys)) if hasattr(arguments, "keys") else ()
    return build.desk(
        outputs, stack_settings(outputs.stack, "nobody knows whose machines these are"), keys, _observe, limits
    )


def summarise(text: str) -> None:
    """Markdown for the summary of the job; the log has tables for people."""
    from virtci.fleet.actions import add_summary

    if file := os.environ.get("GITHUB_STEP_SUMMARY"):
        add_summary(Path(file), text)


def show(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table for people, with what was found and nothing else."""
    from virtci.cli.tables import add_row, new_table, print_table

    table = new_table(*columns)
    for row in rows:
        add_row(table, *row)
    print_table(table)


def _observe(about: str, said: str) -> None:
    progress(f"{about}: {said}" if about else said)
