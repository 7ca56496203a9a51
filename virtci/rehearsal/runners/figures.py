"""The figures of a simulated week: what was waited for, paid, lost, found and cured; all of it counted, nothing assumed."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from statistics import quantiles
from typing import Any

from virtci.core.runners.clouds import pool
from virtci.core.runners.failures import Code
from virtci.core.runners.ledger import Sum, total
from virtci.core.runners.naming import LABEL, STACK
from virtci.core.runners.requests import Phase, Record, from_document
from virtci.core.runners.sweep import Leak
from virtci.fleet.runners import ledger
from virtci.rehearsal.runners.invariants import Invariant
from virtci.rehearsal.runners.neighbours import FOREIGN, HOLDER
from virtci.rehearsal.runners.week import Week

IDLE_LIMIT = 0.10
"""The part of paid vCPU-hours in which no job ran, at most."""
RUNG = re.compile(r"(?P<type>\S+) in (?P<cloud>\S+) (?P<region>\S+)(?P<zone> zone \S+)?(?P<spot> \(spot\))?")
GAVE_UP = "gave up; the run was started again or failed"


@dataclass(frozen=True, slots=True)
class Failure:
    """A place that did not do: when, for whom, the code, what was said, and what the ladder did next."""

    at: datetime
    stack: str
    code: Code
    rung: str
    said: str
    then: str


@dataclass(frozen=True, slots=True)
class PoolUse:
    """The most vCPU at once in a pool: of the runners and of everybody."""

    pool: str
    ours: int
    everybody: int
    limit: int
    reserve: int


@dataclass(frozen=True, slots=True)
class LeakLine:
    """A class of leak: how many were found, and how many of those are gone."""

    leak: Leak
    found: int
    cured: int


@dataclass(frozen=True)
class Figures:
    """What a week came to."""

    week: Week

    @cached_property
    def machines(self) -> int:
        """Machines that the platforms have on their bills."""
        return sum(len(platform.bill) for platform in self.week.town.platforms.values())

    @cached_property
    def to_online(self) -> tuple[timedelta, timedelta]:
        """Median and 95th percentile from a request to runners that are online wherever it asked for one."""
        waits = [wait.total_seconds() for item in self.week.people.requests for wait in item.waits]
        if len(waits) < 2:
            only = timedelta(seconds=round(waits[0])) if waits else timedelta()
            return only, only
        cuts = quantiles(waits, n=20, method="inclusive")
        return timedelta(seconds=round(cuts[9])), timedelta(seconds=round(cuts[18]))

    @cached_property
    def paid(self) -> Sum:
        """What the ledger sums up to."""
        return total(ledger.all_entries(self.week.town.launcher()), self.week.town.stage.now)

    @property
    def lost(self) -> int:
        """Runs whose tests never had their say."""
        return len(self.week.people.lost)

    @cached_property
    def failures(self) -> list[Failure]:
        """Every place that did not do, in order."""
        found = self.week.town.objects.found
        records = [from_document(found[key].document) for key in found if key.startswith(("ended/", "runners/"))]
        return sorted((item for record in records for item in _failures(record)), key=lambda item: item.at)

    @property
    def by_code(self) -> Mapping[Code, Counter[str]]:
        """How often each code came, and what the ladder did."""
        found: dict[Code, Counter[str]] = {}
        for item in self.failures:
            found.setdefault(item.code, Counter())[item.then] += 1
        return dict(sorted(found.items(), key=lambda item: -item[1].total()))

    @cached_property
    def leaks(self) -> list[LeakLine]:
        """What sweeps found, by class."""
        left = self._left()
        found = Counter(leak for leak, _ in self.week.leaks)
        uncured = Counter(leak for leak, target in self.week.leaks if target in left)
        return [LeakLine(leak, found[leak], found[leak] - uncured[leak]) for leak in Leak]

    @property
    def leaks_left(self) -> int:
        """Things of ours that are there when all is over."""
        return len(self._left())

    @cached_property
    def pools(self) -> list[PoolUse]:
        """The most vCPU at once against the quota of each pool, as the platforms counted at every creation."""
        plan = self.week.town.plan.regions
        return [
            PoolUse(
                pool(cloud, region),
                platform.most_of_ours.get(region, 0),
                platform.most_vcpus.get(region, 0),
                *plan[cloud][region],
            )
            for cloud, platform in self.week.town.platforms.items()
            for region in platform.limits
        ]

    @property
    def broken(self) -> Mapping[Invariant, list[str]]:
        """Each invariant, with what did not hold."""
        further = self.week.witness.further
        return {
            invariant: [*said, *([f"and {further[invariant]} more"] if further[invariant] else [])]
            for invariant, said in self.week.witness.broken.items()
        }

    @property
    def holds(self) -> bool:
        """Whether every invariant does."""
        return self.week.witness.holds

    def document(self) -> dict[str, Any]:
        """All of it as plain values for JSON."""
        median, late = self.to_online
        return {
            "seed": self.week.seed,
            "days": self.week.days,
            "pullRequests": len(self.week.people.requests),
            "machines": self.machines,
            "requestToOnlineSeconds": {"median": median.total_seconds(), "p95": late.total_seconds()},
            "idleShare": round(self.paid.idle_share, 4),
            "idleShareLimit": IDLE_LIMIT,
            "vcpuHours": round(self.paid.vcpu_hours, 1),
            "usd": round(self.paid.usd, 2),
            "runsLost": self.lost,
            "reruns": self.week.people.reruns,
            "restarts": self.week.restarted,
            "sweeps": self.week.sweeps,
            "leaksLeft": self.leaks_left,
            "leaks": [{"class": item.leak.value, "found": item.found, "cured": item.cured} for item in self.leaks],
            "pools": [
                {
                    "pool": item.pool,
                    "mostVcpus": item.everybody,
                    "mostOfOurs": item.ours,
                    "quota": item.limit,
                    "reserve": item.reserve,
                }
                for item in self.pools
            ],
            "failures": {code.value: dict(then) for code, then in self.by_code.items()},
            "invariants": [
                {"invariant": item.value, "holds": not said, "broken": said} for item, said in self.broken.items()
            ],
        }

    def _left(self) -> set[str]:
        """The stacks and labels of which something is there."""
        town = self.week.town
        there = {stack for platform in town.platforms.values() for stack in (*platform.alive, *platform.evidence)}
        there |= {name for name in town.backend.stacks if STACK.fullmatch(name)}
        there |= {label for label, item in town.github.records.items() if item.id < FOREIGN and LABEL.fullmatch(label)}
        return there | {holder for holder in self.week.witness.holders() if holder != HOLDER}


def _failures(record: Record) -> Iterator[Failure]:
    """The failures of one machine; after the last one comes where it ended up, or nothing."""
    ended_up = str(record.rung) if record.rung and record.phase is not Phase.FAILED else None
    following = [*(item.rung for item in record.attempts[1:]), ended_up]
    for item, after in zip(record.attempts, following, strict=False):
        yield Failure(item.at, record.stack, Code(item.code), item.rung, item.said, step(item.rung, after))


def step(before: str, after: str | None) -> str:
    """What the ladder did between two rungs: the largest part of a place that changed."""
    found, then = RUNG.fullmatch(before), RUNG.fullmatch(after or "")
    if not found or not then or before == after:
        return GAVE_UP
    for part, said in (
        ("cloud", "another cloud"),
        ("region", "another region"),
        ("zone", "another zone"),
        ("type", "another size"),
        ("spot", "on demand instead of spot"),
    ):
        if found[part] != then[part]:
            return said
    return GAVE_UP


def busiest_day(week: Week) -> datetime:
    """The midnight (UTC) that begins the day on which most was in use."""
    used: Counter[datetime] = Counter()
    for moment in week.diary.moments:
        midnight = moment.at.replace(hour=0, minute=0, second=0, microsecond=0)
        used[midnight] += sum(use.ours for use in moment.used.values())
    return max(used, key=lambda day: used[day])
