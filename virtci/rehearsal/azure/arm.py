"""The simulated Azure Resource Manager: one entry point, `ResourceManager.request`."""

import contextlib
import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from virtci.rehearsal.azure import access, admission, errors, ids, routes
from virtci.rehearsal.azure.behaviours import hooks_of
from virtci.rehearsal.azure.catalogue import BY_ARM
from virtci.rehearsal.azure.scenario import Scenario
from virtci.rehearsal.azure.store import Record, Store, Write
from virtci.rehearsal.azure.throttle import Throttle
from virtci.rehearsal.bridge import Values
from virtci.rehearsal.clock import SimulatedClock
from virtci.rehearsal.journal import CloudError, Journal

__all__ = ["ResourceManager", "Response", "Scenario"]

# Refusals that come while the service already works on the resource: it stays behind, marked as failed.
LEAVES_FAILED_RESOURCE = {
    "AllocationFailed",
    "ZonalAllocationFailed",
    "OverconstrainedAllocationRequest",
    "OSProvisioningTimedOut",
    "InternalExecutionError",
}

# Services that answer 200 to a write of something new as well (REST reference of `Disks` and `Snapshots`).
NEVER_CREATED = ("Microsoft.Compute/disks", "Microsoft.Compute/snapshots")


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP answer."""

    status: int
    body: Values | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    path: str
    query: str
    body: Values
    principal: str

    @property
    def address(self) -> ids.Address:
        return ids.parse(self.path)


class ResourceManager:
    """One subscription, for callers in this process and behind the HTTP face."""

    def __init__(self, clock: SimulatedClock, journal: Journal, scenario: Scenario | None = None) -> None:
        self.clock = clock
        self.journal = journal
        self.scenario = scenario or Scenario()
        self.store = Store(clock, self.scenario)
        self._throttle = Throttle(clock, self.scenario.subscription)

    def request(self, method: str, path: str, body: Values | None = None, principal: str = "") -> Response:
        """Answers one call; refusals come back as answers, never as exceptions."""
        target, _, query = path.partition("?")
        request = _Request(method, target, query, body or {}, principal or self.scenario.deployer)
        with self.clock.operation():
            try:
                self.journal.fault("azure", method, target)
            except CloudError as planned:
                self._fail_halfway(request, planned.code)
                return _refused(planned)
            try:
                response = self._answer(request)
            except CloudError as error:
                response = _refused(error)
            try:
                self.journal.fault("azure", method, target, after=True)
            except CloudError as lost:
                return _refused(lost)
            self.journal.record("azure", method, target, response.status, _code(response))
            return response

    def remaining(self) -> list[str]:
        """The ids of everything that was made and is still there; soft-deleted names are not resources."""
        with self.store.lock:
            return sorted(record.id for record in self.store.records.values())

    def evict(self, machine: str) -> None:
        """Takes a spot machine back, as the platform does: for good or, with the policy Deallocate, until it is started.

        Raises `LookupError` for what is no spot machine.
        """
        with self.clock.operation(), self.store.lock:
            record = self.store.get(machine)
            if record is None or record.properties.get("priority") != "Spot":
                raise LookupError(f"{machine} is no spot machine")
            if record.properties.get("evictionPolicy") == "Delete":
                self._remove(record)
            else:
                record.notes["power"] = "deallocated"
            self.journal.record("azure", "EVICT", record.id, 200, "SpotEvicted")

    def _fail_halfway(self, request: _Request, code: str) -> None:
        if request.method != "PUT" or code not in LEAVES_FAILED_RESOURCE:
            return
        with contextlib.suppress(CloudError):
            self._put(request)
        record = self.store.get(request.path)
        if record is not None:
            record.state = "Failed"

    def _answer(self, request: _Request) -> Response:
        with self.store.lock:
            self._throttle.take(request.method, request.principal)
            access.require(self.store, request.principal, request.method, request.path)
            access.require_linked(self.store, request.principal, request.method, request.path, request.body)
            if not routes.is_gallery_image(request.path):
                self._check_subscription(request.path)
            found = routes.find(request.method, request.path, request.body)
            if found is not None:
                return Response(200, found(self.store))
        slow = {"PUT": self._put, "DELETE": self._delete, "POST": self._act}
        if request.method in slow:
            return slow[request.method](request)
        with self.store.lock:
            if request.method == "PATCH":
                return self._tag(request)
            if request.address.is_collection:
                return Response(200, {"value": self._list(request.address)})
            return self._get(request)

    def _check_subscription(self, path: str) -> None:
        subscription = "".join(path.strip("/").split("/")[1:2])
        if subscription.lower() != self.scenario.subscription.lower():
            text = f"The subscription '{subscription}' could not be found."
            raise CloudError(404, "SubscriptionNotFound", text)

    def _get(self, request: _Request) -> Response:
        record = self._found(request.address)
        if request.method == "HEAD":
            return Response(204)
        return Response(200, routes.expanded(self._view(record), record, request.query))

    def _found(self, address: ids.Address) -> Record:
        record = self.store.get(address.id)
        if record is None:
            admission.check_parents(self.store, address)
            raise errors.resource_not_found(address)
        return record

    def _list(self, address: ids.Address) -> list[Values]:
        within = address.id.rsplit("/", 1)[0]
        if address.arm.lower().endswith("resources"):
            return [self._view(item) for item in reversed(self.store.below(within)) if _is_top_level(item)]
        scope = within if address.names else address.scope
        return [self._view(item) for item in self.store.of_type(address.arm, scope)]

    def _view(self, record: Record) -> Values:
        view = hooks_of(record.row).view
        return copy.deepcopy(view(self.store, record) if view else record.body)

    def _put(self, request: _Request) -> Response:
        with self.store.lock:
            write = self._write(request)
            admission.check_write(write)
            record = self._begin(write)
        with self._busy(record):
            seconds = write.row.seconds
            self.clock.wait(seconds.update if write.old else seconds.create)
        with self.store.lock:
            self._complete(write, record)
            return Response(200 if write.old or write.row.arm in NEVER_CREATED else 201, self._view(record))

    def _write(self, request: _Request) -> Write:
        address = request.address
        row = BY_ARM.get(address.arm.lower())
        if row is None or address.is_collection:
            text = f"The resource type '{address.arm}' could not be found in the namespace '{address.namespace}'."
            raise CloudError(404, "InvalidResourceType", text)
        body = copy.deepcopy(request.body)
        return Write(self.store, address, row, body, self.store.get(address.id), request.principal)

    def _begin(self, write: Write) -> Record:
        old, address = write.old, write.address
        identity = {"id": old.id if old else address.id, "name": old.name if old else address.name}
        record = Record(
            id=identity["id"],
            row=write.row,
            body=copy.deepcopy(write.body) | identity | {"type": write.row.arm},
            created=old.created if old else self.clock.seconds,
            asked=write.body,
            generation=old.generation if old else self.store.next_generation(address.id),
        )
        if old and old.location:
            record.body["location"] = old.location
        record.state = "Updating" if old else "Creating"
        self.store.busy.add(record.id.lower())
        self.store.put(record)
        begin = hooks_of(write.row).begin
        if begin:
            begin(write, record)
        return record

    @contextlib.contextmanager
    def _busy(self, record: Record) -> Any:
        try:
            yield
        finally:
            self.store.busy.discard(record.id.lower())

    def _complete(self, write: Write, record: Record) -> None:
        complete = hooks_of(write.row).complete
        record.state = "Failed"
        if complete:
            complete(write, record)
        record.state = "Succeeded"

    def _tag(self, request: _Request) -> Response:
        record = self._found(request.address)
        if set(request.body) - {"tags"}:
            raise errors.bad("PatchNotSupported", "This simulated service takes only tags in a PATCH.")
        tags = {str(key): str(value) for key, value in (request.body.get("tags") or {}).items()}
        record.body["tags"] = tags
        record.asked["tags"] = dict(tags)
        return Response(200, self._view(record))

    def _delete(self, request: _Request) -> Response:
        with self.store.lock:
            record = self.store.get(request.path)
            if record is None:
                return Response(204)
            admission.check_deletion(self.store, record)
            record.state = "Deleting"
            self.store.busy.add(record.id.lower())
        with self._busy(record):
            self.clock.wait(record.row.seconds.delete)
        with self.store.lock:
            for item in (*self.store.below(record.id), record):
                self._remove(item)
        return Response(200)

    def _remove(self, record: Record) -> None:
        if self.store.get(record.id) is None:
            return
        self.store.drop(record.id)
        deleted = hooks_of(record.row).deleted
        if deleted:
            deleted(self.store, record)

    def _act(self, request: _Request) -> Response:
        target, _, action = request.path.rstrip("/").rpartition("/")
        record = self._found(ids.parse(target))
        found = routes.ACTIONS.get((record.row.arm.lower(), action.lower()))
        if found is None:
            raise errors.bad("InvalidAction", f"The action '{action}' is not known for '{record.row.arm}'.")
        seconds, act, status = found
        self.clock.wait(seconds)
        with self.store.lock:
            answer = act(self.store, record)
            return Response(status, None if status == 204 else answer)


def _is_top_level(record: Record) -> bool:
    return len(ids.parse(record.id).names) == 1


def _refused(error: CloudError) -> Response:
    headers = {"Retry-After": str(int(error.retry_after))} if error.retry_after else {}
    return Response(error.status, {"error": {"code": error.code, "message": error.message}}, headers)


def _code(response: Response) -> str:
    body: Any = response.body or {}
    return str(body.get("error", {}).get("code", "")) if response.status >= 400 else ""
