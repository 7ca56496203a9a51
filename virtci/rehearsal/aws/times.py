"""What takes time in the simulated AWS: it happens when somebody asks after it was due."""

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

from virtci.rehearsal.clock import SimulatedClock


@dataclass
class Times:
    """Things that are under way."""

    clock: SimulatedClock
    _due: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _numbers: "itertools.count[int]" = field(default_factory=itertools.count)
    _moment: float | None = None
    """When that was due which happens just now."""

    def later(self, seconds: float, happens: Callable[[], None]) -> None:
        """Lets something happen some simulated seconds from now; what happens late counts from when it was due."""
        begin = self.clock.seconds if self._moment is None else self._moment
        heapq.heappush(self._due, (begin + seconds, next(self._numbers), happens))

    def settle(self) -> None:
        """Lets happen, in order, what is due by now."""
        while self._due and self._due[0][0] <= self.clock.seconds:
            self._moment, _, happens = heapq.heappop(self._due)
            try:
                happens()
            finally:
                self._moment = None
