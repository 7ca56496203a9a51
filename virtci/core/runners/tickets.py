"""The embedded store's arithmetic: one small state, first come first served in each pool, and claims that never starve.

Every function takes a state and a moment and gives a new state; who writes it makes sure that nobody wrote in between
(`virtci.fleet.runners.embedded_leases`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from virtci.core.problems import Refusal
from virtci.core.runners.leases import Claim, Lease, LeaseLost, Waiting, no_room

FORGOTTEN = timedelta(minutes=5)
"""A claim in the queue that was not heard of for so long gives up its place: whoever waits asks every few seconds."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """A claim in the queue, and when it was last asked for."""

    claim: Claim
    asked: datetime


@dataclass(frozen=True, slots=True)
class State:
    """All leases, and the queue in the order of arrival."""

    leases: tuple[Lease, ...] = field(default=())
    queue: tuple[Ticket, ...] = field(default=())

    def free(self, pool: str, slots: tuple[str, ...]) -> tuple[str, ...]:
        """The slots of a pool that nobody holds."""
        held = {slot for lease in self.leases if lease.pool == pool for slot in lease.slots}
        return tuple(slot for slot in slots if slot not in held)

    def lease(self, holder: str) -> Lease | None:
        """What a holder has."""
        return next((lease for lease in self.leases if lease.holder == holder), None)


def acquire(
    state: State, claim: Claim, slots: tuple[str, ...], now: datetime, room: int | None = None
) -> tuple[State, Lease | Waiting]:
    """Grants a claim when enough slots are free after all that came before it; else it has or keeps its place.

    A claim beyond the `room` that the platform leaves has no place: it would hold up those who ask for another family.
    """
    if claim.units > len(slots):
        raise Refusal(
            f"pool {claim.pool} has {len(slots)} units of 4 vCPU; {claim.holder} asks for {claim.units}",
            "it would wait for ever",
            "choose a smaller size, or raise the quota of the region in the stack file of the runners",
        )
    if held := state.lease(claim.holder):
        return renewed(state, claim.holder, now), replace(held, heartbeat=now)
    taken = sum(len(lease.slots) for lease in state.leases if lease.pool == claim.pool)
    if full := no_room(claim, taken, room):
        return replace(state, queue=tuple(ticket for ticket in state.queue if ticket.claim != claim)), full
    queue = _asked_again(state.queue, claim, now)
    before = [ticket.claim for ticket in queue if ticket.claim.pool == claim.pool]
    before = before[: before.index(claim)]
    free = state.free(claim.pool, slots)
    wanted = sum(item.units for item in before)
    if wanted + claim.units > len(free):
        reason = f"{len(free)} of {len(slots)} units are free" + (f", {wanted} of them promised" if wanted else "")
        return replace(state, queue=queue), Waiting(pool=claim.pool, ahead=len(before), free=len(free), reason=reason)
    lease = Lease(holder=claim.holder, pool=claim.pool, slots=free[: claim.units], since=now, heartbeat=now)
    left = tuple(ticket for ticket in queue if ticket.claim.holder != claim.holder)
    return State((*state.leases, lease), left), lease


def renewed(state: State, holder: str, now: datetime) -> State:
    """The state after a heartbeat. Raises `LeaseLost` for who has no lease."""
    if not state.lease(holder):
        raise LeaseLost(f"{holder} holds no lease: it was given back, or taken back after too long without a heartbeat")
    return replace(
        state, leases=tuple(replace(item, heartbeat=now) if item.holder == holder else item for item in state.leases)
    )


def released(state: State, holder: str) -> State:
    """The state without anything of a holder."""
    return State(
        tuple(lease for lease in state.leases if lease.holder != holder),
        tuple(ticket for ticket in state.queue if ticket.claim.holder != holder),
    )


def reaped(state: State, older_than: timedelta, now: datetime) -> tuple[State, list[Lease]]:
    """The state without leases that had no heartbeat for so long, and those leases."""
    lost = [lease for lease in state.leases if now - lease.heartbeat >= older_than]
    return replace(state, leases=tuple(lease for lease in state.leases if lease not in lost)), lost


def _asked_again(queue: tuple[Ticket, ...], claim: Claim, now: datetime) -> tuple[Ticket, ...]:
    """Who waits in several pools has a place in each; a claim of another size is another claim."""
    alive = [ticket for ticket in queue if now - ticket.asked < FORGOTTEN or ticket.claim == claim]
    if any(ticket.claim == claim for ticket in alive):
        return tuple(replace(ticket, asked=now) if ticket.claim == claim else ticket for ticket in alive)
    same = (claim.holder, claim.pool)
    others = [ticket for ticket in alive if (ticket.claim.holder, ticket.claim.pool) != same]
    return (*others, Ticket(claim, now))


def to_document(state: State) -> dict[str, Any]:
    """As plain values for JSON."""
    return {
        "version": 1,
        "leases": [
            {
                "holder": lease.holder,
                "pool": lease.pool,
                "slots": list(lease.slots),
                "since": lease.since.isoformat(),
                "heartbeat": lease.heartbeat.isoformat(),
            }
            for lease in state.leases
        ],
        "queue": [
            {
                "holder": ticket.claim.holder,
                "pool": ticket.claim.pool,
                "units": ticket.claim.units,
                "asked": ticket.asked.isoformat(),
            }
            for ticket in state.queue
        ],
    }


def from_document(document: Mapping[str, Any]) -> State:
    """From plain values. Raises `Refusal` for a document of another version."""
    if document.get("version") != 1:
        raise Refusal(
            f"the leases are kept in version 1 of their document, not {document.get('version')!r}",
            "leases could be lost or given twice",
            "use the release of virtci that wrote it",
        )
    leases = tuple(
        Lease(
            holder=item["holder"],
            pool=item["pool"],
            slots=tuple(item["slots"]),
            since=datetime.fromisoformat(item["since"]),
            heartbeat=datetime.fromisoformat(item["heartbeat"]),
        )
        for item in document["leases"]
    )
    queue = tuple(
        Ticket(
            Claim(holder=item["holder"], pool=item["pool"], units=item["units"]), datetime.fromisoformat(item["asked"])
        )
        for item in document["queue"]
    )
    return State(leases, queue)
