"""The sweep: looks at runners, machines, stacks, runs and leases at once, and puts right what does not fit together.

It is the truth about the end of things: a `stop` can be cancelled, a launcher can die at any call, a machine can vanish.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from virtci.core.problems import Refusal
from virtci.core.runners import sweep as core
from virtci.core.runners.leases import LeaseLost
from virtci.core.runners.requests import Phase, Record
from virtci.core.runners.sweep import Action, Do, Plan, Seen, SeenLease, SeenMachine
from virtci.fleet.runners import ledger
from virtci.fleet.runners.launcher import Launcher
from virtci.fleet.runners.ports import StartFailed, Together
from virtci.fleet.runners.revive import LONGEST
from virtci.fleet.runners.start import start
from virtci.fleet.runners.stop import DONE, KEEPING, destroy, keep

MAY_RUN = {Phase.KEPT: KEEPING, Phase.REVIVED: LONGEST}
"""How long a machine may run after it reached a phase; in any other, what the rules allow from its creation on."""


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep planned, what of it did not work and why, and whom it started again."""

    plan: Plan
    failures: tuple[str, ...]
    restarted: tuple[str, ...]


def look(launcher: Launcher) -> Seen:
    """Everything as of now. Records and machines come first: what is gone when the others are looked at is no leak."""
    records = launcher.records()
    known = {record.stack: record for record in records}
    found = (machine for cloud in launcher.clouds.values() for machine in cloud.machines())
    machines = tuple(_as_recorded(launcher, machine, known.get(machine.tags.stack)) for machine in found)
    stacks = tuple(launcher.stacks.all())
    runners = tuple(launcher.github.runners())
    leases = tuple(SeenLease(holder=item.holder, heartbeat=item.heartbeat) for item in launcher.leases.leases())
    came_online = {record.stack for record in records if Phase.ONLINE in record.at}
    asked = {machine.tags.run for machine in machines if machine.tags.keep_until is None} - {""}
    runs = {run: seen for run in sorted(asked) if (seen := launcher.github.run(run))}
    return Seen(
        now=launcher.pace.now(),
        machines=machines,
        runners=runners,
        stacks=stacks,
        runs=runs,
        leases=leases,
        came_online=frozenset(came_online),
    )


def _as_recorded(launcher: Launcher, machine: SeenMachine, record: Record | None) -> SeenMachine:
    """A machine as its record has it: in Azure it can change its own tags, and so would end when it likes, or never.

    Its tags can only make its time shorter than it can be by the record, and by when the platform made it.
    """
    if not machine.in_stack:
        return machine
    tags, latest = machine.tags, machine.created + launcher.rules.maximum
    if record is None:
        tags = replace(tags, keep_until=None if machine.holds_vcpus else tags.keep_until)
    else:
        name, until = record.request.name, record.keep_until
        kept = min(tags.keep_until, until) if tags.keep_until and until else None
        tags = replace(tags, label=name.label, shown=name.shown, run=name.run.path, keep_until=kept)
        if record.phase in MAY_RUN:
            latest = record.at[record.phase] + MAY_RUN[record.phase]
    return replace(machine, tags=replace(tags, deadline=min(tags.deadline, latest)))


def sweep(launcher: Launcher, together: Together, dry_run: bool = False) -> Swept:
    """Puts right what does not fit together, several things at once; with `dry_run` it only says what it would do."""
    seen = look(launcher)
    plan = core.plan(seen)
    if dry_run:
        return Swept(plan, (), ())
    # Of a machine that came back and what is kept of it, the machine counts.
    machines = {machine.tags.stack: machine for machine in sorted(seen.machines, key=lambda item: item.in_stack)}
    # Renewals one after another: all leases may be one object, whose writers would only keep each other from writing it.
    done = [_tried(launcher, action, machines) for action in plan.actions if action.do is Do.RENEW]
    others = [action for action in plan.actions if action.do is not Do.RENEW]
    done += together(*(partial(_tried, launcher, action, machines) for action in others))
    for record in _orphans(launcher, seen, launcher.records()):
        ledger.closed(launcher, record.stack)
        launcher.reached(record.stack, Phase.ENDED, why="nothing of it is there any more")
    labels = launcher.github.wanted()
    came_back = together(*(partial(_restarted, launcher, label, seen) for label in labels))
    failures = [said for said in (*done, *(said for _, said in came_back)) if said]
    restarted = [label for label, (again, _) in zip(labels, came_back, strict=True) if again]
    return Swept(plan, tuple(failures), tuple(restarted))


