"""GitHub as the launcher asks it: registrations, records, runs, and what it says when it does not answer."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import httpx
import pytest

from virtci.core.problems import Refusal
from virtci.core.runners.clouds import Serves
from virtci.core.runners.failures import Code
from virtci.fleet.runners.github import GitHubActions
from virtci.fleet.runners.ports import Credential, StartFailed, Unanswered
from virtci.rehearsal.clock import SimulatedClock
from virtci.rehearsal.github.api import GitHubScenario, Server, serve
from virtci.rehearsal.github.runners import connect, enrol
from virtci.rehearsal.github.store import Job, Runner, WorkflowRun
from virtci.rehearsal.github.workflow_runs import cancel, finish_job, open_run, queue_job, rerun_failed, take_job
from virtci.rehearsal.journal import Fault, FaultPlan, Journal, calls_of

PLACE = "octo-lab/km"
LABEL, OTHER = "virt-ci-azure-7-1-1-0a1b2c3d", "virt-ci-ec2-7-1-1-0a1b2c3d"
LABELS = ("self-hosted", "linux", "x64", LABEL)
JIT = f"/repos/{PLACE}/actions/runners/generate-jitconfig"


@dataclass
class Desk:
    """GitHub, the launcher's side of it, and what happens there."""

    server: Server
    actions: GitHubActions

    @property
    def clock(self) -> SimulatedClock:
        return self.server.world.clock

    def planned(self, *faults: dict[str, object]) -> None:
        found = tuple(Fault.model_validate({"cloud": "github", **fault}) for fault in faults)
        self.server.journal.plan = FaultPlan(faults=found)

    def calls(self, operation: str, path: str) -> int:
        return len([call for call in calls_of(self.server.journal.calls, "github", operation) if call.target == path])

    def agent(self, label: str = LABEL) -> Runner:
        """A runner that serves its run, online."""
        credential = self.actions.register(label, LABELS, Serves.RUN)
        with self.server.held() as world:
            return connect(
                world, enrol(world, credential.text, PLACE, label, (label,), "2.336.0", replace=True).credential
            )

    def run(self, *labels: str, workflow: str = "CI") -> tuple[WorkflowRun, list[Job]]:
        """A run with a job for each label."""
        with self.server.held() as world:
            run = open_run(world, world.scenario.repositories[0], workflow, 1)
            return run, [queue_job(world, run, f"job {label}", ["self-hosted", label]) for label in labels]

    def job(self, runner: Runner, minutes: float, conclusion: str = "success") -> None:
        """The next job of a runner, from its beginning to its end."""
        with self.server.held() as world:
            job = take_job(world, runner)
            assert job
            self.clock.advance(minutes * 60)
            finish_job(world, job, conclusion)


@pytest.fixture
def desk() -> Iterator[Desk]:
    clock = SimulatedClock()
    scenario = GitHubScenario.model_validate(
        {
            "owner": {"login": "octo-lab", "id": 100},
            "repositories": [{"name": "km", "id": 201}],
            "requests_per_hour": 300,
        }
    )
    with (
        serve(scenario, clock, Journal(clock)) as server,
        httpx.Client(base_url=server.url, headers={"Authorization": "Bearer token"}, trust_env=False) as http,
    ):
        yield Desk(server, GitHubActions(http=http, repository=PLACE, now=lambda: clock.now))


def path(run: WorkflowRun, attempt: int = 1) -> str:
    return f"{PLACE}/{run.id}/{attempt}"


def whole(moment: datetime) -> datetime:
    """GitHub tells seconds."""
    return moment.replace(microsecond=0)


def test_a_runner_of_a_whole_run_gets_a_token(desk: Desk) -> None:
    found = desk.actions.register(LABEL, LABELS, Serves.RUN)

    ((token, (_, expires)),) = desk.server.world.registrations.items()
    assert (found.text, found.expires, found.runner_id) == (token, whole(expires), 0)


def test_a_runner_of_one_job_gets_a_configuration_and_its_record(desk: Desk) -> None:
    found = desk.actions.register(LABEL, LABELS, Serves.JOB)

    seen = desk.actions.runner(LABEL)
    assert seen
    assert (seen.id, seen.online, seen.busy) == (found.runner_id, False, False)
    assert found.expires == desk.clock.now + timedelta(hours=1)
    assert set(LABELS) <= set(desk.server.world.runners[201, LABEL].labels)


