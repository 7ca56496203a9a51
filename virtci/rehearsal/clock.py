"""The simulated clock of a rehearsal: hours of cloud time pass in milliseconds of real time.

Every cloud operation that takes time enters the clock, waits for its deadline and leaves. Time jumps to the
earliest deadline as soon as everybody inside is waiting and nobody new has entered for a moment of real
time, so operations that would overlap in a real cloud overlap here as well.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

START = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
QUIET_SECONDS = 0.01


class SimulatedClock:
    """Seconds since the start of the rehearsal, shared by all simulated clouds and their callers."""

    def __init__(self) -> None:
        self._now = 0.0
        self._changed = threading.Condition()
        self._inside = 0
        self._deadlines: list[float] = []
        self._last_change = 0.0

    @property
    def seconds(self) -> float:
        """Simulated seconds since the start."""
        return self._now

    @property
    def now(self) -> datetime:
        """The simulated moment."""
        return START + timedelta(seconds=self._now)

    @contextmanager
    def operation(self) -> Iterator[None]:
        """Marks a caller as busy: while it works, time stands still."""
        with self._changed:
            self._inside += 1
            self._touch()
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._touch()

    def wait(self, seconds: float) -> None:
        """Waits for simulated seconds; call it inside `operation`."""
        with self._changed:
            deadline = self._now + seconds
            self._deadlines.append(deadline)
            self._touch()
            while self._now < deadline:
                self._changed.wait(QUIET_SECONDS)
                self._jump_when_quiet()
            self._deadlines.remove(deadline)
            self._touch()

    def advance(self, seconds: float) -> None:
        """Moves time on by hand, for scenarios that say that a day has passed."""
        with self._changed:
            self._now += seconds
            self._touch()

    def _jump_when_quiet(self) -> None:
        everybody_waits = len(self._deadlines) >= max(self._inside, 1)
        quiet = time.monotonic() - self._last_change >= QUIET_SECONDS
        if everybody_waits and quiet:
            self._now = max(self._now, min(self._deadlines))
            self._touch()

    def _touch(self) -> None:
        self._last_change = time.monotonic()
        self._changed.notify_all()
