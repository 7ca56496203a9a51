"""The tables of runners, of environments and of workflows that were run, for people."""

from collections.abc import Mapping, Sequence

from rich.text import Text

from virtci.cli.console import console
from virtci.cli.tables import add_row, new_table, print_table
from virtci.rehearsal.conductor import StackResult
from virtci.rehearsal.report.environments import environment_lines, runner_lines
from virtci.rehearsal.report.figures import duration
from virtci.rehearsal.report.pipelines import PipelineLines

COLOURS = {"success": "green", "failure": "red"}


def show_runners(results: Sequence[StackResult]) -> None:
    """Prints how runners came to take jobs."""
    lines = list(runner_lines(results))
    if lines:
        shown = new_table("runner", "machine", "GitHub", "remark")
        for line in lines:
            add_row(shown, _title(line.name, line.good), line.booted, line.github, line.remark)
        print_table(shown)


def show_environments(results: Sequence[StackResult], skipped: Mapping[str, str]) -> None:
    """Prints how environments came to be."""
    for name, reason in skipped.items():
        console.print(f"skipped {name}: {reason}")
    lines = list(environment_lines(results))
    if lines:
        shown = new_table("environment", "machine", "hypervisor", "nodes", "gate", "KubeVirt")
        for line in lines:
            add_row(
                shown, _title(line.name, line.good), line.booted, line.hypervisor, line.nodes, line.gate, line.kubevirt
            )
        print_table(shown)
        for line in lines:
            for reason in line.reasons:
                console.print(f"{line.name}: {reason}")
        console.print()


def show_pipelines(pipelines: Sequence[PipelineLines]) -> None:
    """Prints what the jobs of workflows did."""
    for found in pipelines:
        if found.skipped:
            console.print(f"skipped the {found.title.lower()}: {found.skipped}", markup=False)
            continue
        jobs = new_table(found.title.lower(), "#start", "result", "#real", "remark")
        for job in found.jobs:
            result = Text(job.result, style=COLOURS.get(job.result, "dim"))
            add_row(jobs, job.name, job.number, result, duration(job.seconds) if job.seconds else "-", job.remark)
        print_table(jobs)
        for said in (*(f"{job.name}, {job.remark}:\n{job.said}\n" for job in found.jobs if job.said), *found.remarks):
            console.print(said, markup=False)
        if found.remarks:
            console.print()


def _title(name: str, good: bool | None) -> Text:
    return Text(name, style={True: "green", False: "red", None: "dim"}[good])
