"""Bringing a kept machine back for people, for some hours: it takes no jobs, holds units like any other, and is kept again.

In EC2 it is the machine itself, turned on. In Azure it is a new one around a copy of the kept disk, declared by its stack
like any other, so that the policies judge it before it is made; what people change on it goes with it. The week after the
failure goes on meanwhile.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

from virtci.core.problems import Refusal
from virtci.core.runners.failures import Code
from virtci.core.runners.ladder import Rung
from virtci.core.runners.leases import Claim, Lease
from virtci.core.runners.requests import Phase, Record
from virtci.core.runners.tags import FORMAT
from virtci.fleet.runners import ledger
from virtci.fleet.runners.launcher import Launcher
from virtci.fleet.runners.ports import StartFailed, Unanswered
from virtci.fleet.runners.start import ask, declared
from virtci.fleet.runners.stop import tags_of

LONGEST = timedelta(hours=24)
PATIENCE = timedelta(minutes=30)
"""How long a person waits for units."""


def revive(launcher: Launcher, record: Record, hours: float) -> Record:
    """Brings a kept machine back, or gives a revived one more time. Raises `Refusal` for another one, `StartFailed`."""
    rung, until = _kept(launcher, record)
    if not timedelta() < timedelta(hours=hours) <= LONGEST:
        raise Refusal(
            f"a machine comes back for more than 0 and at most {LONGEST // timedelta(hours=1)} hours, not for {hours:g}",
            "it would take vCPU that the runs of others wait for",
            "choose fewer; it can be brought back again",
        )
    cloud, deadline = launcher.clouds[rung.cloud], min(launcher.pace.now() + timedelta(hours=hours), until)
    on = record.phase is Phase.REVIVED and cloud.state(record.stack, record.slot) == "running"
    slot = _lease(launcher, record, rung).slots[0]
    goes_on = on and record.slot == slot
    ledger.opened(launcher, record.stack, record.request.name.run.path, rung)
    why = f"for people, until {deadline:%Y-%m-%d %H:%M} UTC"
    # Written first: whoever finds the machine after a launcher died knows in which slot it is.
    revived = launcher.reached(record.stack, Phase.REVIVED, slot=slot, why=why)
    source: Mapping[str, str] = {}
    try:
        source = cloud.revive(record.stack, record.slot, tags_of(revived, deadline))
        if source and not goes_on:
            launcher.stacks.destroy(record.stack)  # what is left of one that turned itself off, or was half made
        if source:
            kept = {**source, "keepUntil": until.strftime(FORMAT)}
            machine = declared(launcher, record.request, rung, slot, deadline)
            launcher.stacks.up(record.stack, {**machine, "revive": kept})
    except (Refusal, StartFailed):
        if not goes_on:
            _undo(launcher, record, made=bool(source))
        raise
    launcher.observe(record.stack, f"is back {why}, in {slot}")
    return revived


def _kept(launcher: Launcher, record: Record) -> tuple[Rung, datetime]:
    """Where the machine was, and until when it is kept. Raises `Refusal` for one that is not, or not yet."""
    until = record.keep_until
    if record.phase not in (Phase.KEPT, Phase.REVIVED) or not record.rung or not until or until <= launcher.pace.now():
        raise Refusal(
            f"{record.stack} is kept; it is {record.phase}" + (f", until {until:%Y-%m-%d %H:%M} UTC" if until else ""),
            "there is nothing to bring back",
            "only a machine whose run failed is kept, and for some days; run the failed jobs again, and they get another one",
        )
    if record.phase is Phase.KEPT and any(lease.holder == record.stack for lease in launcher.leases.leases()):
        raise Refusal(
            f"{record.stack} holds no units any more",
            "it is still being kept: its disk could be lost, or its units given away",
            "try again in some minutes; where its `stop` died, after the next sweep",
        )
    # On demand: people would lose what the platform takes back.
    return replace(record.rung, spot=False), until


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


def _undo(launcher: Launcher, record: Record, *, made: bool) -> None:
    """What did not come back holds nothing; what this does not get done either, a sweep does."""
    with suppress(Refusal, StartFailed):
        if made:
            launcher.stacks.destroy(record.stack)
        ledger.closed(launcher, record.stack)
        launcher.leases.release(record.stack)
        launcher.reached(record.stack, Phase.KEPT, why=record.why)
