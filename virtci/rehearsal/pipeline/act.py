"""Runs workflows with the real `act`: jobs on this machine, offline, with stand-ins for the actions of others.

What `act` does by itself: expressions, `needs`, `if`, matrices, called workflows, outputs, composite actions, and to stop
the steps of a cancelled job. What it lacks is done on a copy of the files (`virtci.rehearsal.pipeline.workflows`). Two things are
done around it, in a further `act` with the results so far given to it: it stops when a called workflow is red, while
GitHub still starts the jobs that want to run then; and to it everything in a cancelled run is cancelled, while GitHub
runs the jobs with `always()` as usual. A re-run of failed jobs uses the same means.
"""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from virtci.core.problems import Refusal
from virtci.rehearsal.pipeline.log import Entry, JobRun, Log
from virtci.rehearsal.pipeline.workflows import (
    ENVIRONMENT_SECRETS,
    ENVIRONMENTS,
    HOSTED,
    Call,
    Job,
    Result,
    Stub,
    Tree,
    read,
)
from virtci.rehearsal.programs import Missing, path_of, program

ACTIONS = Path(__file__).with_name("actions")
SELF_HOSTED = "self-hosted"
TOKEN = "rehearsal-github-token"  # noqa: S105  opens nothing
LIMIT = 900
"""Seconds after which a run is ended, because it hangs."""
INTERRUPTED = 130
SAID = 500
USES = re.compile(r"uses:\s*[\"']?([\w.-]+/[\w.-]+)(?:/[\w./-]+)?@([\w.-]+)")
Interrupt = Callable[[Entry], bool]
Leg = tuple[tuple[str, ...], tuple[str, ...]]
"""A called workflow of which some jobs run again: the ids and the names of the jobs that call it."""


@dataclass(frozen=True, kw_only=True)
class Repository:
    """What a checkout gives: a folder and the commit that it stands for. A folder with `.git` is cloned, any other copied."""

    folder: Path
    commit: str


@dataclass(frozen=True, kw_only=True)
class Origin:
    """What GitHub knows of a run before it begins."""

    repository: str
    event: str = "push"
    payload: Mapping[str, Any] = field(default_factory=dict)
    ref: str = "refs/heads/main"
    variables: Mapping[str, str] = field(default_factory=dict)
    environments: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Variables of each GitHub Environment."""
    secrets: Mapping[str, str] = field(default_factory=dict)
    environment_secrets: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Secrets of each GitHub Environment; they open nothing, and are not masked."""
    inputs: Mapping[str, str] = field(default_factory=dict)
    run_id: int = 1
    run_number: int = 1
    attempt: int = 1
    labels: Sequence[str] = ()
    """Labels of machines for which this machine stands, beside `self-hosted` and GitHub's own."""


@dataclass(frozen=True)
class WorkflowRun:
    """What became of a run: its jobs as they started, those that did not start at the end."""

    jobs: tuple[JobRun, ...]
    seconds: float
    processes: int
    """How often `act` was started."""

    @property
    def result(self) -> Result:
        """What GitHub shows for the run."""
        results = {job.result for job in self.jobs}
        return "cancelled" if "cancelled" in results else "failure" if "failure" in results else "success"

    def job(self, name: str) -> JobRun:
        """A job by the end of its name, for example `test-kvm / deploy`."""
        found = [job for job in self.jobs if job.name == name or job.name.endswith(f" / {name}")]
        if len(found) != 1:
            raise KeyError(f"{name}: {[job.name for job in found or self.jobs]}")
        return found[0]

    def failed(self) -> list[str]:
        """The names of jobs that did not end well."""
        return [job.name for job in self.jobs if job.result in ("failure", "cancelled")]


def unavailable() -> str:
    """Why `act` cannot run here, or nothing."""
    found = program("act")
    return str(found) if isinstance(found, Missing) else ""


