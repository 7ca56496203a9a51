"""What Boskos writes down of its slots, and which claims that makes complete.

Source: sigs.k8s.io/boskos v0.0.0-20250908171729-5e4ab7284e90 (read and measured 2026-11): crds/resource.go, ranch/.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import groupby
from typing import Any, Self

from virtci.core.problems import Refusal, nearest
from virtci.core.runners.leases import Claim, Lease, Waiting

GROUP = "boskos.k8s.io"
VERSION = "v1"
SLOTS = "resources"
"""Plural of the objects; each is a slot."""
_SEPARATOR = "/"
_FIELDS = 5
_NEVER = "0001-01-01T00:00:00+00:00"


class State(StrEnum):
    """Of a slot. Boskos takes any text and forgets a slot under it, so nothing else is ever sent."""

    FREE = "free"
    LEASED = "leased"


KNOWN = frozenset(state.value for state in State)


@dataclass(frozen=True, kw_only=True, slots=True)
class Owner:
    """Whom Boskos gives a slot to: one attempt to get one unit of a claim.

    The acquisition writes all of it at once; user data would be a second write, and Boskos leaves them on a slot that
    was given back. `attempt` makes a slot that was leased while its answer got lost another one than the next attempt's.
    """

    holder: str
    index: int
    """Which of the units."""
    units: int
    since: datetime
    attempt: str

    def __str__(self) -> str:
        parts = (self.holder, self.index, self.units, self.since.isoformat(), self.attempt)
        return _SEPARATOR.join(str(part) for part in parts)

    @classmethod
    def read(cls, text: str) -> Self | None:
        """The owner that a record names; nothing for one that is not of our making."""
        parts = text.split(_SEPARATOR)
        if len(parts) != _FIELDS:
            return None
        holder, index, units, since, attempt = parts
        try:
            return cls(
                holder=holder,
                index=int(index),
                units=int(units),
                since=datetime.fromisoformat(since),
                attempt=attempt,
            )
        except ValueError:
            return None


@dataclass(frozen=True, kw_only=True, slots=True)
class Slot:
    """One slot, as it is written down."""

    name: str
    pool: str
    state: str
    owner: str
    updated: datetime
    """When it was acquired, given back or had a heartbeat; whole seconds."""

    @classmethod
    def of(cls, item: Mapping[str, Any]) -> Self:
        """The slot of an object of the cluster."""
        status = item.get("status") or {}
        return cls(
            name=item["metadata"]["name"],
            pool=item["spec"]["type"],
            state=status.get("state", ""),
            owner=status.get("owner", ""),
            updated=datetime.fromisoformat(status.get("lastUpdate") or _NEVER),
        )

    @classmethod
    def leased(cls, name: str, pool: str, owner: Owner) -> Self:
        """A slot that was acquired just now."""
        return cls(name=name, pool=pool, state=State.LEASED, owner=str(owner), updated=owner.since)

    @property
    def is_free(self) -> bool:
        """Whether it can be acquired."""
        return self.state == State.FREE and not self.owner


@dataclass(frozen=True, kw_only=True, slots=True)
class Holding:
    """What a claim has of its units."""

    holder: str
    pool: str
    units: int
    slots: tuple[Slot, ...]
    """One for each unit that it has."""
    surplus: tuple[Slot, ...]
    """Leased while the answer got lost, so that the unit was acquired again."""
    begun: datetime
    since: datetime

    @property
    def is_complete(self) -> bool:
        """Whether it is a lease."""
        return len(self.slots) == self.units

    @property
    def missing(self) -> tuple[int, ...]:
        """The units that it has not."""
        owners = (Owner.read(slot.owner) for slot in self.slots)
        return tuple(sorted(set(range(self.units)) - {owner.index for owner in owners if owner}))

    def lease(self) -> Lease:
        """It as a lease."""
        return Lease(
            holder=self.holder,
            pool=self.pool,
            slots=tuple(sorted(slot.name for slot in self.slots)),
            since=self.since,
            heartbeat=max(self.since, min(slot.updated for slot in self.slots)),
        )


def holdings(slots: Iterable[Slot]) -> list[Holding]:
    """What claims have, by holder; slots of owners that are not of our making are nobody's."""
    owned = [(owner, slot) for slot in slots if slot.state == State.LEASED and (owner := Owner.read(slot.owner))]
    owned.sort(key=lambda pair: (_claim(pair), pair[0].since, pair[1].name))
    return [_holding(claim, list(pairs)) for claim, pairs in groupby(owned, _claim)]


