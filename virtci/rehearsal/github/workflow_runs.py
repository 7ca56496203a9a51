"""Workflow runs of the simulated GitHub: what its REST API says of them, and how jobs find runners.

Rules: GitHub's REST reference and "Using self-hosted runners in a workflow": a job goes to an idle runner that has all of its
labels, in any case of letters; an ephemeral runner is gone after its job; a job whose runner is away waits. Which jobs a run
has is said by whoever rehearses: nothing here reads workflows.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from virtci.rehearsal.github import views
from virtci.rehearsal.github.contract import not_found
from virtci.rehearsal.github.exchange import Answer, Handler, Request, page
from virtci.rehearsal.github.store import Job, Repository, Runner, WorkflowRun, World


def list_runs(world: World, request: Request) -> Answer:
    """The runs of a repository, the newest first; `status` is a status or a conclusion."""
    repository = _repository(world, request)
    known = [item for (owner, _), item in reversed(world.runs.items()) if owner == repository.id]
    wanted = request.query.get("status")
    found = [item for item in known if wanted in (None, item.status, item.conclusion)]
    shown = [views.workflow_run(world, repository, item) for item in page(found, request.query)]
    return Answer(200, {"total_count": len(found), "workflow_runs": shown})


def get_run(world: World, request: Request) -> Answer:
    """One run, as of its last attempt."""
    return Answer(200, views.workflow_run(world, _repository(world, request), _run(world, request)))


def list_jobs(world: World, request: Request) -> Answer:
    """The jobs of an attempt."""
    repository, run, attempt = _repository(world, request), _run(world, request), int(request.path["attempt_number"])
    if not 1 <= attempt <= len(run.attempts):
        raise not_found()
    jobs = run.attempts[attempt - 1]
    shown = [views.job(world, repository, run, attempt, item) for item in page(jobs, request.query)]
    return Answer(200, {"total_count": len(jobs), "jobs": shown})


OPERATIONS: Mapping[str, Handler] = {
    "actions/list-workflow-runs-for-repo": list_runs,
    "actions/get-workflow-run": get_run,
    "actions/list-jobs-for-workflow-run-attempt": list_jobs,
}


def open_run(world: World, repository: Repository, workflow: str, number: int, **more: Any) -> WorkflowRun:
    """A new run; `more` are its event and branch."""
    made = WorkflowRun(world.next_id(), workflow, number, world.clock.now, **more)
    world.runs[repository.id, made.id] = made
    return made


def queue_job(world: World, run: WorkflowRun, name: str, labels: Sequence[str], does: str = "") -> Job:
    """A job of the last attempt whose needs are met."""
    made = Job(world.next_id(), name, tuple(labels), world.clock.now, does)
    run.attempts[-1].append(made)
    return made


def rerun_failed(world: World, run: WorkflowRun) -> list[Job]:
    """A new attempt with the jobs that did not succeed: the same names, labels and work, new ids."""
    again = [item for item in run.attempts[-1] if item.conclusion not in ("success", "skipped")]
    run.attempts.append([])
    return [queue_job(world, run, item.name, item.labels, item.does) for item in again]


def take_job(world: World, runner: Runner) -> Job | None:
    """The job that GitHub gives to a runner: the one that waits longest among those that fit."""
    repository = next((owner for (owner, _), item in world.runners.items() if item is runner), None)
    if repository is None or runner.busy or not runner.online:
        return None
    own = {label.lower() for label in runner.labels}
    waiting = [job for (owner, _), run in world.runs.items() if owner == repository for job in run.attempts[-1]]
    fitting = [job for job in waiting if job.status == "queued" and {label.lower() for label in job.labels} <= own]
    if not fitting:
        return None
    job = min(fitting, key=lambda item: item.created_at)
    job.status, job.runner, job.started_at = "in_progress", runner, world.clock.now
    runner.busy = True
    return job


def finish_job(world: World, job: Job, conclusion: str) -> None:
    """The end of a job, whatever became of it before; an ephemeral runner has no record afterwards."""
    job.status, job.conclusion, job.completed_at = "completed", conclusion, world.clock.now
    if job.runner is None:
        return
    job.runner.busy = False
    if job.runner.ephemeral:
        world.runners = {key: item for key, item in world.runners.items() if item is not job.runner}


def cancel(world: World, run: WorkflowRun) -> None:
    """Somebody cancels a run: the jobs that are not over are."""
    for job in run.attempts[-1]:
        if job.status != "completed":
            finish_job(world, job, "cancelled")


def _repository(world: World, request: Request) -> Repository:
    return world.repository(request.path["owner"], request.path["repo"])


def _run(world: World, request: Request) -> WorkflowRun:
    try:
        return world.runs[_repository(world, request).id, int(request.path["run_id"])]
    except KeyError:
        raise not_found() from None
