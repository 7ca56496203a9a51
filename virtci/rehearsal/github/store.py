"""What the simulated GitHub holds: the repositories, people and teams of a scenario, and their environments."""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from nacl.public import PrivateKey
from pydantic import BaseModel, ConfigDict, Field

from virtci.rehearsal.clock import SimulatedClock
from virtci.rehearsal.github.contract import not_found

FIRST_ID = 7_000_001
REQUESTS_PER_HOUR = 5_000


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Owner(_Frozen):
    """The account that owns the repositories."""

    login: str = Field(min_length=1)
    id: int = Field(gt=0)
    type: Literal["Organization", "User"] = "Organization"


class Repository(_Frozen):
    """A repository of the owner."""

    name: str = Field(min_length=1)
    id: int = Field(gt=0)
    visibility: Literal["public", "private", "internal"] = "public"


class User(_Frozen):
    """A person who can be a reviewer."""

    login: str = Field(min_length=1)
    id: int = Field(gt=0)


class Team(_Frozen):
    """A team of the owner that can be a reviewer."""

    slug: str = Field(min_length=1)
    id: int = Field(gt=0)


class AgentRelease(_Frozen):
    """A release of GitHub's runner agent; a moment that is absent has not been set by GitHub."""

    registration: datetime | None = None
    runtime: datetime | None = None
    sha256: str = ""


KNOWN_AGENTS: Mapping[str, AgentRelease] = {
    "2.335.1": AgentRelease(runtime=datetime(2026, 9, 24, 15, 30, 55, tzinfo=UTC)),
    "2.336.0": AgentRelease(runtime=datetime(2026, 11, 5, tzinfo=UTC)),
    "2.337.0": AgentRelease(),
}
"""As GitHub told on 2026-09-30."""


class GitHubScenario(_Frozen):
    """What exists on GitHub before the rehearsal starts."""

    owner: Owner
    repositories: tuple[Repository, ...] = ()
    users: tuple[User, ...] = ()
    teams: tuple[Team, ...] = ()
    requests_per_hour: int = Field(default=REQUESTS_PER_HOUR, gt=0)
    agents: Mapping[str, AgentRelease] = Field(default=KNOWN_AGENTS, min_length=1)


@dataclass(frozen=True, slots=True)
class Protection:
    """The settings of an environment that one PUT replaces as a whole."""

    wait_timer: int = 0
    prevent_self_review: bool = False
    reviewers: tuple[tuple[str, int], ...] = ()
    branch_policy: Mapping[str, bool] | None = None
    can_admins_bypass: bool = True

    @property
    def has_patterns(self) -> bool:
        """Whether name patterns decide which branches may deploy."""
        return bool(self.branch_policy and self.branch_policy["custom_branch_policies"])


@dataclass(slots=True)
class Entry:
    """A secret or a variable. A secret's value is nowhere: only the fact that it was set is kept."""

    name: str
    created_at: datetime
    updated_at: datetime
    value: str | None = None


@dataclass(slots=True)
class Environment:
    """A deployment environment with everything that dies with it."""

    id: int
    name: str
    created_at: datetime
    updated_at: datetime
    protection: Protection = field(default_factory=Protection)
    patterns: dict[int, tuple[str, str]] = field(default_factory=dict)
    secrets: dict[str, Entry] = field(default_factory=dict)
    variables: dict[str, Entry] = field(default_factory=dict)
    key_id: str = ""
    key: PrivateKey = field(default_factory=PrivateKey.generate, repr=False)


@dataclass(slots=True)
class Comment:
    """What somebody wrote on an issue or a pull request."""

    id: int
    author: str
    body: str
    created_at: datetime
    updated_at: datetime


@dataclass(slots=True)
class Issue:
    """An issue, or a pull request, which GitHub lists among the issues."""

    number: int
    id: int
    author: str
    title: str
    created_at: datetime
    updated_at: datetime
    body: str = ""
    labels: tuple[str, ...] = ()
    is_pull_request: bool = False
    state: str = "open"
    state_reason: str | None = None
    closed_at: datetime | None = None
    comments: dict[int, Comment] = field(default_factory=dict)


@dataclass(slots=True)
class Runner:
    """A self-hosted runner that registered itself."""

    id: int
    name: str
    labels: tuple[str, ...]
    version: str
    credential: str = field(repr=False)
    seen: datetime
    """When it was made or last online."""
    online: bool = False
    busy: bool = False
    ephemeral: bool = False


@dataclass(slots=True)
class Job:
    """A job of a workflow run, once its needs are met. `does` is what a stand-in agent runs, by bash."""

    id: int
    name: str
    labels: tuple[str, ...]
    created_at: datetime
    does: str = ""
    status: Literal["queued", "in_progress", "completed"] = "queued"
    conclusion: str | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    runner: Runner | None = None


