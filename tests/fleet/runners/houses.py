"""Places where leases are kept, as the tests of every store see them: launchers, pools, and time that passes."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Protocol, TypeVar

import httpx

from virtci.core.runners.boskos_records import GROUP, SLOTS, VERSION, Slot
from virtci.core.runners.leases import Claim, Lease, LeaseStore, Waiting
from virtci.fleet.clouds import kubernetes
from virtci.fleet.cluster_api import ClusterApi
from virtci.fleet.runners.boskos import BoskosLeases
from virtci.fleet.runners.boskos_api import BoskosApi
from virtci.fleet.runners.embedded_leases import EmbeddedLeases
from virtci.fleet.runners.objects import FileObjects
from virtci.fleet.waiting import Backoff
from virtci.rehearsal.boskos import Boskos

Found = TypeVar("Found")
DEADLINE = 60.0
PAUSE = 0.05
PLACE_KEPT = timedelta(seconds=3)
"""How long the server of the tests keeps a place in its queue."""
PATIENCE = timedelta(minutes=1)
"""With a server that is started anew on a busy machine."""
AT_ONCE = Backoff(sleep=lambda _: None)
_NUMBERS = count(1)


class House(Protocol):
    """A store with two pools of its own."""

    pool: str
    other: str
    slots: tuple[str, ...]
    """Of `pool`."""

    def store(self) -> LeaseStore:
        """The store as one more launcher has it."""

    def pass_time(self, duration: timedelta) -> None:
        """All leases get older."""


@dataclass
class EmbeddedHouse:
    """A small object with compare-and-swap."""

    folder: Path
    slots: tuple[str, ...]
    pool: str = "azure-westus"
    other: str = "ec2-us-east-2"
    now: datetime = datetime(2026, 11, 21, 12, tzinfo=UTC)

    def store(self) -> LeaseStore:
        pools = {self.pool: self.slots, self.other: ("elsewhere",)}
        return EmbeddedLeases(FileObjects(self.folder, AT_ONCE), pools, lambda: self.now)

    def pass_time(self, duration: timedelta) -> None:
        self.now += duration


@dataclass
class BoskosHouse:
    """The real server, on the real API server."""

    server: Boskos
    stack: ExitStack
    units: int
    pool: str = field(init=False)
    other: str = field(init=False)
    slots: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        number = next(_NUMBERS)
        self.pool, self.other = f"azure-{number}", f"ec2-{number}"
        self.slots = tuple(f"{self.pool}-{index:02}" for index in range(1, self.units + 1))
        self.server.configure({self.pool: self.slots, self.other: (f"{self.other}-01",)})
        self.server.wait()

    def store(self) -> BoskosLeases:
        return BoskosLeases(self.api(), patience=PATIENCE)

    def api(self, transport: httpx.BaseTransport | None = None, url: str = "") -> BoskosApi:
        """The server and its records, for the account of the launchers."""
        client = httpx.Client(base_url=url or self.server.url, transport=transport or httpx.HTTPTransport(), timeout=10)
        cluster = self.stack.enter_context(kubernetes(self.server.launcher))
        return BoskosApi(self.stack.enter_context(client), ClusterApi(cluster))

    def records(self) -> list[Slot]:
        """What is written down of the pool."""
        return [slot for slot in self.api().slots() if slot.pool == self.pool]

    def is_cleared(self) -> bool:
        """Takes all leases back, and looks whether that was so."""
        self.store().reap(timedelta())
        return not any(slot.owner for slot in self.api().slots())

    def pass_time(self, duration: timedelta) -> None:
        path = f"/apis/{GROUP}/{VERSION}/namespaces/virt-ci/{SLOTS}"
        with kubernetes(self.server.plane.kubeconfig) as client:
            cluster = ClusterApi(client)
            for slot in self.records():
                changed = {"status": {"lastUpdate": (slot.updated - duration).isoformat()}}
                cluster.request(
                    "PATCH", f"{path}/{slot.name}", body=changed, content_type="application/merge-patch+json"
                )


@contextmanager
def boskos_house(server: Boskos, units: int) -> Iterator[BoskosHouse]:
    """Pools of one test, given back as a whole after it; the next test takes them away."""
    with ExitStack() as stack:
        house = BoskosHouse(server, stack, units)
        yield house
        eventually(house.is_cleared)


def eventually(look: Callable[[], Found | None], pause: float = PAUSE) -> Found:
    """The first answer that is something, by the deadline; `pause` in seconds."""
    end = time.monotonic() + DEADLINE
    while not (found := look()):
        assert time.monotonic() < end, "it never came true"
        time.sleep(pause)
    return found


def granted(store: LeaseStore, holder: str, pool: str, units: int = 1, room: int | None = None) -> Lease:
    """The lease of a claim that has to be granted at once."""
    found = store.acquire(Claim(holder=holder, pool=pool, units=units), room)
    assert isinstance(found, Lease), found
    return found


def refused(store: LeaseStore, holder: str, pool: str, units: int = 1, room: int | None = None) -> Waiting:
    """What a claim is told that has to wait."""
    found = store.acquire(Claim(holder=holder, pool=pool, units=units), room)
    assert isinstance(found, Waiting), found
    return found


def awaited(store: LeaseStore, holder: str, pool: str, units: int = 1) -> Lease:
    """The lease of a claim that is granted after some asking."""

    def ask() -> Lease | None:
        found = store.acquire(Claim(holder=holder, pool=pool, units=units))
        return found if isinstance(found, Lease) else None

    return eventually(ask)
