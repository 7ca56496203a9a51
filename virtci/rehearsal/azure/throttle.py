"""The token buckets of Azure Resource Manager, per principal and subscription.

Microsoft, "Understand how Azure Resource Manager throttles requests": bucket size and refill per second.
"""

import math
from dataclasses import dataclass, field

from virtci.rehearsal.clock import SimulatedClock
from virtci.rehearsal.journal import CloudError

BUCKETS = {"read": (250, 25), "write": (200, 10), "delete": (200, 10)}
_KINDS = {"GET": "read", "HEAD": "read", "DELETE": "delete"}


@dataclass
class Throttle:
    """Takes one token a request, or refuses."""

    clock: SimulatedClock
    subscription: str
    _levels: dict[tuple[str, str], tuple[float, float]] = field(default_factory=dict)

    def take(self, method: str, principal: str) -> None:
        """Counts a request; an empty bucket refuses it with the seconds until the next token."""
        kind = _KINDS.get(method, "write")
        size, refill = BUCKETS[kind]
        level, since = self._levels.get((principal, kind), (float(size), self.clock.seconds))
        level = min(float(size), level + (self.clock.seconds - since) * refill)
        if level < 1:
            self._levels[principal, kind] = (level, self.clock.seconds)
            raise self._refusal(kind, principal, math.ceil((1 - level) / refill))
        self._levels[principal, kind] = (level - 1, self.clock.seconds)

    def _refusal(self, kind: str, principal: str, seconds: int) -> CloudError:
        text = (
            f"Number of '{kind}' requests for subscription '{self.subscription}' actor '{principal}' exceeded. Please "
            f"try again after '{seconds}' seconds after additional tokens are available."
        )
        return CloudError(429, "SubscriptionRequestsThrottled", text, retry_after=float(seconds))