def test_a_credential_never_shows_its_text() -> None:
    assert "geheim" not in repr(Credential("geheim", datetime(2026, 1, 1)))


def test_the_record_of_an_agent_that_is_away_makes_way_once(desk: Desk) -> None:
    before = desk.actions.register(LABEL, LABELS, Serves.JOB)

    after = desk.actions.register(LABEL, LABELS, Serves.JOB)

    assert before.runner_id != after.runner_id
    assert desk.calls("POST", JIT) == 3
    assert [item.id for item in desk.actions.runners()] == [after.runner_id]


def test_a_name_that_stays_taken_is_not_asked_for_a_third_time(desk: Desk) -> None:
    desk.planned({"operation": "POST", "target": JIT, "times": 9, "status": 409, "message": "Already exists"})

    with pytest.raises(StartFailed, match="409: Already exists") as failed:
        desk.actions.register(LABEL, LABELS, Serves.JOB)

    assert (failed.value.code, desk.calls("POST", JIT)) == (Code.GITHUB, 2)


def test_a_runner_that_works_does_not_make_way(desk: Desk) -> None:
    agent = desk.agent()

    with pytest.raises(StartFailed, match="is there already, and works"):
        desk.actions.register(LABEL, LABELS, Serves.JOB)

    assert desk.server.world.runners[201, LABEL] is agent


@pytest.mark.parametrize("status", [422, 500, 503])
def test_a_configuration_is_asked_for_once(desk: Desk, status: int) -> None:
    desk.planned({"operation": "POST", "target": JIT, "status": status, "message": "No."})

    with pytest.raises(StartFailed, match=rf"{status}: No\."):
        desk.actions.register(LABEL, LABELS, Serves.JOB)

    assert desk.calls("POST", JIT) == 1


def test_all_pages_are_read_and_only_our_runners_are_seen(desk: Desk) -> None:
    ours = [f"virt-ci-azure-7-1-{number}-0a1b2c3d" for number in range(1, 120)]
    for label in (*ours, "somebody-else"):
        desk.actions.register(label, ("self-hosted", label), Serves.JOB)

    assert sorted(item.label for item in desk.actions.runners()) == sorted(ours)


def test_a_runner_with_a_job_is_not_forgotten_and_one_that_is_gone_is(desk: Desk) -> None:
    agent = desk.agent()
    desk.run(LABEL)
    with desk.server.held() as world:
        assert take_job(world, agent)

    assert desk.actions.forget(agent.id) is False
    assert desk.actions.runner(LABEL)
    assert desk.actions.forget(4711) is True


def test_a_runner_is_found_by_its_whole_name(desk: Desk) -> None:
    desk.agent()

    assert desk.actions.runner(LABEL)
    assert desk.actions.runner(LABEL[:-1]) is None


def test_a_run_has_ended_with_its_newest_attempt(desk: Desk) -> None:
    agent = desk.agent()
    run, _ = desk.run(LABEL)
    seen = desk.actions.run(path(run))
    assert seen
    assert (seen.ended, seen.failed) == (None, frozenset())

    desk.job(agent, 10, "failure")
    seen, ended = desk.actions.run(path(run)), whole(desk.clock.now)
    assert seen
    assert (seen.run, seen.ended, seen.failed) == (path(run), ended, frozenset({LABEL}))

    with desk.server.held() as world:
        rerun_failed(world, run)
    seen = desk.actions.run(path(run))
    assert seen
    assert seen.ended is None

    desk.job(agent, 10)
    seen = desk.actions.run(path(run))
    assert seen
    assert (seen.ended, seen.failed) == (whole(desk.clock.now), frozenset())


def test_a_run_that_github_does_not_know_is_nothing(desk: Desk) -> None:
    assert desk.actions.run(f"{PLACE}/4711/1") is None
    assert desk.actions.busy(f"{PLACE}/4711/1", LABEL) == timedelta()
    assert desk.actions.longest_step(f"{PLACE}/4711/1") == timedelta()


