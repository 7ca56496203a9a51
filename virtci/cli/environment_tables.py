"""The tables of runners, of environments and of the pipeline, for people."""

from collections.abc import Mapping, Sequence

from rich.text import Text

from virtci.cli.console import console
from virtci.cli.tables import add_row, new_table, print_table
from virtci.rehearsal.conductor import StackResult
from virtci.rehearsal.delivery import Delivered
from virtci.rehearsal.report.environments import environment_lines, job_lines, runner_lines
from virtci.rehearsal.report.figures import duration

COLOURS = {"success": "green", "failure": "red"}


def show_runners(results: Sequence[StackResult]) -> None:
    """Prints how runners came to take jobs."""
    lines = list(runner_lines(results))
    if lines:
        shown = new_table("runner", "machine", "GitHub", "remark")
        for line in lines:
            add_row(shown, _title(line.name, line.good), line.booted, line.github, line.remark)
        print_table(shown)


def show_environments(results: Sequence[StackResult], skipped: Mapping[str, str], delivered: Delivered | None) -> None:
    """Prints how environments came to be, and what the pipeline did with them."""
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
    if delivered and delivered.skipped:
        console.print(f"skipped the pipeline: {delivered.skipped}")
    if delivered and delivered.run:
        jobs = new_table("pipeline", "#start", "result", "#real", "remark")
        for job in job_lines(delivered.run):
            result = Text(job.result, style=COLOURS.get(job.result, "dim"))
            add_row(jobs, job.name, job.number, result, duration(job.seconds) if job.seconds else "-", job.remark)
        print_table(jobs)
        for job in job_lines(delivered.run):
            if job.said:
                console.print(f"{job.name}, {job.remark}:\n{job.said}\n", markup=False)


def _title(name: str, good: bool | None) -> Text:
    return Text(name, style={True: "green", False: "red", None: "dim"}[good])