class Rehearsal:
    """Runs of one workflow: artifacts and calls of actions stay in its folder from attempt to attempt.

    `environment` is what every job finds in its process environment, beside what GitHub gives it. With `logins`, a job sees
    clouds only after it logged in: the file for `VIRTCI_CLOUDS` by the client id of the login.
    """

    def __init__(
        self,
        folder: Path,
        origin: Origin,
        repositories: Mapping[str, Repository],
        environment: Mapping[str, str],
        logins: Mapping[str, Path] | None = None,
    ) -> None:
        self.folder, self.origin, self.repositories, self.environment = folder, origin, repositories, environment
        self.logins, self.attempt = logins, origin.attempt
        self.library = {name: _workflow_files(item.folder) for name, item in repositories.items()}
        self.processes = 0
        for name in ("artifacts", "home", "cache"):
            (folder / name).mkdir(parents=True, exist_ok=True)

    def run(self, file: str, *, interrupt: Interrupt | None = None) -> WorkflowRun:
        """Runs the workflow of that file. Raises `ProblemsError` for what GitHub refuses at start-up."""
        tree = self._tree(file)
        return self._finish(tree, Log(tree), interrupt)

    def rerun_failed(self, file: str, previous: WorkflowRun) -> WorkflowRun:
        """Runs the jobs that failed, and those that need them, once more; the others keep their results.

        Each called workflow with failed jobs is run by itself, because `act` knows one set of results for a file; then what
        comes after them all.
        """
        self.attempt += 1
        tree = self._tree(file)
        kept = jobs_to_keep(tree, previous.jobs)
        log = Log(tree, [replace(job, kept=True) for job in kept])
        failed = {job.names[:-1]: job.ids[:-1] for job in previous.jobs if job not in kept and job.started}
        partly = [(ids, names) for names, ids in failed.items() if ids in {job.ids[:-1] for job in kept}]
        return self._finish(tree, log, None, [leg for leg in partly if not tree.at(leg[0]).calls_others()])

    def calls(self) -> list[dict[str, Any]]:
        """What the stand-ins of actions were asked."""
        file = self.folder / "calls.jsonl"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def _tree(self, file: str) -> Tree:
        texts = self.library[self.origin.repository]
        return Tree(read(file, texts[file], self.origin.repository), self.library)

    def _finish(self, tree: Tree, log: Log, interrupt: Interrupt | None, legs: Sequence[Leg] = ()) -> WorkflowRun:
        """Starts `act` until no further job begins."""
        started, processes = time.monotonic(), self.processes
        for leg in legs:
            self._act(tree, log, interrupt, leg)
        ended, known = 1, -1
        while ended and len(log.jobs) != known and any(log.unseen()):
            known = len(log.jobs)
            for leg in log.partly_run() if log.cancelled else ():
                self._act(tree, log, None, leg)
            ended = self._act(tree, log, None if log.cancelled else interrupt, None)
        return WorkflowRun(log.results(), time.monotonic() - started, self.processes - processes)

    def _act(self, tree: Tree, log: Log, interrupt: Interrupt | None, leg: Leg | None) -> int:
        """One process of `act`; returns its exit code. What has run is given to it, and with a leg nothing else runs."""
        self.processes += 1
        folder = self.folder / f"act-{self.processes}"
        given = {call.ids: _stubs(tree, log, call, leg) for call in tree.calls}
        sources = self._sources(tree, given, leg, folder)
        log.begin((*ids, job) for ids, stubs in given.items() for job in stubs)
        command = [*self._command(tree.entry.file, folder), *sources, *_matrix(tree, leg)]
        with (
            (folder / "log.jsonl").open("w") as copy,
            _process(command, folder, self._environment(tree)) as running,
        ):
            for line in running.stdout or ():
                copy.write(line)
                entry = log.take(line)
                if entry and interrupt and interrupt(entry):
                    interrupt = None
                    log.interrupt()
                    running.send_signal(signal.SIGINT)
                if log.interrupted:
                    return INTERRUPTED
            code = running.wait()
        if code == -signal.SIGKILL:
            raise TimeoutError(f"act did not end in {LIMIT} s; its log is {folder / 'log.jsonl'}")
        if code and not log.jobs:
            raise RuntimeError(f"act ran nothing: {(folder / 'errors').read_text().strip()[-SAID:]}")
        return code

    def _sources(
        self, tree: Tree, given: Mapping[tuple[str, ...], Mapping[str, Stub]], leg: Leg | None, folder: Path
    ) -> list[str]:
        """Writes the workflow files as `act` gets them; returns the arguments that name those of other repositories."""
        workdir = folder / "workdir" / ".github" / "workflows"
        workdir.mkdir(parents=True)
        arguments = []
        # A file that several jobs call is written as the leg needs it, where there is one. The entry comes last: what it calls
        # elsewhere may have the same name.
        for call in sorted(tree.calls, key=lambda call: (not call.ids, leg is not None and call.ids == leg[0])):
            commit = self.repositories[call.workflow.repository].commit
            stubs = given[call.ids]
            text = call.workflow.for_act(commit, tree.entry.name, stubs, _left_out(call, stubs, leg))
            (workdir / call.workflow.file).write_text(text)
            if call.workflow.repository != self.origin.repository:
                elsewhere = folder / "repositories" / call.workflow.repository
                (elsewhere / ".github" / "workflows").mkdir(parents=True, exist_ok=True)
                (elsewhere / ".github" / "workflows" / call.workflow.file).write_text(text)
                arguments.append((f"{call.workflow.repository}@{commit}", elsewhere))
        arguments += [(f"{name}@{commit}", _stand_in(name)) for name, commit in self._actions(tree)]
        return [part for name, path in dict(arguments).items() for part in ("--local-repository", f"{name}={path}")]

    def _actions(self, tree: Tree) -> set[tuple[str, str]]:
        """The actions of others that the workflows use, and the composite actions of their repositories."""
        texts = [call.workflow.text for call in tree.calls]
        for repository in self.repositories.values():
            texts += [path.read_text() for path in repository.folder.glob(".github/actions/*/action.y*ml")]
        return {
            (name, commit) for text in texts for name, commit in USES.findall(text) if name not in self.repositories
        }

    def _command(self, file: str, folder: Path) -> list[str]:
        origin = self.origin
        (folder / "event.json").write_text(json.dumps(dict(origin.payload)))
        secrets = {"GITHUB_TOKEN": TOKEN, **origin.secrets}
        (folder / "secrets").write_text("".join(f"{name}={json.dumps(value)}\n" for name, value in secrets.items()))
        variables = {
            **origin.variables,
            ENVIRONMENTS: _by_environment(origin.environments),
            ENVIRONMENT_SECRETS: _by_environment(origin.environment_secrets),
        }
        given = {
            "GITHUB_REPOSITORY": origin.repository,
            "GITHUB_REPOSITORY_OWNER": origin.repository.split("/")[0],
            "GITHUB_REF": origin.ref,
            "SHA_REF": self.repositories[origin.repository].commit,
            "GITHUB_RUN_ID": str(origin.run_id),
            "GITHUB_RUN_NUMBER": str(origin.run_number),
            "GITHUB_RUN_ATTEMPT": str(self.attempt),
            "GITHUB_API_URL": self.environment.get("GITHUB_API_URL", "http://127.0.0.1:9"),
        }
        return [
            str(path_of("act")), origin.event, "--json", "--no-cache-server", "--no-skip-checkout", "--action-offline-mode",
            "--directory", str(folder / "workdir"), "--workflows", f".github/workflows/{file}", "--actor", "rehearsal",
            "--action-cache-path", str(self.folder / "cache"), "--eventpath", str(folder / "event.json"),
            "--secret-file", str(folder / "secrets"),
            *_pairs("--platform", dict.fromkeys((HOSTED, SELF_HOSTED, *origin.labels), "-self-hosted")),
            *_pairs("--var", variables), *_pairs("--env", given), *_pairs("--input", origin.inputs),
        ]  # fmt: skip

    def _environment(self, tree: Tree) -> dict[str, str]:
        """The processes' environment: nothing of this shell but the way to programs."""
        (self.folder / "rehearsal.json").write_text(
            json.dumps(
                {
                    "artifacts": str(self.folder / "artifacts"),
                    "calls": str(self.folder / "calls.jsonl"),
                    "identityJobs": tree.identity_jobs(),
                    "logins": None if self.logins is None else {name: str(path) for name, path in self.logins.items()},
                    "repositories": {
                        name: {"folder": str(item.folder), "commit": item.commit}
                        for name, item in self.repositories.items()
                    },
                }
            )
        )
        own = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": str(self.folder / "home")}
        rehearsal = {"REHEARSAL": str(self.folder / "rehearsal.json"), "REHEARSAL_PYTHON": sys.executable}
        return {**own, **self.environment, **rehearsal}


