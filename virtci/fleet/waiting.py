"""Waiting for something in a cloud: ask, wait, ask again, until a deadline."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import sleep
from typing import TypeVar

from virtci.fleet.clouds import Clouds

Found = TypeVar("Found")
Observe = Callable[[str], None]
"""Told in a sentence what is going on."""
POLL_SECONDS = 10.0
REHEARSED_POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Pace:
    """The clock of a command, and how long it waits between two questions."""

    now: Callable[[], datetime]
    sleep: Callable[[float], None]
    poll_seconds: float

    def until(self, question: Callable[[], Found | None], deadline: timedelta) -> Found | None:
        """The first answer to a question, or nothing by the deadline. What the question raises ends the waiting."""
        end = self.now() + deadline
        while True:
            found = question()
            if found is not None or self.now() >= end:
                return found
            self.sleep(self.poll_seconds)


@dataclass(frozen=True, slots=True)
class Backoff:
    """Pauses of those who lost a race and try again: by chance, so that they part, and up to a limit longer each time."""

    sleep: Callable[[float], None] = sleep
    draw: Callable[[float, float], float] = random.uniform
    first_seconds: float = 0.05
    most_seconds: float = 1.0

    def pause(self, lost: int) -> None:
        """Waits after races that were lost in a row, `lost` of them."""
        self.sleep(self.draw(0, min(self.first_seconds * 2 ** (lost - 1), self.most_seconds)))


def now() -> datetime:
    """The present moment, in UTC."""
    return datetime.now(UTC)


def real_pace(poll_seconds: float = POLL_SECONDS) -> Pace:
    """Real time, for clouds and clusters."""
    return Pace(now, sleep, poll_seconds)


def pace_of(clouds: Clouds) -> Pace:
    """Real time; a rehearsed cloud answers at once and is asked more often."""
    return real_pace(REHEARSED_POLL_SECONDS if clouds.rehearsed else POLL_SECONDS)
