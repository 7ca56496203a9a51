"""Puts a day of on-demand runners on paper: vCPU of each pool against its quota, who waits, what failed, when it was swept."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from virtci.rehearsal.runners.diary import Moment
from virtci.rehearsal.runners.figures import Figures, PoolUse

WIDTH = 1160.0
LEFT = 120.0
RIGHT = 24.0
PANEL = 92.0
WAITING = 46.0
ROW = 24.0
GAP = 22.0
TOP = 22.0
DAY = timedelta(days=1)
HOURS = range(0, 25, 3)


@dataclass(frozen=True, slots=True)
class Panel:
    """The vCPU of a pool: areas of the runners and of others above them, and the line of the quota."""

    pool: str
    words: str
    top: float
    bottom: float
    quota_y: float
    quota: int
    ours: str
    others: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A failure or a sweep: where it is, whether it matters, and what to say of it."""

    x: float
    hot: bool
    title: str


@dataclass(frozen=True, slots=True)
class Hour:
    """A line of the clock."""

    x: float
    words: str


@dataclass(frozen=True, kw_only=True, slots=True)
class DayDrawing:
    """Everything in its place."""

    width: float
    height: float
    left: float
    right: float
    panels: Sequence[Panel]
    hours: Sequence[Hour]
    waiting: str
    waiting_top: float
    waiting_bottom: float
    most_waiting: int
    failures_y: float
    failures: Sequence[Mark]
    sweeps_y: float
    sweeps: Sequence[Mark]


def day_drawing(figures: Figures, day: datetime) -> DayDrawing:
    """The drawing of the 24 hours from a midnight (UTC) on."""
    diary = figures.week.diary
    moments = [moment for moment in diary.moments if day <= moment.at < day + DAY]
    panels = list(_panels(figures.pools, moments, day))
    waiting_top = panels[-1].bottom + GAP
    waiting_bottom = waiting_top + WAITING
    failures_y = waiting_bottom + ROW
    sweeps_y = failures_y + ROW
    most = max((moment.waiting for moment in moments), default=0)
    levels = [(moment.at, waiting_bottom - WAITING * moment.waiting / max(most, 1)) for moment in moments]
    return DayDrawing(
        width=WIDTH,
        height=sweeps_y + ROW,
        left=LEFT,
        right=WIDTH - RIGHT,
        panels=panels,
        hours=[Hour(_x(day + timedelta(hours=hour), day), f"{hour:02}:00") for hour in HOURS],
        waiting=_area(levels, waiting_bottom, day),
        waiting_top=waiting_top,
        waiting_bottom=waiting_bottom,
        most_waiting=most,
        failures_y=failures_y,
        failures=[
            Mark(_x(item.at, day), True, f"{item.at:%H:%M} {item.code}: {item.rung}: {item.said}; {item.then}")
            for item in figures.failures
            if day <= item.at < day + DAY
        ],
        sweeps_y=sweeps_y,
        sweeps=[
            Mark(_x(item.at, day), bool(item.leaks), f"{item.at:%H:%M} {'; '.join(item.leaks) or 'nothing to cure'}")
            for item in diary.sweeps
            if day <= item.at < day + DAY
        ],
    )


def _panels(pools: Sequence[PoolUse], moments: Sequence[Moment], day: datetime) -> Iterator[Panel]:
    top = TOP
    for item in pools:
        bottom = top + PANEL
        scale = (PANEL - 12) / item.limit
        ours = [(moment.at, bottom - scale * moment.used[item.pool].ours) for moment in moments]
        both = [
            (moment.at, bottom - scale * (moment.used[item.pool].ours + moment.used[item.pool].others))
            for moment in moments
        ]
        most = max((moment.used[item.pool].ours for moment in moments), default=0)
        yield Panel(
            pool=item.pool,
            words=f"at most {most} vCPU",
            top=top,
            bottom=bottom,
            quota_y=bottom - scale * item.limit,
            quota=item.limit,
            ours=_area(ours, bottom, day),
            others=_area(both, bottom, day),
        )
        top = bottom + GAP


def _area(levels: Sequence[tuple[datetime, float]], bottom: float, day: datetime) -> str:
    """A path of steps down to a line: what is seen at a moment lasts until the next."""
    if not levels:
        return ""
    path = f"M{_x(levels[0][0], day):.1f} {bottom:.1f}V{levels[0][1]:.1f}"
    before = levels[0][1]
    for at, y in levels[1:]:
        if y != before:
            path += f"H{_x(at, day):.1f}V{y:.1f}"
            before = y
    return f"{path}H{_x(levels[-1][0], day):.1f}V{bottom:.1f}Z"


def _x(at: datetime, day: datetime) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * ((at - day) / DAY)
