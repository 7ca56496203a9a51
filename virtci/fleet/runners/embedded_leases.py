"""The embedded store of leases: one small object with compare-and-swap, for one launcher or a few."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from virtci.core.problems import Refusal, nearest
from virtci.core.runners import tickets
from virtci.core.runners.leases import Claim, Lease, Waiting
from virtci.core.runners.tickets import State
from virtci.fleet.runners.objects import Document, Objects, update

KEY = "leases"


@dataclass(frozen=True, slots=True)
class EmbeddedLeases:
    """Leases of pools, whose slots have names; `now` is the clock of all heartbeats."""

    objects: Objects
    pools: Mapping[str, tuple[str, ...]]
    now: Callable[[], datetime]

    def acquire(self, claim: Claim, room: int | None = None) -> Lease | Waiting:
        """The units, or what is known of the wait; see `LeaseStore`."""
        slots = self.pools.get(claim.pool)
        if slots is None:
            raise Refusal(
                f"`{claim.pool}` is a pool of the runners",
                f"{claim.holder} has nowhere to run",
                nearest(claim.pool, self.pools),
            )

        def change(document: Document | None) -> tuple[Document | None, Lease | Waiting]:
            before = _state(document)
            after, found = tickets.acquire(before, claim, slots, self.now(), room)
            return (None if after == before else tickets.to_document(after)), found

        return update(self.objects, KEY, change)

    def heartbeat(self, holder: str) -> None:
        """Tells that the holder lives. Raises `LeaseLost` when it has no lease."""
        self._change(lambda state: tickets.renewed(state, holder, self.now()))

    def release(self, holder: str) -> None:
        """Gives everything back and leaves the queue."""
        self._change(lambda state: tickets.released(state, holder))

    def leases(self) -> list[Lease]:
        """All that are out."""
        seen = self.objects.read(KEY)
        return list(_state(seen.document if seen else None).leases)

    def reap(self, older_than: timedelta) -> list[Lease]:
        """Takes back what had no heartbeat for so long, and returns it."""

        def change(document: Document | None) -> tuple[Document | None, list[Lease]]:
            state, lost = tickets.reaped(_state(document), older_than, self.now())
            return (tickets.to_document(state) if lost else None), lost

        return update(self.objects, KEY, change)

    def _change(self, change: Callable[[State], State]) -> None:
        def write(document: Document | None) -> tuple[Document | None, None]:
            before = _state(document)
            after = change(before)
            return (None if after == before else tickets.to_document(after)), None

        update(self.objects, KEY, write)


def _state(document: Document | None) -> State:
    return State() if document is None else tickets.from_document(document)
