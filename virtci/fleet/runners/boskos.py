"""Leases of many launchers, kept by Boskos.

Nothing is remembered here: each call begins with the records in the cluster and makes of them what they should be, so a
launcher that was killed, an answer that got lost and a server that was started anew all end in the same way. What nobody
asks for any more is given back by `reap`, or by the server's own reaper.

Order is approximately first come: the queue of the server lives in its memory, keeps a place for `REQUEST_TTL` and is
loose where several units are free.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from time import sleep
from typing import TypeVar
from uuid import uuid4

from virtci.core.problems import Refusal
from virtci.core.runners.boskos_records import (
    Holding,
    Owner,
    Slot,
    gives_way,
    holdings,
    require_holder,
    require_possible,
    taken_by_others,
    waiting,
)
from virtci.core.runners.leases import Claim, Lease, LeaseLost, Waiting, no_room
from virtci.fleet.runners.boskos_api import NOTHING_LEASED, BoskosApi, Unsettled
from virtci.fleet.waiting import Pace, now

PATIENCE = timedelta(seconds=15)
"""For what is not settled: the server's cache was late for more than 3 s after an outage of the API server."""
POLL_SECONDS = 0.1
Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class BoskosLeases:
    """A store of leases in Boskos; several threads may use it."""

    api: BoskosApi
    pace: Pace = field(default_factory=lambda: Pace(now, sleep, POLL_SECONDS))
    patience: timedelta = PATIENCE

    def acquire(self, claim: Claim, room: int | None = None) -> Lease | Waiting:
        """The units, or what is known of the wait; see `LeaseStore`. Ask more often than every `REQUEST_TTL`."""
        require_holder(claim.holder)
        return self._settled(lambda: self._acquire(claim, room))

    def heartbeat(self, holder: str) -> None:
        """Tells that the holder lives. Raises `LeaseLost` when it has no lease."""
        self._settled(lambda: self._heartbeat(holder))

    def release(self, holder: str) -> None:
        """Gives everything back; a place in the queue is free after `REQUEST_TTL`, because Boskos knows no way to leave."""
        self._settled(lambda: self._release(holder))

    def leases(self) -> list[Lease]:
        """All that are out, by holder."""
        return [held.lease() for held in self._settled(self._holdings) if held.is_complete]

    def reap(self, older_than: timedelta) -> list[Lease]:
        """Takes back what had no heartbeat for so long, and returns it, claims with a part of their units as well."""
        return self._settled(lambda: self._reap(older_than))

    def _acquire(self, claim: Claim, room: int | None) -> Lease | Waiting:
        slots = self.api.slots()
        require_possible(claim, slots)
        held = holdings(slots)
        own = [item for item in held if item.holder == claim.holder]
        if granted := next((item for item in own if item.is_complete), None):
            return self._granted(granted, own)
        full = no_room(claim, taken_by_others(claim, slots), room)
        for other in own:
            # Parts that were kept without room would take it from another claim that keeps a part.
            if other.pool == claim.pool and (full or other.units != claim.units):
                self._give_back((*other.slots, *other.surplus))
        if full:
            return full
        part = next((item for item in own if (item.pool, item.units) == (claim.pool, claim.units)), None)
        kept, indexes = (part.slots, part.missing) if part else ((), range(claim.units))
        got = (*kept, *self._take(claim, indexes))
        if not got:
            return waiting(claim, slots)
        (part,) = holdings(got)
        if part.is_complete:
            # Looked at once more: whoever was granted room in the meantime did not see these units.
            if full := no_room(claim, taken_by_others(claim, self.api.slots()), room):
                self._give_back(got)
                return full
            return self._granted(part, [part, *own])
        if gives_way(part, held):
            self._give_back(got)
            return waiting(claim, slots)
        return waiting(claim, slots, got)

    def _take(self, claim: Claim, indexes: Iterable[int]) -> Iterable[Slot]:
        """One by one; what is not to be had is asked for all the same, which keeps its place."""
        for index in indexes:
            owner = Owner(
                holder=claim.holder, index=index, units=claim.units, since=self.pace.now(), attempt=uuid4().hex
            )
            if name := self.api.acquire(claim.pool, owner, f"{claim.holder}/{index}/{claim.units}"):
                yield Slot.leased(name, claim.pool, owner)

    def _granted(self, granted: Holding, own: Iterable[Holding]) -> Lease:
        """The lease, after all else of its holder was given back: parts of claims elsewhere, units acquired twice."""
        kept = {slot.name for slot in granted.slots}
        everything = {slot.name: slot for item in own for slot in (*item.slots, *item.surplus)}
        self._give_back(slot for name, slot in everything.items() if name not in kept)
        return granted.lease()

    def _heartbeat(self, holder: str) -> None:
        granted = next((item for item in self._holdings() if item.holder == holder and item.is_complete), None)
        if granted is None:
            raise LeaseLost(
                f"{holder} holds no lease: it was given back, or taken back after too long without a heartbeat"
            )
        for slot in granted.slots:
            self.api.beat(slot)

    def _release(self, holder: str) -> None:
        self._give_back(
            slot for item in self._holdings() if item.holder == holder for slot in (*item.slots, *item.surplus)
        )

    def _reap(self, older_than: timedelta) -> list[Lease]:
        before = self.api.slots()
        for pool in sorted({slot.pool for slot in before}):
            self.api.reset(pool, older_than)
        left = {(slot.name, slot.owner) for slot in self.api.slots()}
        oldest = self.pace.now() - older_than
        taken = [slot for slot in before if (slot.name, slot.owner) not in left and slot.updated <= oldest]
        return [held.lease() for held in holdings(taken)]

    def _holdings(self) -> list[Holding]:
        return holdings(self.api.slots())

    def _give_back(self, slots: Iterable[Slot]) -> None:
        for slot in slots:
            self.api.release(slot)

    def _settled(self, attempt: Callable[[], Found]) -> Found:
        """Begins again, from the records, as long as something is not settled."""
        why = ""

        def question() -> tuple[Found] | None:
            nonlocal why
            try:
                return (attempt(),)
            except Unsettled as unsettled:
                why = str(unsettled)
                return None

        if found := self.pace.until(question, self.patience):
            return found[0]
        raise Refusal(
            f"the lease server settles what it is asked for within {self.patience.seconds} s",
            f"{NOTHING_LEASED}: {why}",
            "look at its pods: kubectl --namespace virt-ci get pods; then ask again, nothing is lost or leased twice",
        )
