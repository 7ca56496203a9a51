"""The people of a week: when their pull requests come, what each asks for, how its runs go, and who runs them again."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from virtci.core.runners.clouds import Capability, Cloud, Serves
from virtci.core.runners.naming import Run, RunnerName
from virtci.core.runners.requests import Record, Request
from virtci.core.runners.retention import OnCancel, Result
from virtci.fleet.runners.start import Outcome, start_all
from virtci.fleet.runners.stop import stop_run
from virtci.rehearsal.clock import START
from virtci.rehearsal.runners.hosting import Job
from virtci.rehearsal.runners.stage import Process
from virtci.rehearsal.runners.town import Town

REPOSITORY = "rehearsal-org/km"
FIRST_RUN = 10_000_000
ATTEMPTS = 4
"""How often somebody has a run's failed jobs run again before giving it up."""
PATIENCE = timedelta(hours=8)
"""How long the jobs of a run may wait for a runner before it counts as stuck."""
BUSY_HOURS = range(8, 20)
BUSY_SHARE = 0.85


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """A machine that a workflow asks for."""

    cloud: Cloud
    capability: Capability
    serves: Serves = Serves.RUN
    spot: bool = False


@dataclass(frozen=True, slots=True)
class Workflow:
    """A workflow: its name, its part of all pull requests, what it asks for and how many minutes its jobs take."""

    name: str
    share: float
    asked: tuple[Asked, ...]
    minutes: float


PIPELINE = Workflow(
    "KM CI Pipeline",
    0.86,
    (
        Asked(cloud=Cloud.AZURE, capability=Capability.KVM_NESTED),
        Asked(cloud=Cloud.EC2, capability=Capability.NONE),
    ),
    28,
)
WORKFLOWS = (
    PIPELINE,
    Workflow(
        "KM Fuzzing",
        0.08,
        tuple(Asked(cloud=cloud, capability=Capability.KVM_NESTED, spot=True) for cloud in Cloud),
        30,
    ),
    Workflow("KM Packages", 0.05, (Asked(cloud=Cloud.EC2, capability=Capability.EMULATION, serves=Serves.JOB),), 15),
    Workflow("KM Bare Metal", 0.01, (Asked(cloud=Cloud.EC2, capability=Capability.KVM_METAL),), 20),
)


@dataclass(eq=False)
class PullRequest:
    """One pull request's run, and how it went."""

    number: int
    workflow: Workflow
    attempts: list[Run] = field(default_factory=list)
    ended: bool = False
    tested: bool = False
    """Its tests had their say on machines that lasted."""
    waits: list[timedelta] = field(default_factory=list)
    """From each request to runners that are online wherever it asked for one."""


