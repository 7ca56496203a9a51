"""The ledger: what each machine was paid for, an object for each day (UTC) on which machines began.

A machine is written down before it is made and closed after it is gone: what dies in between is paid, and listed.
"""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

from virtci.core.runners.clouds import Cloud
from virtci.core.runners.ladder import Rung
from virtci.core.runners.ledger import Entry
from virtci.fleet.runners.launcher import Launcher
from virtci.fleet.runners.objects import Document, update

Lines = list[dict[str, Any]]
LONGEST = timedelta(days=2)
"""No machine is paid for longer: the deadline of each is at most a day away, and the next sweep takes it down."""


def opened(launcher: Launcher, stack: str, run: str, rung: Rung) -> None:
    """Writes down that a machine is about to be made; an entry of it that is open still is closed first."""
    now = launcher.pace.now()
    closed(launcher, stack)
    entry = Entry(stack=stack, run=run, cloud=rung.cloud, region=rung.region, type=rung.type, started=now)
    _change(launcher, now.date(), stack, lambda found: [*found, _entry(entry)])


def closed(launcher: Launcher, stack: str, busy: timedelta = timedelta()) -> None:
    """Writes down that a machine is gone; `busy`: how long jobs ran on it. Nothing happens for who has no open entry."""
    now = launcher.pace.now()
    end = {"ended": now.isoformat(), "busySeconds": busy.total_seconds()}
    for day in _days(now):
        _change(launcher, day, stack, lambda found: [item if item["ended"] else item | end for item in found])


def entries(launcher: Launcher) -> list[Entry]:
    """The entries that can have cost something today, those of the days before included."""
    return [entry for day in _days(launcher.pace.now()) for entry in of_day(launcher, day)]


def of_day(launcher: Launcher, day: date) -> list[Entry]:
    """The machines that began on a day."""
    seen = launcher.objects.read(_key(day))
    return _read(seen.document if seen else None)


def all_entries(launcher: Launcher) -> list[Entry]:
    """Every machine that was ever paid for, as far back as the records are kept."""
    found = (launcher.objects.read(key) for key in launcher.objects.keys("ledger/"))
    return [entry for item in found if item for entry in _read(item.document)]


def _days(now: datetime) -> list[date]:
    return [(now - timedelta(days=back)).date() for back in range(LONGEST.days, -1, -1)]


def _key(day: date) -> str:
    return f"ledger/{day:%Y-%m-%d}"


def _change(launcher: Launcher, day: date, stack: str, change: Callable[[Lines], Lines]) -> None:
    """Changes the lines of one machine; those of the others are not even read: a day has hundreds."""

    def write(document: Document | None) -> tuple[Document | None, None]:
        found = document or {"version": 1, "machines": {}}
        before = found["machines"].get(stack, [])
        after = change(before)
        return (None if after == before else found | {"machines": found["machines"] | {stack: after}}), None

    update(launcher.objects, _key(day), write)


def _entry(entry: Entry) -> dict[str, Any]:
    return {
        "stack": entry.stack,
        "run": entry.run,
        "cloud": entry.cloud.value,
        "region": entry.region,
        "type": entry.type,
        "started": entry.started.isoformat(),
        "ended": entry.ended.isoformat() if entry.ended else None,
        "busySeconds": entry.busy.total_seconds(),
    }


def _read(document: Document | None) -> list[Entry]:
    lines = (line for found in (document or {"machines": {}})["machines"].values() for line in found)
    return [
        Entry(
            stack=line["stack"],
            run=line["run"],
            cloud=Cloud(line["cloud"]),
            region=line["region"],
            type=line["type"],
            started=datetime.fromisoformat(line["started"]),
            ended=datetime.fromisoformat(line["ended"]) if line["ended"] else None,
            busy=timedelta(seconds=line["busySeconds"]),
        )
        for line in lines
    ]
