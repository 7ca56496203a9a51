"""Lifetime classes: how long a resource is meant to live and how many hours a month it runs."""

from dataclasses import dataclass
from enum import StrEnum


class Lifetime(StrEnum):
    """How long a resource is paid for; every resource of the fleet carries one as a tag."""

    DURABLE = "durable"
    ALWAYS_ON = "always-on"
    WORKING_HOURS = "working-hours"
    ON_DEMAND = "on-demand"
    RUN_SCOPED = "run-scoped"


@dataclass(frozen=True, slots=True)
class Schedule:
    """What a class means: hours a month that are expected (of 730), and whether the day ends with a shutdown."""

    expected_hours: int
    daily_shutdown: bool
    meaning: str


SCHEDULES = {
    Lifetime.DURABLE: Schedule(730, False, "holds state or connects others; never removed by a clean-up"),
    Lifetime.ALWAYS_ON: Schedule(730, False, "runs day and night"),
    Lifetime.WORKING_HOURS: Schedule(
        260, True, "runs on working days, 12 h of 21.7 a month; deallocated every evening"
    ),
    Lifetime.ON_DEMAND: Schedule(90, True, "woken for a run and parked after it; about 4 h of a working day"),
    Lifetime.RUN_SCOPED: Schedule(1, False, "made for one workflow run and gone after it; its deadline is a tag"),
}
"""The expected hours are planning values of this project; the ceiling of every class is all 730 hours."""

COMPUTE = (Lifetime.ALWAYS_ON, Lifetime.WORKING_HOURS, Lifetime.ON_DEMAND)
