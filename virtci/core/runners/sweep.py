"""What is to be done about every machine, runner record, stack and lease: four views of the same runs, held together.

GitHub's runners, the clouds' resources, Pulumi's stacks and GitHub's workflow runs drift apart whenever something dies
half-way. Nothing here asks or changes anything: what was seen goes in, what is to be done comes out, with the class of
leak that it is. What is not ours never comes in (`virtci.core.runners.tags`, `naming.is_ours`).
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from virtci.core.runners.clouds import Cloud
from virtci.core.runners.tags import RunTags

BOOTING = timedelta(minutes=20)
"""Grace for what is being made: a machine that has no runner yet, a stack that has no machine yet."""
CLOSING = timedelta(minutes=2)
"""Grace after a run ended. Its own `stop` has ended with it; clocks differ."""


LATE = timedelta(hours=1)
"""From then on, what is kept or runs past its time is a leak: a sweep comes every few minutes."""


class Leak(StrEnum):
    """A class of what was left behind; each has a counter."""

    LEFT_RUNNING = "machine whose run has ended"
    TOO_OLD = "machine past its deadline"
    NEVER_ONLINE = "machine that never became a runner"
    KEPT_TOO_LONG = "kept machine past its week"
    KEPT_RUNNING = "kept machine that still takes vCPU"
    EMPTY_STACK = "stack without a machine"
    GHOST_RUNNER = "runner record without a machine"
    LOST_LEASE = "lease without a machine"


class Do(StrEnum):
    """What a sweep does."""

    DESTROY = "destroy"
    KEEP = "keep"
    FORGET_RUNNER = "delete the runner record"
    RELEASE = "give the lease back"
    RENEW = "renew the lease"


@dataclass(frozen=True, kw_only=True, slots=True)
class SeenMachine:
    """A machine or a snapshot of ours in a cloud; `holds_vcpus` is false for what is stopped on EC2 or a snapshot."""

    cloud: Cloud
    id: str
    tags: RunTags
    created: datetime
    holds_vcpus: bool
    in_stack: bool = True
    """Whether a stack declares it: what is kept of a machine that was deleted outlives its stack."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SeenRunner:
    """A runner on GitHub with a label of ours."""

    id: int
    label: str
    online: bool
    busy: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class SeenStack:
    """A run's stack in Pulumi's backend."""

    name: str
    updated: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class SeenRun:
    """A workflow run: nothing in `ended` while jobs of it run or wait."""

    run: str
    ended: datetime | None
    failed: frozenset[str] = frozenset()
    """The labels on which jobs of it failed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SeenLease:
    """A lease of units."""

    holder: str
    heartbeat: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """Everything that a sweep looks at, as of one moment."""

    now: datetime
    machines: tuple[SeenMachine, ...]
    runners: tuple[SeenRunner, ...]
    stacks: tuple[SeenStack, ...]
    runs: Mapping[str, SeenRun]
    """By `owner/name/id/attempt`; a run that GitHub does not know is missing."""
    leases: tuple[SeenLease, ...]
    came_online: frozenset[str] = frozenset()
    """The stacks whose machines were runners once: without a runner, they are being stopped or have lost their network."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Action:
    """One thing to do: to what, why, and which leak it is; what happens in its time is none."""

    do: Do
    target: str
    """A stack; for runner records the label."""
    why: str
    leak: Leak | None = None
    id: int = 0
    """GitHub's number of a runner record."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a sweep does, in order."""

    actions: tuple[Action, ...] = field(default=())

    @property
    def leaks(self) -> Counter[Leak]:
        """How many of each class."""
        return Counter(action.leak for action in self.actions if action.leak)


def plan(seen: Seen) -> Plan:
    """What is to be done. The order matters little: every action can run again, and the next sweep sees what is left."""
    # A machine that came back and what is kept of it are two views of one stack, which is taken down once.
    ends: dict[str, Action] = {}
    for action in (*_machines(seen), *_stacks(seen)):
        ends.setdefault(action.target, action)
    return Plan((*ends.values(), *_runners(seen), *_leases(seen)))