def _claim(pair: tuple[Owner, Slot]) -> tuple[str, str, int]:
    owner, slot = pair
    return owner.holder, slot.pool, owner.units


def _holding(claim: tuple[str, str, int], pairs: list[tuple[Owner, Slot]]) -> Holding:
    holder, pool, units = claim
    # The answer to an attempt that another one follows got lost, so the last one is what the holder knows of.
    kept = tuple({owner.index: slot for owner, slot in pairs}.values())
    return Holding(
        holder=holder,
        pool=pool,
        units=units,
        slots=kept,
        surplus=tuple(slot for _, slot in pairs if slot not in kept),
        begun=pairs[0][0].since,
        since=max(owner.since for owner, slot in pairs if slot in kept),
    )


def gives_way(own: Holding, others: Iterable[Holding]) -> bool:
    """Whether an incomplete claim gives its units back: an older one of the pool waits for the same, incomplete as well.

    Only the oldest keeps what it has, so that claims of several units neither wait for each other nor starve behind
    small ones. All launchers see the same records and so agree on who that is.
    """
    rank = (own.begun, own.holder)
    rivals = (other for other in others if other.pool == own.pool and other.holder != own.holder)
    return any((other.begun, other.holder) < rank for other in rivals if not other.is_complete)


def require_holder(holder: str) -> None:
    """Raises `Refusal` for a name that could not be read back."""
    if not holder or _SEPARATOR in holder:
        raise Refusal(
            f"the holder of a lease is a stack name, without `{_SEPARATOR}`; this is `{holder}`",
            "nobody could tell whose lease it is",
            "name the stack of the runner",
        )


def require_possible(claim: Claim, slots: Iterable[Slot]) -> None:
    """Raises `Refusal` for a claim that no waiting would grant."""
    capacity = Counter(slot.pool for slot in slots if slot.state in KNOWN)
    if claim.pool not in capacity:
        raise Refusal(
            f"`{claim.pool}` is a pool of the lease server",
            f"`{claim.holder}` would wait for ever",
            nearest(claim.pool, capacity) if capacity else "declare the pool; the server has none",
        )
    total = capacity[claim.pool]
    if claim.units > total:
        raise Refusal(
            f"`{claim.pool}` has the units of a claim: it has {total} in all, and `{claim.holder}` wants {claim.units}",
            "it would wait for ever",
            "choose a smaller size or another region, or raise the quota and the number of slots with it",
        )


def taken_by_others(claim: Claim, slots: Iterable[Slot]) -> int:
    """The units of a claim's pool that others have, parts of their claims and strangers included."""
    others = [slot for slot in slots if slot.pool == claim.pool and slot.owner]
    owners = (Owner.read(slot.owner) for slot in others)
    return sum(owner is None or owner.holder != claim.holder for owner in owners)


def waiting(claim: Claim, slots: Iterable[Slot], kept: Iterable[Slot] = ()) -> Waiting:
    """Why a claim waits: what the records said of its pool, and what it has got of it since and before."""
    names = {slot.name for slot in kept}
    pool = [slot for slot in slots if slot.pool == claim.pool]
    free = sum(slot.is_free and slot.name not in names for slot in pool)
    reason = f"{free} of {len(pool)} units are free, {claim.units} asked for"
    reason += f", {len(names)} kept for it until it has all" if names else ""
    strange = sorted({slot.state for slot in pool} - KNOWN)
    reason += f"; nobody ever asks for units in the state {', '.join(strange)}" if strange else ""
    return Waiting(pool=claim.pool, ahead=None, free=free, reason=reason)