def _tried(launcher: Launcher, action: Action, machines: dict[str, SeenMachine]) -> str:
    """Does one thing; what went wrong, or nothing. One failure does not keep the others from being done."""
    launcher.observe(action.target, f"{action.do}: {action.why}")
    try:
        DEEDS[action.do](launcher, action, machines.get(action.target))
    except (Refusal, StartFailed, LeaseLost) as error:
        return f"{action.target}: {action.do}: {error}"
    return ""


def _destroy(launcher: Launcher, action: Action, machine: SeenMachine | None) -> None:
    record = launcher.record(action.target)
    if machine and machine.tags.keep_until:
        launcher.clouds[machine.cloud].discard(machine)
    kept = record is not None and record.phase is Phase.KEPT
    if record and kept and machine and not machine.tags.keep_until:
        keep(launcher, record, record.why)  # its `stop` died before the machine itself said that it is kept
    elif record and not (kept and machine is None):
        destroy(launcher, record, action.why)
    else:
        launcher.stacks.destroy(action.target)
        ledger.closed(launcher, action.target)
        launcher.leases.release(action.target)


def _keep(launcher: Launcher, action: Action, machine: SeenMachine | None) -> None:
    record = launcher.record(action.target)
    if record and record.rung:
        keep(launcher, record, action.why)
    else:
        _destroy(launcher, action, machine)


def _forget(launcher: Launcher, action: Action, _: SeenMachine | None) -> None:
    launcher.github.forget(action.id)


def _release(launcher: Launcher, action: Action, _: SeenMachine | None) -> None:
    ledger.closed(launcher, action.target)  # a `stop` that died gives the lease back last
    launcher.leases.release(action.target)
    if (record := launcher.record(action.target)) and record.phase is Phase.REVIVED:
        launcher.reached(record.stack, Phase.KEPT, why="it is off again")


def _renew(launcher: Launcher, action: Action, machine: SeenMachine | None) -> None:
    try:
        launcher.leases.heartbeat(action.target)
    except LeaseLost:
        # Its `stop` may have been quicker; a machine that is still there without a lease is told.
        if machine and launcher.clouds[machine.cloud].state(action.target, machine.tags.slot) == "running":
            raise


DEEDS: dict[Do, Callable[[Launcher, Action, SeenMachine | None], None]] = {
    Do.DESTROY: _destroy,
    Do.KEEP: _keep,
    Do.FORGET_RUNNER: _forget,
    Do.RELEASE: _release,
    Do.RENEW: _renew,
}


def _restarted(launcher: Launcher, label: str, seen: Seen) -> tuple[bool, str]:
    """Starts a runner again under the label that re-run jobs wait for: their `start` is not run a second time.

    Whether it did, and what went wrong.
    """
    if any(machine.tags.label == label and machine.tags.keep_until is None for machine in seen.machines):
        return False, ""
    record = next(reversed(launcher.records_under(label)), None)
    if record is None or record.phase not in DONE:
        return False, ""
    name = record.request.name
    launcher.observe(record.stack, f"jobs wait for {label} again")
    try:
        start(launcher, replace(record.request, name=replace(name, again=name.again + 1)))
    except (Refusal, StartFailed) as error:
        return False, f"{record.stack}: start again: {error}"
    return True, ""


def _orphans(launcher: Launcher, seen: Seen, records: Sequence[Record]) -> list[Record]:
    """Records of machines of which there is nothing: no machine, no stack, no lease, and nobody who works on them."""
    there = {
        *(machine.tags.stack for machine in seen.machines),
        *(stack.name for stack in seen.stacks),
        *(lease.holder for lease in seen.leases),
    }
    now = launcher.pace.now()
    return [record for record in records if record.stack not in there and now - max(record.at.values()) >= core.BOOTING]
