"""What a workflow run and a person are told of runners: Markdown for the summary of a job."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from virtci.core.runners.failures import Code
from virtci.core.runners.ledger import Entry, spent_on, total
from virtci.core.runners.requests import Attempt, Phase, Record, Request
from virtci.core.runners.retention import Verdict
from virtci.core.runners.sizes import hourly_usd
from virtci.core.runners.sweep import Do
from virtci.fleet.markdown import code, table
from virtci.fleet.runners import ledger
from virtci.fleet.runners.launcher import Launcher
from virtci.fleet.runners.ports import StartFailed
from virtci.fleet.runners.start import Outcome
from virtci.fleet.runners.sweep import Swept

Cells = tuple[str, ...]
STARTED = ("asked for", "ending", "label", "where", "waited", "booted", "#USD/hour")
TRIED = ("asked for", "place", "code", "meaning", "what was said")
ENDED = ("machine", "ending", "kept until", "why")
SWEPT = ("action", "target", "leak", "why")
COST = ("machine", "type", "region", "from", "until", "#vCPU-hours", "#idle", "#USD")


def started_rows(asked: Sequence[Request], outcomes: Sequence[Outcome]) -> list[Cells]:
    """How each start ended, in cells of `STARTED`."""
    return [_started(*pair) for pair in zip(asked, outcomes, strict=True)]


def tried_rows(launcher: Launcher, asked: Sequence[Request]) -> list[Cells]:
    """The places that did not do, in cells of `TRIED`."""
    found = ((request, launcher.record(request.name.stack)) for request in asked)
    return [
        (request.name.cloud.value, *_tried(attempt))
        for request, record in found
        if record
        for attempt in record.attempts
    ]


def started_text(launcher: Launcher, asked: Sequence[Request], outcomes: Sequence[Outcome]) -> str:
    """A start, for the summary of its job."""
    lines = [f"### Runners of {code(asked[0].name.run.workflow)} #{asked[0].name.run.run_number}"]
    lines.append(table(STARTED, _as_code(started_rows(asked, outcomes))))
    if rows := tried_rows(launcher, asked):
        lines += ["Places that did not do; none of this says anything about the code under test:"]
        lines.append(table(TRIED, _as_code(rows)))
    lines.append(_day(launcher))
    return "\n\n".join(lines)


def stopped_text(launcher: Launcher, decided: Verdict, records: Sequence[Record], entries: Iterable[Entry]) -> str:
    """The end of a run's machines, for the summary of its job, with what they cost."""
    now = launcher.pace.now()
    lines = [f"### Runners: {'kept' if decided.keep else 'destroyed'}, because {decided.why}"]
    rows = ended_rows(records)
    lines.append(table(ENDED, _as_code(rows)) if rows else "Its machines were gone already.")
    if any(record.phase is Phase.KEPT for record in records):
        lines.append(f"To look at one: {code(f'virtci runners revive {records[0].request.name.run.run_id}')}")
    if paid := list(entries):
        lines.append(table(COST, _as_code([cost_row(entry, now) for entry in paid])))
        lines.append(cost_sentence(paid, now))
    lines.append(_day(launcher))
    return "\n\n".join(lines)


def ended_rows(records: Iterable[Record]) -> list[Cells]:
    """What became of machines, in cells of `ENDED`."""
    return [(item.request.name.shown, item.phase.value, moment(item.keep_until), item.why) for item in records]


def swept_text(swept: Swept, *, dry_run: bool) -> str:
    """A sweep, for the summary of its job."""
    rows = swept_rows(swept)
    lines = [f"### Sweep{' (dry run: nothing was done)' if dry_run else ''}"]
    lines.append(table(SWEPT, _as_code(rows)) if rows else "Nothing was left behind.")
    lines += [f"- did not work: {code(said)}" for said in swept.failures]
    lines += [f"- came back, because jobs wait for it: {code(label)}" for label in swept.restarted]
    return "\n\n".join(lines)


def swept_rows(swept: Swept) -> list[Cells]:
    """What a sweep does, in cells of `SWEPT`; renewed leases are no news."""
    return [
        (item.do.value, item.target, item.leak.value if item.leak else "", item.why)
        for item in swept.plan.actions
        if item.do is not Do.RENEW
    ]


def cost_row(entry: Entry, now: datetime) -> Cells:
    """What one machine cost so far, in cells of `COST`."""
    found = total([entry], now)
    hours = (f"{found.vcpu_hours:.2f}", f"{found.idle_share:.0%}" if entry.ended else "", f"{found.usd:.2f}")
    return (entry.stack, entry.type, entry.region, moment(entry.started), moment(entry.ended), *hours)


def cost_sentence(entries: Sequence[Entry], now: datetime) -> str:
    """The sum of several machines."""
    found = total(entries, now)
    return f"Together {found.vcpu_hours:.2f} vCPU-hours, {found.usd:.2f} USD at list price."


def moment(value: datetime | None) -> str:
    """A moment for people; nothing where there is none."""
    return f"{value:%Y-%m-%d %H:%M} UTC" if value else ""


def span(value: timedelta) -> str:
    """A span for people."""
    seconds = int(value.total_seconds())
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60} min"


def _started(request: Request, outcome: Outcome) -> Cells:
    cloud = request.name.cloud.value
    if isinstance(outcome, StartFailed):
        return (cloud, f"{outcome.code}: {outcome.said}", "", "", "", "", "")
    rung = outcome.rung
    price = f"{hourly_usd(rung.cloud, rung.region, rung.type):.3f}" if rung else ""
    waited, booted = _between(outcome, Phase.REQUESTED, Phase.LEASED), _between(outcome, Phase.LEASED, Phase.ONLINE)
    return (cloud, outcome.phase.value, request.name.label, str(rung or ""), waited, booted, price)


def _between(record: Record, first: Phase, second: Phase) -> str:
    begin, end = record.at.get(first), record.at.get(second)
    return span(end - begin) if begin and end and end >= begin else ""


def _tried(attempt: Attempt) -> Cells:
    meaning = Code(attempt.code).meaning if attempt.code in tuple(Code) else ""
    return attempt.rung, attempt.code, meaning, attempt.said


def _day(launcher: Launcher) -> str:
    now = launcher.pace.now()
    spent = spent_on(now.date(), ledger.entries(launcher), now)
    return f"Today: {spent:.2f} of {launcher.rules.daily_budget_usd:g} USD (UTC; list price on demand)."


def _as_code(rows: Iterable[Cells]) -> list[Cells]:
    return [tuple(code(cell) for cell in row) for row in rows]