@dataclass(slots=True)
class WorkflowRun:
    """A run of a workflow; `attempts` holds the jobs of each attempt, the first one first."""

    id: int
    workflow: str
    number: int
    created_at: datetime
    event: str = "push"
    branch: str = "main"
    attempts: list[list[Job]] = field(default_factory=lambda: [[]])

    @property
    def status(self) -> str:
        """As GitHub words it: `queued` until the first job begins."""
        states = {job.status for job in self.attempts[-1]}
        if not states - {"queued"}:
            return "queued"
        return "completed" if states == {"completed"} else "in_progress"

    @property
    def conclusion(self) -> str | None:
        """How a run that is over ended; one job that failed is enough."""
        if self.status != "completed":
            return None
        found = {job.conclusion for job in self.attempts[-1]}
        return next((word for word in ("failure", "cancelled") if word in found), "success")


@dataclass
class World:
    """The live state, and look-ups that answer as the service does when something is absent."""

    scenario: GitHubScenario
    clock: SimulatedClock
    environments: dict[tuple[int, str], Environment] = field(default_factory=dict)
    variables: dict[int, dict[str, Entry]] = field(default_factory=dict)
    """Those of each repository; its environments have their own."""
    issues: dict[tuple[int, int], Issue] = field(default_factory=dict)
    runners: dict[tuple[int, str], Runner] = field(default_factory=dict)
    registrations: dict[str, tuple[int, datetime]] = field(default_factory=dict, repr=False)
    runs: dict[tuple[int, int], WorkflowRun] = field(default_factory=dict)
    """By repository and run."""
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(FIRST_ID))

    def next_id(self) -> int:
        """A number that nothing else has."""
        return next(self._numbers)

    def repository(self, owner: str, name: str) -> Repository:
        """A repository; names are not case sensitive."""
        found = [item for item in self.scenario.repositories if item.name.lower() == name.lower()]
        if owner.lower() != self.scenario.owner.login.lower() or not found:
            raise not_found()
        return found[0]

    def variables_of(self, repository: Repository) -> dict[str, Entry]:
        """The variables of a repository by name."""
        return self.variables.setdefault(repository.id, {})

    def user(self, login: str) -> User:
        """A person, or the owner as an account."""
        account = self.scenario.owner
        for item in (*self.scenario.users, User(login=account.login, id=account.id)):
            if item.login.lower() == login.lower():
                return item
        raise not_found()

    def team(self, organisation: str, slug: str) -> Team:
        """A team of the owner."""
        owner = self.scenario.owner
        found = [item for item in self.scenario.teams if item.slug == slug.lower()]
        if owner.type != "Organization" or organisation.lower() != owner.login.lower() or not found:
            raise not_found()
        return found[0]

    def environments_of(self, repository: Repository) -> list[Environment]:
        """The environments of a repository in the order of their creation."""
        return [item for (owner, _), item in self.environments.items() if owner == repository.id]

    def environment(self, repository: Repository, name: str) -> Environment:
        """An environment; names are not case sensitive."""
        try:
            return self.environments[repository.id, name.lower()]
        except KeyError as error:
            raise not_found() from error

    def ensure(self, repository: Repository, name: str) -> Environment:
        """The environment, created when it is absent."""
        key = (repository.id, name.lower())
        if key not in self.environments:
            now = self.clock.now
            self.environments[key] = Environment(
                id=self.next_id(), name=name, created_at=now, updated_at=now, key_id=str(self.next_id())
            )
        return self.environments[key]

    def issues_of(self, repository: Repository) -> list[Issue]:
        """Issues and pull requests of a repository, the newest first."""
        return [item for (owner, _), item in reversed(self.issues.items()) if owner == repository.id]

    def issue(self, repository: Repository, number: int) -> Issue:
        """An issue or a pull request."""
        try:
            return self.issues[repository.id, number]
        except KeyError as error:
            raise not_found() from error

    def open(self, repository: Repository, author: str, title: str, *, is_pull_request: bool = False) -> Issue:
        """A new issue or pull request; both are numbered in one row."""
        now = self.clock.now
        number = 1 + max((number for owner, number in self.issues if owner == repository.id), default=0)
        made = Issue(number, self.next_id(), author, title, now, now, is_pull_request=is_pull_request)
        self.issues[repository.id, number] = made
        return made

    def comment(self, issue: Issue, author: str, body: str) -> Comment:
        """A new comment."""
        now = self.clock.now
        made = Comment(self.next_id(), author, body, now, now)
        issue.comments[made.id] = made
        return made
