"""The generic store of a simulated subscription: records by id, in any case of letters."""

import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import Any

from virtci.rehearsal.azure import ids
from virtci.rehearsal.azure.catalogue import BY_ARM
from virtci.rehearsal.azure.resource_types import ResourceType
from virtci.rehearsal.azure.scenario import Scenario
from virtci.rehearsal.bridge import Values
from virtci.rehearsal.clock import START, SimulatedClock

_NAMESPACE = uuid.UUID("00000000-0000-0000-0000-0000000000aa")


def stable_uuid(*parts: str) -> str:
    """A GUID that depends on the parts alone, so that two rehearsals agree."""
    return str(uuid.uuid5(_NAMESPACE, "|".join(parts).lower()))


def at(values: Any, path: str) -> Any:
    """What a body holds at a path such as `osProfile.customData`, or nothing."""
    for part in path.split("."):
        values = values.get(part) if isinstance(values, dict) else None
    return values


@dataclass
class Record:
    """One resource as the service keeps it."""

    id: str
    row: ResourceType
    body: Values
    created: float
    asked: Values = field(default_factory=dict)
    generation: int = 1
    notes: Values = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The resource's own name."""
        return self.id.rsplit("/", 1)[-1]

    @cached_property
    def references(self) -> frozenset[str]:
        """The ids in its own subscription that its inputs refer to."""
        return frozenset(ids.references(self.asked, self.id.split("/")[2]))

    @property
    def guid(self) -> str:
        """A GUID of its own; a resource made again under the same id gets another one."""
        return stable_uuid(self.id, str(self.generation))

    @property
    def properties(self) -> Values:
        """The body's `properties`, made when absent."""
        properties: Values = self.body.setdefault("properties", {})
        return properties

    @properties.setter
    def properties(self, value: Values) -> None:
        self.body["properties"] = value

    @property
    def location(self) -> str:
        """The region."""
        return str(self.body.get("location", ""))

    @property
    def state(self) -> str:
        """The provisioning state; resources without one are always ready."""
        return str(self.properties.get("provisioningState", "Succeeded"))

    @state.setter
    def state(self, value: str) -> None:
        if self.row.stateful:
            self.properties["provisioningState"] = value


@dataclass
class Store:
    """All records, the lock that guards them, and what the hooks share."""

    clock: SimulatedClock
    scenario: Scenario
    lock: threading.RLock = field(default_factory=threading.RLock)
    records: dict[str, Record] = field(default_factory=dict)
    busy: set[str] = field(default_factory=set)
    tombstones: dict[str, Values] = field(default_factory=dict)
    principals: dict[str, float] = field(default_factory=dict)
    generations: dict[str, int] = field(default_factory=dict)
    cluster_authority: str = ""  # the certificate (PEM) that a managed cluster is trusted by
    address: str = ""  # where the cloud is served, for what it gives addresses of
    booted: "Callable[[Record], None] | None" = None  # told when a machine that was off is started

    def get(self, resource_id: str) -> Record | None:
        """The record of an id."""
        return self.records.get(resource_id.lower())

    def put(self, record: Record) -> Record:
        """Keeps a record."""
        self.records[record.id.lower()] = record
        return record

    def add(self, resource_id: str, body: Values) -> Record:
        """Keeps a resource that the service makes by itself, such as the disk of a machine."""
        address = ids.parse(resource_id)
        row, generation = BY_ARM[address.arm.lower()], self.next_generation(resource_id)
        record = Record(resource_id, row, body, self.clock.seconds, generation=generation)
        record.body |= {"id": resource_id, "name": address.name, "type": record.row.arm}
        record.state = "Succeeded"
        return self.put(record)

    def next_generation(self, resource_id: str) -> int:
        """How many times an id has been made, this time included."""
        low = resource_id.lower()
        self.generations[low] = self.generations.get(low, 0) + 1
        return self.generations[low]

    def drop(self, resource_id: str) -> None:
        """Forgets a record."""
        self.records.pop(resource_id.lower(), None)

    def below(self, ancestor: str) -> list[Record]:
        """Everything inside a resource, a group or the subscription, deepest first."""
        inside = [item for item in self.records.values() if item.id.lower().startswith(ancestor.lower() + "/")]
        return sorted(inside, key=lambda item: (-item.id.count("/"), item.id))

    def of_type(self, arm: str, within: str = "") -> Iterator[Record]:
        """The records of one ARM type."""
        for record in list(self.records.values()):
            if record.row.arm.lower() == arm.lower() and (not within or ids.is_below(record.id, within)):
                yield record

    def exists(self, resource_id: str) -> bool:
        """Whether an id stands for something: a record, the subscription, or a part of the scenario."""
        low = resource_id.rstrip("/").lower()
        known = (*self.scenario.images, *self.scenario.resources, f"/subscriptions/{self.scenario.subscription}")
        return low in self.records or low in {item.lower() for item in known}

    def users(self, target: Record) -> list[Record]:
        """The records elsewhere whose bodies refer to a record or to something inside it."""
        return [
            record
            for record in self.records.values()
            if not ids.is_below(record.id, target.id)
            and not ids.is_below(target.id, record.id)
            and any(ids.is_below(item, target.id) for item in record.references)
        ]


@dataclass(frozen=True, slots=True)
class Write:
    """One write as the hooks see it: `old` is the record before, when there was one."""

    store: Store
    address: ids.Address
    row: ResourceType
    body: Values
    old: Record | None = None
    principal: str = ""

    @property
    def properties(self) -> dict[str, Any]:
        """The `properties` that were asked for."""
        found: dict[str, Any] = self.body.get("properties") or {}
        return found

    @properties.setter
    def properties(self, value: Values) -> None:
        self.body["properties"] = value

    @property
    def first_made(self) -> str:
        """The moment of the first creation, as services write it."""
        return (START + timedelta(seconds=self.old.created if self.old else self.store.clock.seconds)).isoformat()

    @property
    def location(self) -> str:
        """The region asked for, or that of the record before."""
        return str(self.body.get("location") or (self.old.location if self.old else ""))


@dataclass(frozen=True, slots=True)
class Hooks:
    """What a type does beyond the generic rules; each may raise `CloudError`."""

    check: Callable[[Write], None] | None = None
    complete: Callable[[Write, Record], None] | None = None
    view: Callable[[Store, Record], Values] | None = None
    before_delete: Callable[[Store, Record], None] | None = None
    deleted: Callable[[Store, Record], None] | None = None
    begin: Callable[[Write, Record], None] | None = None
