"""`virtci rehearse`: the whole deployment, for real but for the clouds."""

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from virtci.cli import rehearse_runners
from virtci.core.problems import ProblemsError
from virtci.places import ENGINE, LEFT, ROOT
from virtci.rehearsal.endings import Ending

if TYPE_CHECKING:
    from virtci.rehearsal.conductor import Conductor, Observer, StackResult
    from virtci.rehearsal.report.pipelines import PipelineLines

READS: dict[str, tuple[str, ...]] = {
    "hub": (),
    "dev": ("hub",),
    "test": ("hub",),
    "dev-kubevirt": ("hub", "dev"),
    "test-mshv-kubevirt": ("hub", "test"),
    "test-kvm-kubevirt": ("hub", "test"),
    "test-emulation-kubevirt": ("hub", "test"),
    "kontain": (),
}
"""The stacks in their order, and what each stands on."""
ENDINGS = "; ".join(f"{ending.value} {ending.name.lower().replace('_', ' ')}" for ending in Ending)
SPACE_MIB = 500


def add_to(subparsers: Any) -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "rehearse",
        help="deploy the stacks against simulated clouds",
        description="Runs the real engine on the real program with the real policy pack, against a simulated Azure and "
        "GitHub: preview with policies, up, a second preview that must show no change, outputs held against the "
        "contract. Needs no account, reaches no cloud and leaves a report in .rehearsal/.",
        epilog=f"Exit codes: {ENDINGS}. docs/rehearsal.md says what a rehearsal proves and what it does not.",
    )
    parser.add_argument(
        "--stack", action="append", choices=READS, help="rehearse this stack and those it reads; default: all"
    )
    parser.add_argument("--fault", type=Path, metavar="FILE", help="JSON file with planned faults (docs/rehearsal.md)")
    parser.add_argument("--destroy", action="store_true", help="take everything down again; nothing may be left behind")
    parser.add_argument("--keep", action="store_true", help="keep state and project of the run, and print where")
    parser.add_argument(
        "--leave",
        type=Path,
        default=LEFT,
        metavar="DIR",
        help="folder for report, outputs and call log; default: .rehearsal",
    )
    parser.add_argument("--json", action="store_true", help="print the results as JSON instead of tables")
    parser.add_argument("--verbose", action="store_true", help="print what the engine prints")
    parser.set_defaults(run=run)
    rehearse_runners.add_to(parser.add_subparsers(title="rehearsals of their own", metavar="[runners]"))


def run(arguments: argparse.Namespace) -> int:
    """Runs the command."""
    if (ending := cannot_start()) is not Ending.GOOD:
        return ending
    # The simulated clouds take a second to import: a command that cannot start does not wait for them.
    from pydantic import ValidationError

    from virtci.rehearsal.journal import FaultPlan
    from virtci.rehearsal.world import read_stacks

    wanted = arguments.stack or list(READS)
    needed = {*wanted, *(below for name in wanted for below in READS[name])}
    names = tuple(name for name in READS if name in needed)
    try:
        stacks = read_stacks(names)
        plan = FaultPlan.model_validate_json(arguments.fault.read_text()) if arguments.fault else FaultPlan()
    except ProblemsError as problems:
        print(problems, file=sys.stderr)
        return Ending.BAD_SETTINGS
    except (OSError, ValidationError) as error:
        print(f"the fault plan {arguments.fault} cannot be read: {error}", file=sys.stderr)
        return Ending.BAD_SETTINGS
    return perform(arguments, stacks, plan)


def cannot_start() -> Ending:
    """Says what is missing before anything begins."""
    if not (ENGINE / "bin" / "pulumi").exists():
        print("there is no engine in .engine/; run `make setup`, which brings it", file=sys.stderr)
        return Ending.NO_ENGINE
    free = shutil.disk_usage(tempfile.gettempdir()).free // 2**20
    if free < SPACE_MIB:
        where = tempfile.gettempdir()
        print(
            f"{free} MiB are free under {where}; a rehearsal needs {SPACE_MIB}. Free some, or set TMPDIR.",
            file=sys.stderr,
        )
        return Ending.NO_SPACE
    return Ending.GOOD


