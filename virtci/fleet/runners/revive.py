"""Bringing a kept machine back for people, for some hours: it takes no jobs, holds units like any other, and is kept again.

When its time is over it is turned off, by itself and by a sweep; the week after the failure goes on meanwhile.
"""

from datetime import timedelta
from typing import Protocol, runtime_checkable

from virtci.core.problems import Refusal
from virtci.core.runners.failures import Code
from virtci.core.runners.ladder import Rung
from virtci.core.runners.leases import Claim, Lease
from virtci.core.runners.requests import Phase, Record
from virtci.core.runners.tags import RunTags
from virtci.fleet.runners import ledger
from virtci.fleet.runners.launcher import Launcher
from virtci.fleet.runners.ports import StartFailed, Unanswered
from virtci.fleet.runners.start import ask
from virtci.fleet.runners.stop import tags_of

LONGEST = timedelta(hours=24)
PATIENCE = timedelta(minutes=30)
"""How long a person waits for units."""


@runtime_checkable
class Revives(Protocol):
    """A cloud that turns a kept machine on again."""

    def revive(self, stack: str, slot: str, tags: RunTags) -> None:
        """Turns on the machine that was kept in `slot`, as one of the slot in `tags`; can run again after it broke off.

        Raises `StartFailed` for what the platform refuses.
        """


def revive(launcher: Launcher, record: Record, hours: float) -> Record:
    """Turns a kept machine on, or gives a revived one more time. Raises `Refusal` for another one, `StartFailed`."""
    now, until = launcher.pace.now(), record.keep_until
    cloud: object = launcher.clouds[record.rung.cloud] if record.rung else None
    if record.phase not in (Phase.KEPT, Phase.REVIVED) or record.rung is None or until is None or until <= now:
        raise Refusal(
            f"{record.stack} is kept; it is {record.phase}" + (f", until {until:%Y-%m-%d %H:%M} UTC" if until else ""),
            "there is nothing to bring back",
            "only a machine whose run failed is kept, and for some days; run the failed jobs again, and they get another one",
        )
    if not isinstance(cloud, Revives):
        raise Refusal(
            f"machines in {record.rung.cloud} can be brought back from here",
            f"{record.stack} is a snapshot of a disk, and nothing here makes a machine of it",
            f"look at what was kept, virtci runners logs {record.stack}, or make a disk of its snapshot in the portal",
        )
    if not timedelta() < timedelta(hours=hours) <= LONGEST:
        raise Refusal(
            f"a machine comes back for more than 0 and at most {LONGEST // timedelta(hours=1)} hours, not for {hours:g}",
            "it would take vCPU that the runs of others wait for",
            "choose fewer; it can be brought back again",
        )
    deadline = min(now + timedelta(hours=hours), until)
    slot = _lease(launcher, record, record.rung).slots[0]
    if record.phase is Phase.KEPT:
        ledger.opened(launcher, record.stack, record.request.name.run.path, record.rung)
    why = f"for people, until {deadline:%Y-%m-%d %H:%M} UTC"
    # Written first: whoever finds the machine after a launcher died knows in which slot it is.
    revived = launcher.reached(record.stack, Phase.REVIVED, slot=slot, why=why)
    try:
        cloud.revive(record.stack, record.slot, tags_of(revived, deadline))
    except (Refusal, StartFailed):
        _undo(launcher, record)
        raise
    launcher.observe(record.stack, f"is back {why}, in {slot}")
    return revived


def _lease(launcher: Launcher, record: Record, rung: Rung) -> Lease:
    """The units of the machine. Raises `StartFailed` when none became free in time."""
    claim = Claim(holder=record.stack, pool=rung.pool, units=rung.machine.units)
    told = ""

    def question() -> Lease | None:
        nonlocal told
        try:
            found = ask(launcher, claim, rung)
        except Unanswered:
            return None
        if isinstance(found, Lease):
            return found
        if found.reason != told:
            told = found.reason
            launcher.observe(record.stack, f"waits: {found.reason}")
        return None

    lease = launcher.pace.until(question, PATIENCE)
    if lease is None:
        launcher.leases.release(record.stack)
        raise StartFailed(Code.QUOTA, f"no units became free within {PATIENCE}: {told}")
    return lease


def _undo(launcher: Launcher, record: Record) -> None:
    """What did not come back holds nothing; one that was there already stays."""
    if record.phase is Phase.KEPT:
        ledger.closed(launcher, record.stack)
        launcher.leases.release(record.stack)
        launcher.reached(record.stack, Phase.KEPT, why=record.why)
