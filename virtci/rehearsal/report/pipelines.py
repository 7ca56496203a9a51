"""What the rehearsal shows of workflows that were run: their jobs, how they ended, and what else is to be said of them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from virtci.rehearsal.delivery import Delivered
from virtci.rehearsal.on_demand.workflow import Launched
from virtci.rehearsal.pipeline.log import JobRun
from virtci.rehearsal.pipeline.rehearse import PipelineRun

SHOWN_LINES = 20
Remark = Callable[[Sequence[str]], str]
"""What is said of a job that ended well, by its names."""


@dataclass(frozen=True, kw_only=True, slots=True)
class JobLine:
    """One job of a pipeline."""

    number: str
    name: str
    result: str
    seconds: float
    remark: str
    said: str = ""
    """How the log of the step that failed ends."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PipelineLines:
    """One workflow, in words. `skipped`: why it was not run; `remarks`: of the whole of it."""

    id: str
    title: str
    lead: str
    jobs: tuple[JobLine, ...]
    remarks: tuple[str, ...] = ()
    skipped: str = ""
    good: bool = True


def pipeline_of_kubevirt(delivered: Delivered) -> PipelineLines:
    """The pipeline that used the environments."""
    run = delivered.run
    return PipelineLines(
        id="pipeline",
        title="Pipeline of KubeVirt",
        lead="The real workflow files, run by act on the environments above, which were parked before. Builds, suite and registry "
        "are stand-ins. The number is the order of starts.",
        jobs=tuple(job_lines(run.jobs, lambda names: _tests(run, names))) if run else (),
        skipped=delivered.skipped,
        good=delivered.succeeded,
    )


def workflow_of_runners(launched: Launched) -> PipelineLines:
    """The workflow that started, used and ended on-demand runners."""
    boots = launched.boots.boots if launched.boots else []
    told = [f"{boot.machine} booted in {boot.seconds:.0f} s; {boot.trouble or 'took jobs'}" for boot in boots]
    troubles = launched.boots.troubles if launched.boots else []
    return PipelineLines(
        id="on-demand",
        title="Workflow with on-demand runners",
        lead="The real workflow files and commands, run by act: a runner in each cloud, its machine made by the engine and booted "
        "in a sandbox, a job on it, and its end. GitHub's agent and the packages of the image are stand-ins.",
        jobs=tuple(job_lines(launched.run.jobs, lambda _: "")) if launched.run else (),
        remarks=(*told, *troubles, *(f"left behind: {item}" for item in launched.left)),
        skipped=launched.skipped,
        good=launched.succeeded,
    )


def job_lines(jobs: Iterable[JobRun], remark: Remark) -> Iterator[JobLine]:
    """The jobs in the order of their starts; what did not start comes last."""
    for job in jobs:
        failed = next((step for step in job.steps.values() if step.result == "failure"), None)
        yield JobLine(
            number=str(job.started or "-"),
            name=job.name.removeprefix("pipeline / "),
            result=str(job.result),
            seconds=job.seconds,
            remark=f"step: {failed.name}" if failed else remark(job.names),
            said="\n".join(failed.log.splitlines()[-SHOWN_LINES:]) if failed else "",
        )


def _tests(run: PipelineRun, names: Sequence[str]) -> str:
    """How the tests of an environment ended, at the job that they belong to."""
    if names[-1] != "test":
        return ""
    found = next((item for environment, item in run.results.items() if environment.value == names[-2]), None)
    if found is None:
        return ""
    if found.reason:
        return found.reason
    return f"{found.passed} passed, {found.failed} failed, {found.skipped} skipped"