def perform(arguments: argparse.Namespace, stacks: dict[str, Any], plan: Any) -> int:
    """Rehearses, then prints and leaves what there is to see, also when it was cut short."""
    from virtci.cli.console import console
    from virtci.cli.environment_tables import show_environments, show_pipelines, show_runners
    from virtci.cli.tables import show
    from virtci.rehearsal.conductor import Conductor, worst
    from virtci.rehearsal.engine import Workspace
    from virtci.rehearsal.world import world

    started = time.monotonic()
    observe = _silent if arguments.json else _progress
    with _folder(arguments.keep) as folder, world(stacks, plan) as simulated:
        conductor = Conductor(
            Workspace(folder, simulated.servers.environment, own=simulated.own_environments),
            simulated,
            stacks,
            observe,
            print if arguments.verbose else None,
        )
        pipelines: list[PipelineLines] = []
        try:
            if worst(conductor.build()) is Ending.GOOD:
                pipelines.extend(workflows(conductor, observe))
                if arguments.destroy:
                    conductor.take_down()
        finally:
            report = leave(conductor, pipelines, arguments.leave)
        if arguments.json:
            print(json.dumps([summary(result) for result in conductor.results], indent=2))
        else:
            show(conductor.results)
            show_runners(conductor.results)
            show_environments(conductor.results, conductor.skipped)
            show_pipelines(pipelines)
            seconds = time.monotonic() - started
            console.print(f"\n{len(conductor.results)} stacks in {seconds:.0f} s; report: {shown(report)}")
            console.print(
                "a week of on-demand runners has a rehearsal of its own: virtci rehearse runners", style="dim"
            )
            if arguments.keep:
                console.print(f"kept: {folder}")
    return int(ending(conductor.results, pipelines))


def workflows(conductor: "Conductor", observe: "Observer") -> "Iterator[PipelineLines]":
    """The workflows of those who use what was deployed, run one after the other."""
    from virtci.rehearsal.delivery import deliver
    from virtci.rehearsal.on_demand.workflow import launch
    from virtci.rehearsal.report.pipelines import pipeline_of_kubevirt, workflow_of_runners

    if any(result.settings.kubevirt for result in conductor.results):
        observe("pipeline", "run", None)
        delivered = deliver(conductor.world, conductor.workspace, conductor.results)
        observe("pipeline", "run", delivered.seconds)
        yield pipeline_of_kubevirt(delivered)
    for result in conductor.results:
        if result.settings.runners:
            observe("on-demand", "run", None)
            launched = launch(conductor.world, conductor.workspace, result)
            observe("on-demand", "run", launched.seconds)
            yield workflow_of_runners(launched)


def ending(results: "Sequence[StackResult]", pipelines: "Sequence[PipelineLines]") -> Ending:
    """The ending of everything: that of the stacks, then that of the workflows."""
    from virtci.rehearsal.conductor import worst

    found = worst(results)
    if found is Ending.GOOD and not all(lines.good for lines in pipelines):
        return Ending.PIPELINE_RED
    return found


def shown(path: Path) -> Path:
    """A path as a person in the checkout would write it."""
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


def leave(conductor: "Conductor", pipelines: "Sequence[PipelineLines]", folder: Path) -> Path:
    """Writes report, outputs and call log."""
    from virtci.rehearsal.report import write_report
    from virtci.rehearsal.report.masking import masked

    (folder / "outputs").mkdir(parents=True, exist_ok=True)
    for result in conductor.results:
        (folder / "outputs" / f"{result.name}.json").write_text(json.dumps(masked(result.outputs), indent=2))
    conductor.world.journal.write(folder / "calls.jsonl")
    report = folder / "report.html"
    write_report(conductor.results, report, pipelines=pipelines, skipped=conductor.skipped)
    return report


def summary(result: "StackResult") -> dict[str, Any]:
    """The result of a stack for tools."""
    return {
        "stack": result.name,
        "ending": result.ending.name.lower(),
        "seconds": {step: round(seconds, 2) for step, seconds in result.seconds.items()},
        "resources": len([item for item in result.resources if item.get("custom")]),
        "violations": [
            {"policy": item.policy, "level": item.level, "urn": item.urn, "message": item.message}
            for run in result.runs.values()
            for item in run.verdicts
        ],
        "errors": [error for run in result.runs.values() for error in run.errors],
        "monthlyUsd": round(sum(cost.expected for cost in result.bill.costs), 2),
        "quota": [
            {"region": line.region, "family": line.family, "needed": line.needed, "limit": line.limit}
            for line in result.quota
        ],
        "contractFaults": result.contract_faults,
        "leftBehind": result.left_behind,
    }


@contextmanager
def _folder(keep: bool) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="virt-ci-rehearsal-"))
    try:
        yield folder
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)


def _progress(stack: str, step: str, seconds: float | None) -> None:
    """A terminal sees what is running; a log gets one line when it is over."""
    from virtci.cli.console import console

    if seconds is not None:
        console.print(f"  {stack:<23} {step:<16} {seconds:5.1f} s")
    elif console.is_terminal:
        console.print(f"  {stack:<23} {step} …", end="\r")


def _silent(stack: str, step: str, seconds: float | None) -> None:
    """Tools read the result, not the way there."""
