"""What goes wrong in a simulated week, how often, and how long things take; every draw comes from one seed.

The rates are worse than anybody's real week, so that each failure happens many times. The durations are of the order that
the projects' own documents name: minutes for a boot, half an hour for the tests of a pull request.
"""

import random
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True, slots=True)
class Weather:
    """Probabilities, each of one event."""

    capacity: float = 0.02
    """A creation finds no machine of that type in that zone."""
    never_online: float = 0.01
    hypervisor_absent: float = 0.01
    agent_broken: float = 0.005
    vanishes: float = 0.002
    """A machine disappears while jobs run on it."""
    spot_evicted: float = 0.05
    github_unprocessable: float = 0.01
    """GitHub refuses a registration (422)."""
    unanswered: float = 0.002
    """A call fails after all its retries: throttling, an expired token, a network that is away."""
    destroy_breaks: float = 0.01
    launcher_killed: float = 0.01
    """A launcher dies at some call of its start or stop."""
    stop_cancelled_twice: float = 0.01
    stop_lost: float = 0.01
    """The job that stops never runs."""
    run_cancelled: float = 0.05
    tests_fail: float = 0.08
    rerun_failed: float = 0.4
    """A failed run has its failed jobs run again."""


CALM = Weather(
    capacity=0, never_online=0, hypervisor_absent=0, agent_broken=0, vanishes=0, spot_evicted=0, github_unprocessable=0,
    unanswered=0, destroy_breaks=0, launcher_killed=0, stop_cancelled_twice=0, stop_lost=0, run_cancelled=0,
    tests_fail=0, rerun_failed=0,
)  # fmt: skip
"""Nothing goes wrong."""


@dataclass
class Dice:
    """All draws of a week."""

    seed: int
    weather: Weather = field(default_factory=Weather)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311, because a week has to be repeatable

    def happens(self, what: str) -> bool:
        """Whether an event of the weather happens now."""
        return bool(self._random.random() < getattr(self.weather, what))

    def around(self, seconds: float, spread: float = 0.25) -> float:
        """A duration near another."""
        return seconds * self._random.lognormvariate(0, spread)

    def between(self, low: float, high: float) -> float:
        """A number of a range."""
        return self._random.uniform(low, high)

    def number(self, low: int, high: int) -> int:
        """A whole number of a range, both ends included."""
        return self._random.randint(low, high)
