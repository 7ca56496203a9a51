"""GitHub as far as on-demand runners meet it: records of runners, jobs that wait for labels, runs with attempts.

Rules: GitHub's REST reference (a name is taken until its record is deleted, 409; a busy runner is not deleted, 422) and
its documentation of self-hosted runners (a job goes to an idle runner with its label; a JIT runner takes one job).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count

from virtci.core.runners.clouds import Capability, Serves
from virtci.core.runners.failures import Code
from virtci.core.runners.naming import is_ours
from virtci.core.runners.sweep import SeenRun, SeenRunner
from virtci.fleet.runners.ports import Credential, StartFailed, Unanswered
from virtci.rehearsal.runners.platform import AGENT, Machine, Platform, State
from virtci.rehearsal.runners.stage import Stage
from virtci.rehearsal.runners.weather import Dice

CALL = 0.4
"""Seconds of a request."""
TOKEN = timedelta(hours=1)


@dataclass(eq=False)
class Job:
    """A job, and the label that it asks for; `lost`: its machine went away under it."""

    run: str
    label: str
    seconds: float
    fails: bool
    queued: datetime
    capability: Capability = Capability.NONE
    began: datetime | None = None
    ended: datetime | None = None
    result: str = ""
    lost: bool = False


@dataclass(eq=False)
class Runner:
    """A runner's record."""

    id: int
    label: str
    serves: Serves
    machine: Machine | None = None
    job: Job | None = None


@dataclass
class Hosting:
    """GitHub's runners, jobs and runs."""

    stage: Stage
    dice: Dice
    records: dict[str, Runner] = field(default_factory=dict)
    jobs: dict[str, list[Job]] = field(default_factory=dict)
    """By label."""
    waiting: list[Job] = field(default_factory=list)
    runs: dict[str, datetime | None] = field(default_factory=dict)
    """When the newest attempt of each run (`owner/name/id`) ended; nothing while it goes on."""
    longest: dict[str, timedelta] = field(default_factory=dict)
    labels: dict[str, set[str]] = field(default_factory=dict)
    """The labels that jobs of a run asked for."""
    on_begin: Callable[[Job, Machine], None] = lambda _job, _machine: None
    """Who watches is told of each job that begins, and of its machine."""
    _ids: "count[int]" = field(default_factory=lambda: count(1))

    def register(self, label: str, labels: Sequence[str], serves: Serves) -> Credential:
        """A registration for one runner; without a label of ours, and those that every job names, no job would find it."""
        self._call()
        if not {"self-hosted", label} <= set(labels):
            raise AssertionError(f"{label} is registered without its labels: {labels}")
        if self.dice.happens("github_unprocessable"):
            raise StartFailed(Code.GITHUB, "422: Validation Failed")
        if label in self.records:
            raise StartFailed(Code.GITHUB, f"409: a runner with the name {label} already exists")
        if serves is Serves.JOB:
            self.records[label] = Runner(next(self._ids), label, serves)
        return Credential(serves.value, self.stage.now + TOKEN)

    def runner(self, label: str) -> SeenRunner | None:
        """The runner of that name."""
        self._call()
        found = self.records.get(label)
        return self._seen(found) if found else None

    def runners(self) -> list[SeenRunner]:
        """All runners with labels of ours."""
        self._call()
        return [self._seen(item) for item in self.records.values() if is_ours(item.label)]

    def forget(self, runner_id: int) -> bool:
        """Deletes a record, unless it has a job."""
        self._call()
        found = next((item for item in self.records.values() if item.id == runner_id), None)
        if found and found.job:
            return False
        if found:
            del self.records[found.label]
        return True

    def run(self, run: str) -> SeenRun | None:
        """The run, or nothing."""
        self._call()
        name = run.rpartition("/")[0]
        if name not in self.runs:
            return None
        labels = self.labels.get(name, set())
        failed = frozenset(label for label in labels if self.jobs[label][-1].result == "failure")
        return SeenRun(run=run, ended=self.runs[name], failed=failed)

    def busy(self, run: str, label: str) -> timedelta:
        """How long jobs were on a runner."""
        self._call()
        spans = [
            (job.ended or self.stage.now) - job.began
            for job in self.jobs.get(label, ())
            if job.run == run and job.began
        ]
        return sum(spans, timedelta())

    def longest_step(self, run: str) -> timedelta:
        """The longest step that was cut off."""
        self._call()
        return self.longest.get(run, timedelta())

    def wanted(self) -> list[str]:
        """Labels that queued jobs wait for."""
        self._call()
        return sorted({job.label for job in self.waiting})

    def comes_online(self, platform: Platform, machine: Machine) -> None:
        """What a machine's agent does once there is a credential for its slot."""

        def work() -> None:
            self.stage.sleep(self.dice.around(AGENT))
            credential = platform.secrets.get(machine.slot)
            if credential is None or machine.state is not State.RUNNING or machine.stack not in platform.alive:
                return
            label, serves = machine.tags.label, Serves(credential.text)
            runner = self.records.get(label)
            if runner is None:
                runner = self.records[label] = Runner(next(self._ids), label, serves)
            runner.machine = machine
            self.assign(runner)

        self.stage.spawn(f"agent of {machine.stack}", work)

    def queue(self, job: Job) -> None:
        """A job begins to wait."""
        self.jobs.setdefault(job.label, []).append(job)
        self.labels.setdefault(job.run.rpartition("/")[0], set()).add(job.label)
        self.waiting.append(job)
        if runner := self.records.get(job.label):
            self.assign(runner)

    def assign(self, runner: Runner) -> None:
        """Gives an idle runner the first job that waits for it."""
        if not runner.machine or runner.job:
            return
        job = next((item for item in self.waiting if item.label == runner.label), None)
        if job:
            self.waiting.remove(job)
            runner.job, job.began = job, self.stage.now
            self.on_begin(job, runner.machine)
            self.stage.spawn(f"job on {runner.label}", lambda: self._work(runner, job))

    def cancel(self, run: str) -> None:
        """Cancels the jobs of a run."""
        for job in [job for label in self.labels.get(run.rpartition("/")[0], ()) for job in self.jobs[label]]:
            if not job.result:
                if job.began:
                    self.longest[run] = max(self.longest.get(run, timedelta()), self.stage.now - job.began)
                self._end(job, "cancelled")

    def lose(self, machine: Machine) -> None:
        """A machine is no more: its runner goes offline, its job is lost."""
        runner = self.records.get(machine.tags.label)
        if runner and runner.machine is machine:
            runner.machine = None
            if runner.job and not runner.job.result:
                runner.job.lost = True
                self._end(runner.job, "failure")
            runner.job = None

    def _work(self, runner: Runner, job: Job) -> None:
        self.stage.sleep(job.seconds)
        if job.result:
            return
        self._end(job, "failure" if job.fails else "success")
        runner.job = None
        if runner.serves is Serves.JOB:
            self.records.pop(runner.label, None)
        else:
            self.assign(runner)

    def _end(self, job: Job, result: str) -> None:
        job.result, job.ended = result, self.stage.now
        if job in self.waiting:
            self.waiting.remove(job)
        for runner in self.records.values():
            if runner.job is job:
                runner.job = None

    def _seen(self, runner: Runner) -> SeenRunner:
        return SeenRunner(
            id=runner.id, label=runner.label, online=runner.machine is not None, busy=runner.job is not None
        )

    def _call(self) -> None:
        self.stage.call(CALL)
        if self.stage.current and self.dice.happens("unanswered"):
            raise Unanswered(Code.GITHUB, "GitHub did not answer after all retries (rate limit)")