def jobs_to_keep(tree: Tree, jobs: Sequence[JobRun]) -> list[JobRun]:
    """The jobs that a re-run of failed jobs leaves alone: those that ended well and need none that did not."""
    again = {job.names for job in jobs if job.result in ("failure", "cancelled")}
    while True:
        more = {job.names for job in jobs if job.names not in again and _needs_one_of(tree, jobs, again, job)}
        if not more:
            return [job for job in jobs if job.names not in again]
        again |= more


def _needs_one_of(tree: Tree, jobs: Sequence[JobRun], again: set[tuple[str, ...]], job: JobRun) -> bool:
    """Whether a job, or one that called it, needs a job that runs again."""
    for depth in range(len(job.ids)):
        needed = tree.at(job.ids[:depth]).needed(job.ids[depth])
        for other in jobs:
            same = other.names[:depth] == job.names[:depth] and other.ids[:depth] == job.ids[:depth]
            if same and other.ids[depth] in needed and other.names in again:
                return True
    return False


def _stubs(tree: Tree, log: Log, call: Call, leg: Leg | None) -> dict[str, Stub]:
    """The jobs of a workflow that are not run, because their results are known."""
    found = {}
    for job in call.workflow.jobs.values():
        ids = (*call.ids, job.id)
        if job.uses and (tree.at(ids).calls_others() or (leg and leg[0] == ids)):
            continue
        # One file is called several times: only a leg has results of its own in it.
        if not job.uses and call.ids and not call.calls_others() and (leg is None or leg[0] != call.ids):
            continue
        stub = log.stub(ids, leg[1] if leg and leg[0] == call.ids else None)
        if stub is None and log.cancelled and not job.runs_when_cancelled and not _leads_to(call, job, leg):
            stub = Stub("cancelled")
        if stub:
            found[job.id] = stub
    return found


