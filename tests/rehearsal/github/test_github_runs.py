"""Workflow runs and jobs of the simulated GitHub: what is listed, and which runner gets a job."""

from typing import Any

import httpx
import pytest

from virtci.rehearsal.clock import SimulatedClock
from virtci.rehearsal.github.api import Server
from virtci.rehearsal.github.runners import connect, enrol
from virtci.rehearsal.github.store import Runner, WorkflowRun
from virtci.rehearsal.github.workflow_runs import cancel, finish_job, open_run, queue_job, rerun_failed, take_job

PLACE = "octo-lab/virt-ci"
RUNS = f"/repos/{PLACE}/actions/runs"


@pytest.fixture
def run(server: Server) -> WorkflowRun:
    return opened(server, "KM CI Pipeline", 1279)


def opened(server: Server, workflow: str, number: int) -> WorkflowRun:
    with server.held() as world:
        return open_run(world, world.scenario.repositories[0], workflow, number, branch="topic")


def runner(server: Server, api: httpx.Client, *labels: str, place: str = PLACE) -> Runner:
    token = api.post(f"/repos/{place}/actions/runners/registration-token").json()["token"]
    with server.held() as world:
        name = f"runner-{len(world.runners)}"
        made = enrol(world, token, place, name, labels, "2.336.0", replace=False, default_labels=False)
        return connect(world, made.credential)


def jobs(api: httpx.Client, run: WorkflowRun, attempt: int = 1) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.get(f"{RUNS}/{run.id}/attempts/{attempt}/jobs").json()["jobs"]
    return found


def test_a_run_says_whose_it_is(api: httpx.Client, run: WorkflowRun) -> None:
    found = api.get(f"{RUNS}/{run.id}").json()
    assert [found[name] for name in ("id", "name", "run_number", "run_attempt", "head_branch", "event")] == [
        run.id, "KM CI Pipeline", 1279, 1, "topic", "push"
    ]  # fmt: skip
    assert (found["status"], found["conclusion"], found["repository"]["full_name"]) == ("queued", None, PLACE)


def test_a_run_that_is_not_there_is_not_found(api: httpx.Client, run: WorkflowRun) -> None:
    assert api.get(f"{RUNS}/1").status_code == 404
    assert api.get(f"/repos/octo-lab/vault/actions/runs/{run.id}").status_code == 404
    assert [api.get(f"{RUNS}/{run.id}/attempts/{number}/jobs").status_code for number in (0, 1, 2)] == [404, 200, 404]


def test_a_job_goes_to_an_idle_runner_with_all_of_its_labels(
    api: httpx.Client, server: Server, run: WorkflowRun
) -> None:
    some, all_of_them = runner(server, api, "linux"), runner(server, api, "linux", "mine")
    others = runner(server, api, "linux", "mine", place="octo-lab/vault")
    with server.held() as world:
        queue_job(world, run, "test", ["Linux", "MINE"])
        assert take_job(world, some) is None
        assert take_job(world, others) is None
        job = take_job(world, all_of_them)
    assert job is not None
    (found,) = jobs(api, run)
    assert [found[name] for name in ("status", "runner_name", "runner_id", "labels", "workflow_name")] == [
        "in_progress", all_of_them.name, all_of_them.id, ["Linux", "MINE"], "KM CI Pipeline"
    ]  # fmt: skip


def test_a_busy_runner_and_one_that_is_away_get_no_job(api: httpx.Client, server: Server, run: WorkflowRun) -> None:
    busy, away = runner(server, api, "mine"), runner(server, api, "mine")
    away.online = False
    with server.held() as world:
        for name in ("first", "second"):
            queue_job(world, run, name, ["mine"])
        assert take_job(world, busy) is not None
        assert (take_job(world, busy), take_job(world, away)) == (None, None)
    assert [job["status"] for job in jobs(api, run)] == ["in_progress", "queued"]


def test_the_job_that_waits_longest_is_first(
    api: httpx.Client, server: Server, clock: SimulatedClock, run: WorkflowRun
) -> None:
    other = opened(server, "other", 2)
    mine = runner(server, api, "mine")
    with server.held() as world:
        queue_job(world, other, "early", ["mine"])
        clock.advance(10)
        queue_job(world, run, "late", ["mine"])
        first = take_job(world, mine)
    assert first is not None
    assert first.name == "early"


def test_a_run_is_over_with_its_last_job_and_one_failure_is_enough(
    api: httpx.Client, server: Server, clock: SimulatedClock, run: WorkflowRun
) -> None:
    with server.held() as world:
        made = [queue_job(world, run, name, ["mine"]) for name in ("a", "b")]
        finish_job(world, made[0], "failure")
    assert api.get(f"{RUNS}/{run.id}").json()["status"] == "in_progress"
    clock.advance(60)
    with server.held() as world:
        finish_job(world, made[1], "success")
    found = api.get(f"{RUNS}/{run.id}").json()
    assert (found["status"], found["conclusion"]) == ("completed", "failure")
    assert [job["completed_at"][14:16] for job in jobs(api, run)] == ["00", "01"]


def test_runs_are_listed_by_status_or_conclusion_the_newest_first(
    api: httpx.Client, server: Server, run: WorkflowRun
) -> None:
    done, waiting = opened(server, "CI", 2), opened(server, "CI", 3)
    with server.held() as world:
        finish_job(world, queue_job(world, done, "a", ["mine"]), "success")
        queue_job(world, waiting, "a", ["mine"])

    def listed(**query: str | int) -> list[int]:
        return [item["id"] for item in api.get(RUNS, params=query).json()["workflow_runs"]]

    assert listed() == [waiting.id, done.id, run.id]
    assert listed(status="queued") == [waiting.id, run.id]
    assert listed(status="success") == listed(status="completed") == [done.id]
    assert listed(status="queued", per_page=1, page=2) == [run.id]


def test_failed_jobs_that_are_run_again_wait_under_the_same_labels_in_the_next_attempt(
    api: httpx.Client, server: Server, run: WorkflowRun
) -> None:
    with server.held() as world:
        good, bad = (queue_job(world, run, name, ["mine"]) for name in ("good", "bad"))
        finish_job(world, good, "success")
        finish_job(world, bad, "failure")
        rerun_failed(world, run)
    found = api.get(f"{RUNS}/{run.id}").json()
    assert (found["run_attempt"], found["status"]) == (2, "queued")
    assert [(job["name"], job["labels"], job["run_attempt"]) for job in jobs(api, run, 2)] == [("bad", ["mine"], 2)]
    assert [job["conclusion"] for job in jobs(api, run)] == ["success", "failure"]


def test_a_run_that_is_cancelled_frees_its_runners(api: httpx.Client, server: Server, run: WorkflowRun) -> None:
    mine = runner(server, api, "mine")
    with server.held() as world:
        for name in ("runs", "waits"):
            queue_job(world, run, name, ["mine"])
        take_job(world, mine)
        cancel(world, run)
    assert [job["conclusion"] for job in jobs(api, run)] == ["cancelled", "cancelled"]
    assert [len(job["steps"]) for job in jobs(api, run)] == [1, 0]
    assert api.get(f"{RUNS}/{run.id}").json()["conclusion"] == "cancelled"
    assert not mine.busy
