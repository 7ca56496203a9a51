"""Ending a runner: gone after a success, kept after a failure, and in both cases no unit held for longer than it takes.

Every step can run again: a `stop` that was cancelled twice is finished by the next one, or by a sweep.
"""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from virtci.core.problems import Refusal
from virtci.core.runners.clouds import Cloud
from virtci.core.runners.naming import Run
from virtci.core.runners.requests import OVER, Phase, Record
from virtci.core.runners.retention import OnCancel, Result, Verdict, keep_until, verdict
from virtci.core.runners.tags import RunTags
from virtci.fleet.runners import ledger
from virtci.fleet.runners.launcher import Launcher
from virtci.fleet.runners.ports import StartFailed

DONE = (*OVER, Phase.KEPT, Phase.REVIVED)
ATTEMPTS = 3
PAUSE_SECONDS = 20.0
KEEPING = timedelta(minutes=30)
"""How long it may take to turn a machine into evidence; then a sweep goes on with it."""


def stop_run(
    launcher: Launcher,
    run: Run,
    results: Mapping[str, Result],
    on_cancel: OnCancel,
    clouds: Collection[Cloud] = tuple(Cloud),
) -> tuple[Verdict, list[Record]]:
    """Ends all machines of a run by the results of its jobs; those of earlier attempts too, that came back for re-run jobs.

    `clouds`: only the machines that were asked for there, when their jobs are done before those of the others.
    Raises `Refusal` for a run without machines: a stop that found nothing would look like one that worked.
    """
    known = [record for cloud in clouds for record in launcher.records(f"run-{cloud}-{run.run_id}-")]
    found = [record for record in known if _is_of(record, run)]
    if not found and not launcher.has_ended(run):
        raise Refusal(
            f"run {run.path} started runners",
            "there is nothing to stop, or it is another run's",
            "hand over github.repository, github.run_id and github.run_attempt of the run whose `start` it belongs to",
        )
    decided = verdict(results.values(), on_cancel, launcher.github.longest_step(run.path))
    return decided, [_insistently(launcher, record, decided) for record in found]


def _insistently(launcher: Launcher, record: Record, decided: Verdict) -> Record:
    """Tries again what a cloud did not do at first: until a sweep comes, the machine is paid for nothing."""
    for _ in range(ATTEMPTS - 1):
        try:
            return stop(launcher, launcher.record(record.stack) or record, decided)
        except StartFailed as failed:
            launcher.observe(record.stack, f"tries again in {PAUSE_SECONDS:g} s: {failed}")
            launcher.pace.sleep(PAUSE_SECONDS)
    return stop(launcher, launcher.record(record.stack) or record, decided)


def _is_of(record: Record, run: Run) -> bool:
    theirs = record.request.name.run
    same = (theirs.repository, theirs.run_id) == (run.repository, run.run_id)
    return same and theirs.attempt <= run.attempt


def stop(launcher: Launcher, record: Record, decided: Verdict) -> Record:
    """Ends one machine as was decided; one that is gone, or evidence of an earlier failure, stays as it is."""
    if record.phase in DONE:
        return record
    launcher.observe(record.stack, f"{'kept' if decided.keep else 'destroyed'}: {decided.why}")
    if decided.keep and record.rung and record.phase is Phase.ONLINE:
        return keep(launcher, record, decided.why)
    return destroy(launcher, record, decided.why)


def destroy(launcher: Launcher, record: Record, why: str) -> Record:
    """Takes a machine down with all that belongs to it, its units last."""
    busy = _busy(launcher, record)
    _unregister(launcher, record)
    launcher.stacks.destroy(record.stack)
    ledger.closed(launcher, record.stack, busy)
    launcher.leases.release(record.stack)
    launcher.observe(record.stack, f"gone: {why}")
    return launcher.reached(record.stack, Phase.ENDED, why=why)


def keep(launcher: Launcher, record: Record, why: str) -> Record:
    """Keeps a machine for people, without holding vCPU: what is kept is an EC2 instance that is off, or a disk's snapshot."""
    rung = record.rung
    if rung is None:
        raise ValueError(f"{record.stack} never had a machine")
    before, failed_at = record, launcher.pace.now()
    until = record.keep_until or keep_until(failed_at, launcher.rules.retention_days)
    # Written first: from here on, whoever finds the machine knows that it is evidence, and until when.
    record = launcher.reached(record.stack, Phase.KEPT, keep_until=until, why=why)
    busy = _busy(launcher, before)
    _unregister(launcher, record)
    cloud = launcher.clouds[rung.cloud]
    cloud.keep(record.stack, record.slot, tags_of(record, failed_at + KEEPING))
    if cloud.frees_by_deletion:
        launcher.stacks.destroy(record.stack)
    ledger.closed(launcher, record.stack, busy)
    launcher.leases.release(record.stack)
    launcher.observe(record.stack, f"kept until {until:%Y-%m-%d %H:%M} UTC: {why}")
    return record


def tags_of(record: Record, deadline: datetime) -> RunTags:
    """The tags of a machine, from its record."""
    name = record.request.name
    return RunTags(
        stack=record.stack,
        label=name.label,
        shown=name.shown,
        run=name.run.path,
        slot=record.slot,
        deadline=deadline,
        keep_until=record.keep_until,
    )


def _busy(launcher: Launcher, record: Record) -> timedelta:
    """How long jobs ran on it; none do on a machine that came back for people."""
    if record.phase is Phase.REVIVED:
        return timedelta()
    return launcher.github.busy(record.request.name.run.path, record.request.name.label)


def _unregister(launcher: Launcher, record: Record) -> None:
    """Takes the runner off GitHub, so that no job is sent to a machine that goes away.

    A kept machine may have lost its slot and its label to others since: what they have there stays.
    """
    if record.rung and any(
        record.slot in lease.slots for lease in launcher.leases.leases() if lease.holder == record.stack
    ):
        launcher.clouds[record.rung.cloud].withdraw(record.slot)
    if launcher.records_under(record.request.name.label)[-1].stack != record.stack:
        return
    if (runner := launcher.github.runner(record.request.name.label)) and not launcher.github.forget(runner.id):
        launcher.observe(record.stack, "GitHub still shows a job on it; the record goes when the job is given up")