def test_a_machine_was_busy_with_the_jobs_of_all_attempts_that_it_served(desk: Desk) -> None:
    agent, other = desk.agent(), desk.agent(OTHER)
    run, _ = desk.run(LABEL, LABEL, OTHER)
    desk.job(agent, 10, "failure")
    desk.job(agent, 5)
    desk.job(other, 60)
    with desk.server.held() as world:
        rerun_failed(world, run)
        assert take_job(world, agent)
    desk.clock.advance(120)

    assert desk.actions.busy(path(run), LABEL) == timedelta(minutes=17)
    assert desk.actions.busy(path(run, 2), LABEL) == timedelta(minutes=2)


def test_the_longest_step_that_was_cut_off_was_on_a_runner_of_ours(desk: Desk) -> None:
    agent, other = desk.agent(), desk.agent(OTHER)
    run, _ = desk.run(LABEL, OTHER, LABEL)
    desk.job(agent, 90)
    with desk.server.held() as world:
        assert take_job(world, agent)
        assert take_job(world, other)
        desk.clock.advance(40 * 60)
        hosted = queue_job(world, run, "stop", ["ubuntu-latest"])
        hosted.status, hosted.started_at = "in_progress", desk.clock.now - timedelta(hours=5)
        cancel(world, run)

    assert desk.actions.longest_step(path(run)) == timedelta(minutes=40)


def test_what_still_runs_counts_as_long_as_it_has_been_running(desk: Desk) -> None:
    agent = desk.agent()
    run, _ = desk.run(LABEL)
    with desk.server.held() as world:
        take_job(world, agent)
    desk.clock.advance(600)

    assert desk.actions.longest_step(path(run)) == timedelta(minutes=10)


def test_labels_of_ours_are_wanted_while_a_job_waits_for_them(desk: Desk) -> None:
    agent = desk.agent()
    desk.run(LABEL, "ubuntu-latest")
    waiting, _ = desk.run(OTHER)
    with desk.server.held() as world:
        assert take_job(world, agent)

    assert desk.actions.wanted() == [OTHER]

    with desk.server.held() as world:
        cancel(world, waiting)
    assert desk.actions.wanted() == []


def test_a_job_that_writes_its_label_in_capitals_waits_for_the_same_machine(desk: Desk) -> None:
    desk.run(LABEL.upper())

    assert desk.actions.wanted() == [LABEL]


def test_a_used_up_limit_is_told_with_its_end(desk: Desk) -> None:
    ends = desk.clock.now + timedelta(hours=1)
    for _ in range(300):
        desk.actions.runner(LABEL)

    with pytest.raises(Unanswered, match=f"it ends at {ends:%H:%M:%S} UTC"):
        desk.actions.runner(LABEL)


def test_a_secondary_limit_is_told_with_its_end(desk: Desk) -> None:
    desk.planned({"operation": "GET", "target": "*/runners", "status": 429, "message": "You have exceeded it"})

    with pytest.raises(Unanswered, match=f"it ends at {desk.clock.now + timedelta(seconds=60):%H:%M:%S} UTC"):
        desk.actions.runners()


@pytest.mark.parametrize(
    ("status", "ask", "permission"),
    [
        (403, lambda actions: actions.runners(), "Administration: write"),
        (404, lambda actions: actions.register(LABEL, LABELS, Serves.JOB), "Administration: write"),
        (403, lambda actions: actions.wanted(), "Actions: read"),
        (401, lambda actions: actions.runners(), "a token that is valid"),
    ],
)
def test_a_missing_right_is_named(
    desk: Desk, status: int, ask: Callable[[GitHubActions], object], permission: str
) -> None:
    desk.planned({"status": status, "message": "Resource not accessible by integration"})

    with pytest.raises(Refusal) as refusal:
        ask(desk.actions)

    assert permission in refusal.value.fix
    assert "Resource not accessible by integration" in refusal.value.consequence


def test_a_service_that_is_not_reached_or_speaks_no_json_did_not_answer() -> None:
    def broken(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/runners"):
            raise httpx.ReadTimeout("too long")
        return httpx.Response(200, text="<html>a proxy</html>")

    with httpx.Client(base_url="https://github.invalid", transport=httpx.MockTransport(broken)) as http:
        actions = GitHubActions(http=http, repository=PLACE, now=lambda: datetime(2026, 1, 1))
        with pytest.raises(Unanswered, match="ReadTimeout"):
            actions.runners()
        with pytest.raises(Unanswered, match="something else than JSON"):
            actions.run(f"{PLACE}/7/1")