def _leads_to(call: Call, job: Job, leg: Leg | None) -> bool:
    """Whether a job calls what runs again, directly or through others."""
    ids = (*call.ids, job.id)
    return leg is not None and leg[0][: len(ids)] == ids


def _left_out(call: Call, stubs: Mapping[str, Stub], leg: Leg | None) -> frozenset[str]:
    """With a leg, the jobs that have not run and are not on the way to it."""
    if leg is None or call.ids == leg[0]:
        return frozenset()
    on_the_way = leg[0][len(call.ids)] if leg[0][: len(call.ids)] == call.ids else ""
    return frozenset(name for name in call.workflow.jobs if name not in stubs and name != on_the_way)


def _matrix(tree: Tree, leg: Leg | None) -> list[str]:
    """The argument that picks one entry of a matrix, where the job's name is a key of it."""
    if leg is None:
        return []
    job = tree.at(leg[0][:-1]).workflow.jobs[leg[0][-1]]
    key = re.fullmatch(r"\$\{\{\s*matrix\.(\w+)\s*\}\}", job.name)
    return ["--matrix", f"{key[1]}:{leg[1][-1]}"] if key else []


def _stand_in(action: str) -> Path:
    found = ACTIONS / action
    if not found.is_dir():
        have = sorted(str(path.parent.relative_to(ACTIONS)) for path in ACTIONS.glob("*/*/action.yaml"))
        raise Refusal(
            f"the action {action} has a stand-in in {ACTIONS.name}/",
            "the workflow cannot be rehearsed offline",
            f"write one that is as strict as the action; there are: {', '.join(have)}",
        )
    return found


def _workflow_files(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(folder.glob(".github/workflows/*.y*ml"))}


def _by_environment(values: Mapping[str, Mapping[str, str]]) -> str:
    return json.dumps({name: dict(found) for name, found in values.items()})


def _pairs(option: str, values: Mapping[str, str]) -> list[str]:
    return [part for name, value in values.items() for part in (option, f"{name}={value}")]


@contextmanager
def _process(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    """A process whose children end with it, and that does not hang for ever."""
    with (folder / "errors").open("w") as errors:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=dict(environment),
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
        )
        timer = threading.Timer(LIMIT, process.kill)
        timer.start()
        try:
            yield process
        finally:
            timer.cancel()
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
