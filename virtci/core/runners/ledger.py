"""What on-demand machines cost: vCPU-hours and money of each machine, of a run and of a day.

A machine is paid from its creation to its end, by the second on both clouds. Disks and snapshots of kept machines are
not counted: they are billed by the month, and the budget of the stack has them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from virtci.core.runners.clouds import Cloud
from virtci.core.runners.sizes import hourly_usd, machine_type


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One machine: where it was, from when to when (still there: no end), and how much of that jobs ran on it."""

    stack: str
    run: str
    cloud: Cloud
    region: str
    type: str
    started: datetime
    ended: datetime | None = None
    busy: timedelta = timedelta()

    def hours(self, now: datetime) -> float:
        """Hours that were paid so far."""
        return max((self.ended or now) - self.started, timedelta()) / timedelta(hours=1)

    def vcpu_hours(self, now: datetime) -> float:
        """vCPU-hours that were paid so far."""
        return self.hours(now) * machine_type(self.cloud, self.type).vcpus

    def usd(self, now: datetime) -> float:
        """What they cost, at list price on demand; a spot machine costs less."""
        return self.hours(now) * hourly_usd(self.cloud, self.region, self.type)


@dataclass(frozen=True, slots=True)
class Sum:
    """vCPU-hours, those in which no job ran, and USD."""

    vcpu_hours: float
    idle_vcpu_hours: float
    usd: float

    @property
    def idle_share(self) -> float:
        """The part of what was paid that did nothing; 0 when nothing was paid."""
        return self.idle_vcpu_hours / self.vcpu_hours if self.vcpu_hours else 0.0


def total(entries: Iterable[Entry], now: datetime) -> Sum:
    """The sum of several machines."""
    paid = idle = usd = 0.0
    for entry in entries:
        hours = entry.vcpu_hours(now)
        busy = entry.busy / timedelta(hours=1) * machine_type(entry.cloud, entry.type).vcpus
        paid, idle, usd = paid + hours, idle + max(hours - busy, 0.0), usd + entry.usd(now)
    return Sum(paid, idle, usd)


def spent_on(day: date, entries: Iterable[Entry], now: datetime) -> float:
    """USD of a day (UTC): the parts of all machines that lie in it."""
    begin = datetime(day.year, day.month, day.day, tzinfo=UTC)
    end = min(begin + timedelta(days=1), now)
    spent = 0.0
    for entry in entries:
        overlap = min(entry.ended or now, end) - max(entry.started, begin)
        if overlap > timedelta():
            spent += overlap / timedelta(hours=1) * hourly_usd(entry.cloud, entry.region, entry.type)
    return spent
