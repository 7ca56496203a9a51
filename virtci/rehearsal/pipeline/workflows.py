"""Workflow files as far as a rehearsal must understand them: who calls whom, with which permissions, in which environment.

`act` has no GitHub Environments, no `job.workflow_*` and no permissions. What it lacks is done here on a copy of the
files, without touching anything else in them; what GitHub would refuse at start-up is refused here.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import yaml

from virtci.core.problems import Problem, ProblemsError

Result = Literal["success", "failure", "cancelled", "skipped"]
HOSTED = "ubuntu-24.04"
ENVIRONMENTS = "REHEARSAL_ENVIRONMENTS"
ENVIRONMENT_SECRETS = "REHEARSAL_ENVIRONMENT_SECRETS"
"""The variables that carry variables and secrets of all GitHub Environments as JSON. A called workflow gets the secrets of
the environment that its job names, without its caller passing them on; `act` knows only those that are passed on."""
DEFAULT_PERMISSIONS = {"contents": "read", "packages": "read"}
"""What a job has that declares nothing, with GitHub's restricted default."""
RANKS = {"none": 0, "read": 1, "write": 2}
OF_ENVIRONMENT = re.compile(r"(?<![\w.])(vars|secrets)\.(?!GITHUB_TOKEN)([A-Za-z_]\w*)")
EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}", re.DOTALL)
OUTPUT = re.compile(r"\$\{\{\s*(steps|jobs)\.([\w-]+)\.outputs\.([\w-]+)\s*\}\}")
CALL = re.compile(r"(?:(?P<repository>[\w.-]+/[\w.-]+)|\.)/\.github/workflows/(?P<file>[\w.-]+)(?:@(?P<commit>\S+))?")


@dataclass(frozen=True)
class Stub:
    """The result of a job that ran before, given to those that need it."""

    result: Result
    outputs: Mapping[str, str] = field(default_factory=dict)

    def text(self) -> str:
        """The job as `act` can run it: done at once, with that result. It knows no cancelled job but a failed one."""
        job: dict[str, Any] = {"runs-on": HOSTED, "outputs": dict(self.outputs), "steps": [{"run": "true"}]}
        if self.result == "skipped":
            job["if"] = "false"
        elif self.result != "success":
            job["steps"] = [{"run": "exit 1"}]
        return json.dumps(job)


@dataclass(frozen=True)
class Job:
    """One job of a workflow file, and where it stands in the text."""

    id: str
    body: Mapping[str, Any]
    start: int
    end: int
    indent: int

    @property
    def name(self) -> str:
        """The name that GitHub shows; it can hold expressions."""
        return str(self.body.get("name", self.id))

    @property
    def uses(self) -> str:
        """The workflow that it calls, or nothing."""
        return str(self.body.get("uses", ""))

    @property
    def needs(self) -> tuple[str, ...]:
        """The jobs before it."""
        declared = self.body.get("needs", ())
        return (declared,) if isinstance(declared, str) else tuple(declared)

    @property
    def has_matrix(self) -> bool:
        """Whether it runs once for each entry of a matrix."""
        return "matrix" in self.body.get("strategy", {})

    @property
    def runs_when_cancelled(self) -> bool:
        """Whether it starts in a run that was cancelled."""
        condition = str(self.body.get("if", ""))
        return "always()" in condition or "cancelled()" in condition

    @property
    def environment(self) -> str:
        """Its GitHub Environment, as an expression; or nothing."""
        declared = self.body.get("environment", "")
        name = str(declared["name"] if isinstance(declared, Mapping) else declared)
        expression = EXPRESSION.fullmatch(name)
        return expression.group(1) if expression else f"'{name}'" if name else ""

    def is_called(self, shown: str) -> bool:
        """Whether `act` can mean this job by a name; it numbers the entries of a matrix."""
        parts = [re.escape(part) for part in EXPRESSION.sub("\0", self.name).split("\0")]
        return re.fullmatch(".+".join(parts) + (r"(-\d+)?" if self.has_matrix else ""), shown) is not None