@dataclass
class People:
    """All pull requests. `stuck` is told of jobs that nobody got a runner for."""

    town: Town
    days: int
    a_day: int
    stuck: Callable[[list[str]], None]
    requests: list[PullRequest] = field(default_factory=list)
    last_end: datetime = START
    reruns: int = 0

    def come(self) -> None:
        """Lets pull requests come, each at its time."""
        for number, delay in enumerate(self._arrivals(), 1):
            request = PullRequest(number, self._workflow())
            self.requests.append(request)
            self.town.stage.spawn(f"pull request {number}", partial(self._live, request), delay)

    @property
    def at_work(self) -> bool:
        """Whether some run is still to come or goes on."""
        return not all(item.ended for item in self.requests)

    @property
    def lost(self) -> list[PullRequest]:
        """Runs whose tests never had their say."""
        return [item for item in self.requests if not item.tested]

    def _arrivals(self) -> Iterator[timedelta]:
        """Most come in working hours."""
        dice = self.town.dice
        for day in range(self.days):
            for _ in range(self.a_day):
                busy = dice.between(0, 1) < BUSY_SHARE
                hour = dice.between(BUSY_HOURS.start, BUSY_HOURS.stop) if busy else dice.between(0, 24)
                yield timedelta(days=day, hours=(hour - START.hour) % 24)

    def _workflow(self) -> Workflow:
        drawn = self.town.dice.between(0, 1)
        for workflow in WORKFLOWS:
            drawn -= workflow.share
            if drawn < 0:
                return workflow
        return PIPELINE

    def _live(self, request: PullRequest) -> None:
        """The runs of a pull request, until its tests had their say or somebody gives up."""
        for attempt in range(1, ATTEMPTS + 1):
            run = Run(
                repository=REPOSITORY,
                workflow=request.workflow.name,
                run_number=request.number,
                run_id=FIRST_RUN + request.number,
                attempt=attempt,
            )
            request.attempts.append(run)
            request.tested = self._run(request, run)
            self.last_end = max(self.last_end, self.town.stage.now)
            if request.tested:
                break
            self.town.stage.sleep(600)
        request.ended = True

    def _run(self, request: PullRequest, run: Run) -> bool:
        """One attempt: start, and for each cloud its jobs and its stop. Whether its tests ran to their end."""
        town, stage, dice = self.town, self.town.stage, self.town.dice
        town.github.runs[name_of(run)] = None
        begun = stage.now
        launching = stage.spawn(f"start {run.path}", partial(self._start, request, run), kill_at=self.deadly(120))
        if dice.happens("run_cancelled"):
            delay = timedelta(seconds=dice.between(10, 2400))
            stage.spawn(f"cancel {run.path}", partial(self._cancel, run, launching), delay)
        stage.wait_for(launching)
        outcomes: list[Outcome] = [] if launching.error else launching.result
        started = [item for item in outcomes if isinstance(item, Record)]
        if len(started) == len(request.workflow.asked):
            request.waits.append(stage.now - begun)
        clouds = [asked.cloud for asked in request.workflow.asked]
        branches = stage.together(*(partial(self._branch, request, run, cloud, started) for cloud in clouds))
        town.github.runs[name_of(run)] = stage.now
        seen_to = [self._seen_to(run, cloud, jobs) for cloud, jobs in zip(clouds, branches, strict=True)]
        return all(seen_to)

    def _seen_to(self, run: Run, cloud: Cloud, jobs: list[Job]) -> bool:
        """Whether the jobs of a cloud had their say; those that failed or lost their machine may be run again."""
        failed = [job for job in jobs if job.result == "failure"]
        if any(job.lost for job in failed) or (failed and self.town.dice.happens("rerun_failed")):
            jobs = [job for job in jobs if job not in failed] + self._rerun(run, cloud, failed)
        return bool(jobs) and all(job.result in ("success", "failure") and not job.lost for job in jobs)

    def _branch(self, request: PullRequest, run: Run, cloud: Cloud, started: list[Record]) -> list[Job]:
        """The tests of one cloud, and the stop that needs only them."""
        dice = self.town.dice
        jobs = [
            Job(
                run=run.path,
                label=record.request.name.label,
                seconds=dice.around(60 * request.workflow.minutes, 0.15),
                fails=dice.happens("tests_fail"),
                queued=self.town.stage.now,
                capability=record.request.capability,
            )
            for record in started
            if record.request.name.cloud is cloud
        ]
        self._work(jobs)
        self._stop(run, cloud, jobs)
        return jobs

    def _start(self, request: PullRequest, run: Run) -> list[Outcome]:
        asked = [
            Request(
                name=RunnerName(run=run, cloud=item.cloud),
                capability=item.capability,
                serves=item.serves,
                spot=item.spot,
            )
            for item in request.workflow.asked
        ]
        return start_all(self.town.launcher(), asked, self.town.stage.together)

    def _work(self, jobs: list[Job]) -> None:
        stage = self.town.stage
        for job in jobs:
            self.town.github.queue(job)
        begun = stage.now
        while not all(job.result for job in jobs):
            stage.sleep(15)
            if stage.now - begun > PATIENCE:
                self.stuck([job.label for job in jobs if not job.result])
                for job in jobs:
                    self.town.github.cancel(job.run)

    def _cancel(self, run: Run, launching: Process) -> None:
        if not launching.ended:
            self.town.stage.kill(launching)
        self.town.github.cancel(run.path)

    def _stop(self, run: Run, cloud: Cloud, jobs: list[Job]) -> None:
        """The job that stops: it may never run, may be cancelled twice, or die."""
        dice, stage = self.town.dice, self.town.stage
        if dice.happens("stop_lost"):
            return
        results = {f"job-{number}": Result(job.result) for number, job in enumerate(jobs)} or {"start": Result.FAILURE}
        kill_at = dice.number(1, 12) if dice.happens("stop_cancelled_twice") else self.deadly(30)

        def work() -> None:
            stop_run(self.town.launcher(), run, results, OnCancel.IF_HANGING, (cloud,))

        stage.wait_for(stage.spawn(f"stop {run.path}", work, kill_at=kill_at))

    def _rerun(self, run: Run, cloud: Cloud, failed: list[Job]) -> list[Job]:
        """Somebody has failed jobs run again: they wait for the label of the first attempt, and no `start` runs."""
        stage, dice = self.town.stage, self.town.dice
        stage.sleep(dice.between(60, 3600))
        self.reruns += 1
        self.town.github.runs[name_of(run)] = None
        again = [
            Job(run.path, job.label, job.seconds, fails=False, queued=stage.now, capability=job.capability)
            for job in failed
        ]
        self._work(again)
        self._stop(run, cloud, again)
        self.town.github.runs[name_of(run)] = stage.now
        return again

    def deadly(self, calls: int) -> int:
        """The call at which a launcher dies; 0: it lives."""
        dice = self.town.dice
        return dice.number(1, calls) if dice.happens("launcher_killed") else 0


def name_of(run: Run) -> str:
    """A run without its attempt, as GitHub's simulation has it."""
    return f"{run.repository}/{run.run_id}"
