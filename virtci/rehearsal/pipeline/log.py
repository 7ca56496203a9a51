"""What `act` writes while it runs, read into jobs and steps."""

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from virtci.rehearsal.pipeline.workflows import EXPRESSION, OUTPUT, Call, Job, Result, Stub, Tree

MAIN = "Main"
"""The stage of a step that is neither preparation nor clean-up."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the log."""

    job: tuple[str, ...]
    step: str
    message: str
    at: float


@dataclass(slots=True)
class StepRun:
    """One step that ran; those that were skipped are not in the log."""

    name: str
    result: str = ""
    seconds: float = 0.0
    lines: list[str] = field(default_factory=list)

    @property
    def log(self) -> str:
        """What it printed."""
        return "\n".join(self.lines)


@dataclass(slots=True)
class JobRun:
    """One job of a run. `ids` are those of the workflow files, `names` what GitHub shows."""

    ids: tuple[str, ...]
    names: tuple[str, ...]
    result: Result | None = None
    started: int = 0
    """Its place in the order of starts, from 1; 0 for a job that did not start."""
    began: float = 0.0
    seconds: float = 0.0
    kept: bool = False
    """Whether an earlier attempt ran it."""
    summary: str = ""
    outputs: dict[str, str] = field(default_factory=dict)
    steps: dict[str, StepRun] = field(default_factory=dict)
    _set: dict[tuple[str, str], str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Its name with those of the jobs that called it."""
        return " / ".join(self.names)

    @property
    def log(self) -> str:
        """What its steps printed."""
        return "\n".join(step.log for step in self.steps.values())

    def step(self, name: str) -> StepRun:
        """A step by its name. Raises `KeyError` for one that did not run."""
        for step in self.steps.values():
            if step.name == name:
                return step
        raise KeyError(f"{self.name} ran no step `{name}`, but: {[step.name for step in self.steps.values()]}")

    def take(self, line: Mapping[str, Any], message: str, at: float) -> None:
        """Notes one line of the log."""
        identity = line.get("stepID", [])
        if line.get("command") == "summary":
            self.summary += str(line["content"])
        elif line.get("command") == "set-output" and len(identity) == 1:
            self._set[identity[0], str(line["name"])] = str(line["arg"])
        if identity and line.get("stage") == MAIN:
            self._take_step(identity, line, message)
        if "jobResult" in line:
            self.result, self.seconds = line["jobResult"], at - self.began

    def _take_step(self, identity: list[str], line: Mapping[str, Any], message: str) -> None:
        step = self.steps.setdefault(identity[0], StepRun(str(line.get("step", ""))))
        if len(identity) == 1 and "stepResult" in line:
            step.result, step.seconds = line["stepResult"], line.get("executionTime", 0) / 1e9
        elif line.get("raw_output") or line.get("level") == "error":
            step.lines.append(message)

    def settle(self, job: Job) -> None:
        """Works the job's outputs out from those of its steps."""
        for name, expression in job.body.get("outputs", {}).items():
            found = OUTPUT.fullmatch(expression)
            self.outputs[name] = self._set.get((found[2], found[3]), "") if found else expression


class Log:
    """The jobs of a run as they begin and end, over all processes that it takes."""

    def __init__(self, tree: Tree, kept: Iterable[JobRun] = ()) -> None:
        self.tree = tree
        self.jobs: dict[tuple[str, ...], JobRun] = {job.names: job for job in kept}
        self._closed: frozenset[tuple[str, ...]] = frozenset()
        self._given: frozenset[tuple[str, ...]] = frozenset()
        self._interrupted: frozenset[tuple[str, ...]] = frozenset()
        self.cancelled = False

    def begin(self, given: Iterable[tuple[str, ...]]) -> None:
        """A further process begins; the jobs so far, and those of these ids, are only given to it."""
        self._closed, self._given = frozenset(self.jobs), frozenset(given)
        self._interrupted = frozenset()

    def interrupt(self) -> None:
        """The run is cancelled: jobs that are running will not end well, and no other one begins in this process."""
        self.cancelled = True
        self._interrupted = frozenset(name for name, job in self.jobs.items() if job.result is None)

    @property
    def interrupted(self) -> bool:
        """Whether every job that ran when the run was cancelled has ended."""
        return bool(self._interrupted) and all(self.jobs[name].result for name in self._interrupted)

    def partly_run(self) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
        """The called workflows, by ids and names of the calling jobs, of which some jobs ran and others did not."""
        seen = {(job.ids[:-1], job.names[:-1]) for job in self.unseen()}
        ran = {(job.ids[:-1], job.names[:-1]) for job in self.jobs.values()}
        return [(ids, names) for ids, names in sorted(seen & ran) if ids and not self.tree.at(ids).calls_others()]

    def take(self, text: str) -> Entry | None:
        """Reads a line; what belongs to no job of the run is nothing."""
        at = time.monotonic()
        try:
            line = json.loads(text)
        except ValueError:
            return None
        found = self._place(str(line.get("job", "")).strip(), str(line.get("jobID", "")))
        if found is None or found[0] in self._given or found[1] in self._closed:
            return None
        ids, names, job = found
        run = self.jobs.get(names)
        if run is None and self._interrupted:
            return None
        if run is None:
            run = self.jobs[names] = JobRun(ids, names, started=self._next(), began=at)
        message = str(line.get("msg", "")).rstrip("\n")
        run.take(line, message, at)
        if run.result is not None:
            run.settle(job)
            if run.result == "failure" and names in self._interrupted:
                run.result = "cancelled"
        return Entry(names, str(line.get("step", "")), message, at)

    def stub(self, ids: tuple[str, ...], names: tuple[str, ...] | None = None) -> Stub | None:
        """The result of a job, or of all that a job called, as far as it has run; `names` are those of its workflow."""
        call = self.tree.call(ids)
        runs = [run for run in self.jobs.values() if run.ids[: len(ids)] == ids]
        if names is not None:
            runs = [run for run in runs if run.names[: len(names)] == names]
        if not runs:
            return None
        results = {run.result or "cancelled" for run in runs}
        order: tuple[Result, ...] = ("failure", "cancelled", "success", "skipped")
        worst = next(result for result in order if result in results)
        return Stub(worst, _outputs(call, runs) if call else runs[0].outputs)

    def results(self) -> tuple[JobRun, ...]:
        """All jobs: as they started, then those that did not."""
        for run in self.jobs.values():
            run.result = run.result or "cancelled"
        ran = sorted(self.jobs.values(), key=lambda run: (run.kept, run.started == 0, run.started))
        return (*ran, *self.unseen())

    def unseen(self) -> Iterator[JobRun]:
        """The jobs that did not start, of workflows that did."""
        for ids, names in self._entered():
            call = self.tree.call(ids)
            for job in call.workflow.jobs.values() if call else ():
                place = (*ids, job.id)
                if not any(
                    run.ids[: len(place)] == place and run.names[: len(names)] == names for run in self.jobs.values()
                ):
                    shown = job.id if EXPRESSION.search(job.name) else job.name
                    cut_off = self.cancelled and not job.runs_when_cancelled
                    yield JobRun(place, (*names, shown), "cancelled" if cut_off else "skipped")

    def _entered(self) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
        contexts: dict[tuple[tuple[str, ...], tuple[str, ...]], None] = {((), ()): None}
        for run in self.jobs.values():
            for depth in range(1, len(run.ids)):
                contexts[run.ids[:depth], run.names[:depth]] = None
        return list(contexts)

    def _next(self) -> int:
        return 1 + max((run.started for run in self.jobs.values() if not run.kept), default=0)

    def _place(self, shown: str, job_id: str) -> tuple[tuple[str, ...], tuple[str, ...], Job] | None:
        """Which job of the tree a line means. `act` shows `workflow/job`, with the calling job before it where there is one."""
        *caller, workflow, name = shown.split("/") if shown.count("/") in (1, 2) else ("", "")
        for call in self.tree.calls:
            job = call.workflow.jobs.get(job_id)
            if call.workflow.name != workflow or job is None or job.uses or len(call.ids) < len(caller):
                continue
            if not caller and not call.ids:
                return (job_id,), (name,), job
            if caller and self._job(call.ids).is_called(caller[0]):
                return (*call.ids, job_id), (*self._names(call.ids, caller[0]), name), job
        return None

    def _job(self, ids: tuple[str, ...]) -> Job:
        call = self.tree.call(ids[:-1])
        assert call is not None  # noqa: S101  the tree made these ids
        return call.workflow.jobs[ids[-1]]

    def _names(self, ids: tuple[str, ...], shown: str) -> tuple[str, ...]:
        """The names of calling jobs; only the last one can be of a matrix."""
        last = self._job(ids)
        above = tuple(self._job(ids[:depth]).name for depth in range(1, len(ids)))
        return (*above, shown.rsplit("-", 1)[0] if last.has_matrix and shown.rsplit("-", 1)[-1].isdigit() else shown)


def _outputs(call: Call, runs: Iterable[JobRun]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, expression in call.workflow.outputs.items():
        match = OUTPUT.fullmatch(expression)
        jobs = [run for run in runs if match and run.ids[-1] == match[2]]
        found[name] = jobs[-1].outputs.get(match[3], "") if match and jobs else ""
    return found
