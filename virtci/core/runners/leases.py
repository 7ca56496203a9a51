"""Leases: who holds how many units of a pool, and what every store of leases promises.

A pool is the capacity of one cloud in one region (`clouds.pool`), in units of `clouds.UNIT_VCPUS`; each unit is a slot.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from virtci.core.problems import Refusal


class Store(StrEnum):
    """Where leases are kept: in one object of the state account, or by the lease server Boskos, for many launchers."""

    EMBEDDED = "embedded"
    BOSKOS = "boskos"


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """Who wants how much."""

    holder: str
    """The stack of the runner."""
    pool: str
    units: int

    def __post_init__(self) -> None:
        if self.units < 1:
            raise Refusal(
                f"a claim is for one unit or more; `{self.holder}` wants {self.units}",
                "a machine would run without counting",
                "choose a size; the smallest machine has one unit",
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class Lease:
    """A claim that was granted."""

    holder: str
    pool: str
    slots: tuple[str, ...]
    """One for each unit, by name."""
    since: datetime
    heartbeat: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Waiting:
    """A claim that was not granted yet."""

    pool: str
    ahead: int | None
    """Claims that come first; nothing where the store does not know."""
    free: int
    """Units."""
    reason: str


def no_room(claim: Claim, taken: int, room: int | None) -> Waiting | None:
    """The answer to a claim for which the platform leaves no room beside what others hold of the pool; or nothing."""
    if room is None or taken + claim.units <= room:
        return None
    reason = f"the platform's quota leaves {room} units to the runners, {taken} are leased"
    return Waiting(pool=claim.pool, ahead=None, free=max(room - taken, 0), reason=reason)


class LeaseLost(Exception):
    """The holder has no lease, or not all of it: another machine may have its slots."""


class LeaseStore(Protocol):
    """Where leases are kept. Any number of launchers may use one store at the same time.

    A slot is never in two leases. Every method raises `Refusal` when the store cannot be reached; asking again is safe.
    """

    def acquire(self, claim: Claim, room: int | None = None) -> Lease | Waiting:
        """Asked again and again by the same holder: keeps its place, and gives what the holder has once granted.

        `room`: units that the platform leaves to all leases of the pool; a claim beyond it waits. Two that ask at once may
        both wait, and are never both granted the same room. Who does not ask for some time loses its place. Raises
        `Refusal` for a claim that no waiting would grant.
        """

    def heartbeat(self, holder: str) -> None:
        """Keeps a lease from being reaped. Raises `LeaseLost` when the holder has it no longer."""

    def release(self, holder: str) -> None:
        """Gives a lease back, or leaves the queue; nothing for a holder that is in neither."""

    def leases(self) -> list[Lease]:
        """All leases."""

    def reap(self, older_than: timedelta) -> list[Lease]:
        """Gives back what had no heartbeat for so long, and returns it."""


def slot_names(region: str, units: int) -> tuple[str, ...]:
    """The slots of a region, one for each unit."""
    return tuple(f"auto-runner-{region}-{number:02}" for number in range(1, units + 1))
