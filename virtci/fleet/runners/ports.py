"""What the life of a runner asks of the clouds, of Pulumi and of GitHub; each has one real side and is rehearsed with it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar

from virtci.core.runners.clouds import Cloud, Serves
from virtci.core.runners.failures import Code
from virtci.core.runners.ladder import Rung
from virtci.core.runners.sweep import SeenMachine, SeenRun, SeenRunner, SeenStack
from virtci.core.runners.tags import RunTags

Found = TypeVar("Found")


class StartFailed(Exception):
    """A machine did not become a runner: the code, and what the platform or the machine said."""

    def __init__(self, code: Code, said: str) -> None:
        super().__init__(f"{code}: {said}")
        self.code = code
        self.said = said


class Unanswered(StartFailed):
    """A service did not answer, after all retries of its client: it may the next time."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BootReport:
    """How far a machine's boot came. `failure` ends it; `probed`: it has what was asked for and waits for its registration."""

    stage: str
    at: datetime
    probed: bool
    failure: Code | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Credential:
    """What registers one runner, and until when; a secret."""

    text: str
    expires: datetime
    runner_id: int = 0
    """GitHub's number of the record that exists already; 0 where the machine makes it."""

    def __repr__(self) -> str:
        return f"Credential(expires={self.expires:%H:%M})"


class Stacks(Protocol):
    """The stacks of runs in Pulumi's backend."""

    def up(self, name: str, runner: Mapping[str, Any]) -> None:
        """Declares one machine (section `runner`). Raises `StartFailed`; what was made before stays in the stack."""

    def destroy(self, name: str) -> None:
        """Takes the machine down and removes the stack; nothing happens where there is none. Raises `StartFailed`."""

    def all(self) -> list[SeenStack]:
        """All stacks of runs."""


class RunnerCloud(Protocol):
    """One cloud at run time; everything is limited to what carries our tags."""

    @property
    def cloud(self) -> Cloud:
        """Which one."""

    @property
    def frees_by_deletion(self) -> bool:
        """Whether vCPU are free only when the machine is deleted: Azure counts deallocated ones, EC2 no stopped ones."""

    def room(self, rung: Rung) -> int:
        """Units of the rung's region that the platform leaves to us, our own machines included."""

    def image(self, region: str) -> str:
        """The id of the image version that is promoted. Raises `StartFailed` when there is none."""

    def place(self, rung: Rung) -> Mapping[str, str]:
        """What a machine on that rung is made in: `subnet`."""

    def machines(self) -> list[SeenMachine]:
        """Machines and kept evidence of ours."""

    def boot(self, stack: str, slot: str) -> BootReport | None:
        """What the machine tells; nothing before its first word."""

    def state(self, stack: str, slot: str) -> str:
        """`running`, `stopped`, `evicted` or `absent`."""

    def deliver(self, slot: str, credential: Credential) -> None:
        """Puts a credential where the slot's machine alone reads it."""

    def withdraw(self, slot: str) -> None:
        """Makes sure that no usable credential lies there."""

    def keep(self, stack: str, slot: str, tags: RunTags) -> None:
        """Turns the machine into what is kept, with its serial log and disk; can run again after it broke off."""

    def revive(self, stack: str, slot: str, tags: RunTags) -> Mapping[str, str]:
        """Turns on the machine that was kept in `slot`, as one of the slot in `tags`; can run again after it broke off.

        Where the machine was deleted, returns what its stack makes it of again: `snapshot`. Raises `StartFailed` for what
        the platform refuses, or when there is nothing any more.
        """

    def discard(self, machine: SeenMachine) -> None:
        """Deletes what is kept outside a stack."""

    def login(self, machine: SeenMachine, user: str) -> Sequence[str]:
        """The command by which people log in. Raises `Refusal` where nobody is let in."""


class Actions(Protocol):
    """GitHub, as the repository's runners and runs show it."""

    def register(self, label: str, labels: Sequence[str], serves: Serves) -> Credential:
        """What one runner of that name needs. Raises `StartFailed` with `GITHUB`."""

    def runner(self, label: str) -> SeenRunner | None:
        """The runner of that name."""

    def runners(self) -> list[SeenRunner]:
        """All runners with labels of ours."""

    def forget(self, runner_id: int) -> bool:
        """Deletes a record; whether it is gone: GitHub keeps that of a runner with a job."""

    def run(self, run: str) -> SeenRun | None:
        """The run `owner/name/id/attempt` with the end of its newest attempt, which may use machines of this one.

        Nothing when GitHub does not know it.
        """

    def busy(self, run: str, label: str) -> timedelta:
        """How long jobs of a run were on the runner of that label."""

    def longest_step(self, run: str) -> timedelta:
        """How long the step ran, or has been running, that ran longest among those that were cut off."""

    def wanted(self) -> list[str]:
        """The labels of ours that queued jobs wait for."""


class Together(Protocol):
    """Runs several things at once and gives their results in order; what one raises is raised after all ended."""

    def __call__(self, *tasks: Callable[[], Found]) -> list[Found]:
        """The results of the tasks."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """How long things may take."""

    boot: timedelta = timedelta(minutes=15)
    """From a machine's creation to a runner that is online and idle."""
    patience: timedelta = timedelta(minutes=2)
    """How long a claim waits in one pool before it also looks at others."""
    queue: timedelta = timedelta(hours=6)
    """How long a start waits for units at all."""
    heartbeat: timedelta = timedelta(minutes=1)
    budget: timedelta = timedelta(minutes=5)
    """How old the day's sum may be that a waiting claim is held against."""