def _machines(seen: Seen) -> Iterator[Action]:
    online = {runner.label for runner in seen.runners if runner.online}
    for machine in seen.machines:
        if action := _judge(machine, seen, machine.tags.label in online):
            yield action


def _judge(machine: SeenMachine, seen: Seen, online: bool) -> Action | None:
    tags, now = machine.tags, seen.now
    if tags.keep_until:
        return _judge_kept(machine, tags.keep_until, now)
    if now >= tags.deadline:
        return _destroy(machine, Leak.TOO_OLD, f"its deadline was {tags.deadline:%Y-%m-%d %H:%M} UTC")
    run = seen.runs.get(tags.run)
    young = now - machine.created < BOOTING
    if run is None and not young:
        known = f"GitHub does not know run {tags.run}" if tags.run else "it has no record, and its tags are gone"
        return _destroy(machine, Leak.LEFT_RUNNING, known)
    if run and run.ended and now - run.ended >= CLOSING:
        why = f"run {tags.run} ended at {run.ended:%Y-%m-%d %H:%M} UTC"
        if tags.label in run.failed and machine.holds_vcpus:
            return Action(do=Do.KEEP, target=tags.stack, why=f"{why}, and a job failed", leak=Leak.LEFT_RUNNING)
        return _destroy(machine, Leak.LEFT_RUNNING, why)
    if not online and not young and machine.holds_vcpus and tags.stack not in seen.came_online:
        return _destroy(
            machine, Leak.NEVER_ONLINE, f"it has no runner online {_minutes(now - machine.created)} after its start"
        )
    return None


def _judge_kept(machine: SeenMachine, until: datetime, now: datetime) -> Action | None:
    if now >= until:
        leak = Leak.KEPT_TOO_LONG if now - until >= LATE else None
        return _destroy(machine, leak, f"it was kept until {until:%Y-%m-%d %H:%M} UTC")
    if machine.holds_vcpus and now >= machine.tags.deadline:
        return Action(
            do=Do.KEEP,
            target=machine.tags.stack,
            why="it is kept, and still takes vCPU after its deadline",
            leak=Leak.KEPT_RUNNING if now - machine.tags.deadline >= LATE else None,
        )
    return None


def _destroy(machine: SeenMachine, leak: Leak | None, why: str) -> Action:
    return Action(do=Do.DESTROY, target=machine.tags.stack, why=why, leak=leak)


def _stacks(seen: Seen) -> Iterator[Action]:
    known = {machine.tags.stack for machine in seen.machines if machine.in_stack}
    kept = {machine.tags.stack for machine in seen.machines if not machine.in_stack}
    for stack in seen.stacks:
        if stack.name not in known and seen.now - stack.updated >= BOOTING:
            why = f"there is no machine, {_minutes(seen.now - stack.updated)} after the last change"
            do = Do.KEEP if stack.name in kept else Do.DESTROY
            yield Action(do=do, target=stack.name, why=why, leak=Leak.EMPTY_STACK)


def _runners(seen: Seen) -> Iterator[Action]:
    known = {machine.tags.label for machine in seen.machines if machine.holds_vcpus}
    for runner in seen.runners:
        if runner.label not in known and not runner.online and not runner.busy:
            yield Action(
                do=Do.FORGET_RUNNER,
                target=runner.label,
                why="it is offline and has no machine",
                leak=Leak.GHOST_RUNNER,
                id=runner.id,
            )


def _leases(seen: Seen) -> Iterator[Action]:
    holding = {machine.tags.stack for machine in seen.machines if machine.holds_vcpus}
    for lease in seen.leases:
        if lease.holder in holding:
            yield Action(do=Do.RENEW, target=lease.holder, why="its machine is there")
        elif seen.now - lease.heartbeat >= BOOTING:
            yield Action(
                do=Do.RELEASE,
                target=lease.holder,
                why=f"it has no machine, and its holder was last heard of {_minutes(seen.now - lease.heartbeat)} ago",
                leak=Leak.LOST_LEASE,
            )


def _minutes(span: timedelta) -> str:
    return f"{int(span.total_seconds() // 60)} minutes"
