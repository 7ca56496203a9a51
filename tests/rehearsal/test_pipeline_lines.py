"""What people are told of workflows that were run."""

from virtci.rehearsal.delivery import Delivered
from virtci.rehearsal.endings import Ending
from virtci.rehearsal.on_demand.workflow import Launched
from virtci.rehearsal.pipeline.act import WorkflowRun
from virtci.rehearsal.pipeline.log import JobRun, StepRun
from virtci.rehearsal.report.page import render
from virtci.rehearsal.report.pipelines import PipelineLines, pipeline_of_kubevirt, workflow_of_runners


def job(name: str, result: str = "success", said: str = "") -> JobRun:
    steps = {"0": StepRun("start", result, 1.0, said.splitlines())} if said else {}
    return JobRun(ids=(name,), names=(name,), result=result, started=1, seconds=2.0, steps=steps)  # type: ignore[arg-type]  # a result


def run(*jobs: JobRun) -> WorkflowRun:
    return WorkflowRun(jobs, 2.0, 1)


def test_a_failed_job_shows_its_step_and_the_end_of_its_log() -> None:
    lines = workflow_of_runners(Launched(run=run(job("start", "failure", "no units\nQUOTA"), job("test", "skipped"))))

    assert not lines.good
    assert [(line.name, line.result, line.remark, line.said) for line in lines.jobs] == [
        ("start", "failure", "step: start", "no units\nQUOTA"),
        ("test", "skipped", "", ""),
    ]


def test_a_green_workflow_that_left_a_machine_behind_is_not_good() -> None:
    lines = workflow_of_runners(Launched(run=run(job("start")), left=("instance i-1",)))

    assert not lines.good
    assert lines.remarks == ("left behind: instance i-1",)


def test_a_workflow_that_cannot_run_here_says_why_and_is_not_red() -> None:
    for lines in (workflow_of_runners(Launched(skipped="no act")), pipeline_of_kubevirt(Delivered(skipped="no act"))):
        assert (lines.good, lines.skipped, lines.jobs) == (True, "no act", ())


def test_the_report_has_a_section_for_each_workflow() -> None:
    shown = workflow_of_runners(Launched(run=run(job("start-runners"))))
    skipped = pipeline_of_kubevirt(Delivered(skipped="there is no act"))

    text = render([], (), [skipped, shown])

    assert 'href="#on-demand"' in text
    assert "Skipped: there is no act" in text
    assert "start-runners" in text


def test_one_red_workflow_makes_the_rehearsal_red() -> None:
    from virtci.cli.rehearse import ending

    good = PipelineLines(id="a", title="a", lead="", jobs=())
    red = PipelineLines(id="b", title="b", lead="", jobs=(), good=False)

    assert ending([], [good]) is Ending.GOOD
    assert ending([], [good, red]) is Ending.PIPELINE_RED