@dataclass(frozen=True)
class Workflow:
    """A workflow file."""

    file: str
    text: str
    repository: str
    body: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The name that GitHub shows, and `act` puts before those of jobs."""
        return str(self.body.get("name", self.file))

    @cached_property
    def jobs(self) -> dict[str, Job]:
        """The jobs by id."""
        root = yaml.compose(self.text)
        assert isinstance(root, yaml.MappingNode)  # noqa: S101  `read` has parsed it
        nodes = next(value for key, value in root.value if key.value == "jobs")
        return {
            key.value: Job(
                key.value,
                self.body["jobs"][key.value],
                key.start_mark.index,
                value.end_mark.index,
                key.start_mark.column,
            )
            for key, value in nodes.value
        }

    @property
    def outputs(self) -> Mapping[str, str]:
        """The outputs of a called workflow, as expressions."""
        call = self.body["on"].get("workflow_call") if isinstance(self.body["on"], Mapping) else None
        return {name: output["value"] for name, output in ((call or {}).get("outputs") or {}).items()}

    def permissions(self, job: Job, caller: Mapping[str, str]) -> dict[str, str]:
        """What a job may do; where neither it nor its file says so, what the caller may."""
        declared = job.body.get("permissions", self.body.get("permissions"))
        return dict(caller) if declared is None else dict(declared)

    def for_act(self, commit: str, entry: str, stubs: Mapping[str, Stub], without: frozenset[str]) -> str:
        """The text with its environments' variables, its own commit, jobs that ran before, and without others.

        `entry`: the name of the workflow that calls it in the end, which GitHub gives to all of them.
        """
        pieces, position = [], 0
        for job in self.jobs.values():
            pieces.append(self.text[position : job.start])
            position = job.end
            if job.id in stubs:
                pieces.append(f"{job.id}: {stubs[job.id].text()}\n{' ' * job.indent}")
            elif job.id not in without:
                text = _with_variables(self.text[job.start : job.end], job.environment)
                pieces.append(_with_cancelled(text, [name for name in job.needs if _is_cancelled(stubs.get(name))]))
        text = "".join([*pieces, self.text[position:]])
        contexts = {"job.workflow_repository": self.repository, "job.workflow_sha": commit, "github.workflow": entry}
        for context, value in contexts.items():
            text = re.sub(rf"\b{re.escape(context)}\b", f"'{value}'", text)
        return text


def read(file: str, text: str, repository: str) -> Workflow:
    """A workflow from the text of its file. All its values stay texts: `on` is no boolean there."""
    return Workflow(file, text, repository, yaml.load(text, Loader=yaml.BaseLoader))  # noqa: S506  makes only texts


@dataclass(frozen=True)
class Call:
    """A workflow as a run reaches it: through which jobs it is called."""

    ids: tuple[str, ...]
    workflow: Workflow
    permissions: Mapping[str, str]

    def calls_others(self) -> bool:
        """Whether jobs of it call workflows."""
        return any(job.uses for job in self.workflow.jobs.values())

    def needed(self, job: str) -> set[str]:
        """The jobs of it that a job needs, directly or through others."""
        found: set[str] = set()
        waiting = [job]
        while waiting:
            fresh = set(self.workflow.jobs[waiting.pop()].needs) - found
            found |= fresh
            waiting += fresh
        return found


class Tree:
    """A workflow and all that it calls, at any depth.

    `library` holds the workflow files of each repository. Raises `ProblemsError` for what GitHub refuses at start-up:
    a called file that is not there, and a called job that wants more permissions than its caller has.
    """

    def __init__(self, entry: Workflow, library: Mapping[str, Mapping[str, str]]) -> None:
        self.library = library
        self.problems: list[Problem] = []
        self.calls = tuple(self._walk(Call((), entry, DEFAULT_PERMISSIONS)))
        if self.problems:
            raise ProblemsError(f"{entry.repository}: {entry.file}", self.problems)

    @property
    def entry(self) -> Workflow:
        """The workflow that the event starts."""
        return self.calls[0].workflow

    def call(self, ids: tuple[str, ...]) -> Call | None:
        """The workflow that these jobs call, one through the other."""
        return next((call for call in self.calls if call.ids == ids), None)

    def at(self, ids: tuple[str, ...]) -> Call:
        """The workflow that these jobs call; it is there."""
        return next(call for call in self.calls if call.ids == ids)

    def identity_jobs(self) -> list[list[str]]:
        """The jobs, by workflow and id, that get a token of GitHub for a cloud."""
        return [
            [call.workflow.name, job.id]
            for call in self.calls
            for job in call.workflow.jobs.values()
            if call.workflow.permissions(job, call.permissions).get("id-token") == "write"
        ]

    def _walk(self, call: Call) -> Iterator[Call]:
        yield call
        for job in call.workflow.jobs.values():
            granted = call.workflow.permissions(job, call.permissions)
            if call.ids:
                self._compare(call, job, granted)
            if job.uses and (called := self._called(call.workflow, job)):
                yield from self._walk(Call((*call.ids, job.id), called, granted))

    def _called(self, workflow: Workflow, job: Job) -> Workflow | None:
        found = CALL.fullmatch(job.uses)
        repository = (found["repository"] or workflow.repository) if found else ""
        text = self.library.get(repository, {}).get(found["file"] if found else "")
        if found is None or text is None:
            self.problems.append(
                Problem(
                    f"{workflow.file}: jobs.{job.id}.uses", job.uses, "a workflow file of a repository that is there",
                    "the run does not start", f"there are: {', '.join(sorted(self.library))}",
                )
            )  # fmt: skip
            return None
        return read(found["file"], text, repository)

    def _compare(self, call: Call, job: Job, granted: Mapping[str, str]) -> None:
        for name, level in granted.items():
            allowed = call.permissions.get(name, "none")
            if RANKS[level] > RANKS[allowed]:
                self.problems.append(
                    Problem(
                        f"{call.workflow.file}: jobs.{job.id}.permissions.{name}", level,
                        f"at most what the calling job `{call.ids[-1]}` has: {allowed}",
                        "GitHub refuses to start the run", f"give `{call.ids[-1]}` the permission, or ask for less",
                    )
                )  # fmt: skip


def _with_variables(text: str, environment: str) -> str:
    """Variables and secrets of the job's environment before those of the repository, as GitHub resolves them."""
    if not environment:
        return text

    def resolved(found: re.Match[str]) -> str:
        carrier = ENVIRONMENTS if found[1] == "vars" else ENVIRONMENT_SECRETS
        return f"(fromJSON(vars.{carrier})[{environment}].{found[2]} || {found[0]})"

    return OF_ENVIRONMENT.sub(resolved, text)


def _is_cancelled(stub: Stub | None) -> bool:
    return stub is not None and stub.result == "cancelled"


def _with_cancelled(text: str, needed: Sequence[str]) -> str:
    """What a job reads of those before it that were cancelled: to `act` they are failed ones."""
    for name in needed:
        text = re.sub(rf"\bneeds\.{re.escape(name)}\.result\b", "'cancelled'", text)
    return text
