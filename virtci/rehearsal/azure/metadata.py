"""The instance metadata service of a simulated machine: facts of the machine, and tokens of its managed identities.

Sources: azure-docs, virtual-machines/instance-metadata-service.md (paths, headers, formats, errors) and
virtual-machines/linux/scheduled-events.md, and entra-docs, managed-identities-azure-resources/how-to-use-vm-token.md (tokens;
404, 410 and 429 mean "not now").
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from virtci.rehearsal.azure import ids, network, tokens
from virtci.rehearsal.azure.arm import ResourceManager, Response
from virtci.rehearsal.azure.identity import principal_of
from virtci.rehearsal.azure.server import Endpoint, Plain, Request, face, listen
from virtci.rehearsal.azure.store import Record, at, stable_uuid
from virtci.rehearsal.bridge import Values
from virtci.rehearsal.journal import CloudError

CLOUD = "metadata"
INSTANCE_VERSIONS = ("2017-12-01", "2019-11-01", "2020-09-01", "2021-02-01")
TOKEN_VERSIONS = ("2018-02-01", "2019-08-01", "2021-02-01")
EVENT_VERSIONS = ("2019-08-01", "2020-07-01")
TOKEN_SECONDS = 86_399
SELECTORS = {"client_id": "clientId", "object_id": "principalId", "msi_res_id": "id"}
"""Query parameters that choose among identities."""


class MetadataError(CloudError):
    """A refusal; the token path words it as OAuth does."""


@dataclass
class Metadata:
    """The service of one machine, which is named by its ARM id.

    The first `unready` requests get `unready_status`, as while the service starts or is updated.
    """

    manager: ResourceManager
    machine: str
    unready: int = 0
    unready_status: int = 404
    preempted: str = ""
    """When the platform takes the machine back, as it writes such a time; empty: it does not."""

    def answer(self, request: Request) -> Response | None:
        """Answers one call; nothing while the machine is off or gone."""
        manager, path = self.manager, unquote(urlsplit(request.target).path).rstrip("/")
        with manager.clock.operation(), manager.store.lock:
            record = manager.store.get(self.machine)
            if record is None or record.notes.get("power") != "running":
                return None
            try:
                manager.journal.fault(CLOUD, request.method, path)
                response = self._carry_out(record, request, path)
            except CloudError as error:
                response = _refused(error, path)
            manager.journal.record(CLOUD, request.method, path, response.status)
            return response

    def _carry_out(self, record: Record, request: Request, path: str) -> Response:
        query = dict(parse_qsl(urlsplit(request.target).query))
        if self.unready > 0:
            self.unready -= 1
            raise MetadataError(self.unready_status, "not_ready", "The service is not available yet")
        if (request.headers.get("Metadata") or "").lower() != "true":
            raise MetadataError(400, "invalid_request", "Required metadata header not specified")
        if request.headers.get("X-Forwarded-For"):
            raise MetadataError(400, "invalid_request", "Request cannot carry the X-Forwarded-For header")
        if request.method != "GET":
            raise MetadataError(405, "method_not_allowed", "Method not allowed")
        if path == "/metadata/identity/oauth2/token":
            return self._token(record, query)
        if path == "/metadata/instance" or path.startswith("/metadata/instance/"):
            return self._instance(record, path.split("/")[3:], query)
        if path == "/metadata/scheduledevents":
            return self._events(record, query)
        raise MetadataError(404, "not_found", "Not found")

    def _token(self, record: Record, query: Mapping[str, str]) -> Response:
        _check_version(query, TOKEN_VERSIONS)
        audience = query.get("resource")
        if not audience:
            raise MetadataError(400, "invalid_request", "Required query variable 'resource' is missing")
        identity = _chosen(self._identities(record), query)
        expires = int(self.manager.clock.now.timestamp()) + TOKEN_SECONDS
        body = {
            "access_token": tokens.issue(identity["principalId"], audience, expires),
            "client_id": identity["clientId"],
            "expires_in": str(TOKEN_SECONDS),
            "expires_on": str(expires),
            "ext_expires_in": str(TOKEN_SECONDS),
            "not_before": str(expires - TOKEN_SECONDS),
            "resource": audience,
            "token_type": "Bearer",
        }
        return Response(200, body)

    def _identities(self, record: Record) -> list[dict[str, str]]:
        """Its own identity first, which is the usual one, then those assigned to the machine."""
        declared: Values = record.body.get("identity") or {}
        found = []
        if "SystemAssigned" in str(declared.get("type")):
            client = stable_uuid("client", record.guid)
            found.append({"id": record.id, "principalId": principal_of(record), "clientId": client, "own": "yes"})
        for key in declared.get("userAssignedIdentities") or {}:
            assigned = self.manager.store.get(key)
            if assigned is not None:
                names = ("principalId", "clientId")
                found.append({"id": assigned.id} | {name: assigned.properties[name] for name in names})
        return found

    def _events(self, record: Record, query: Mapping[str, str]) -> Response:
        _check_version(query, EVENT_VERSIONS)
        event = {
            "EventId": stable_uuid("event", record.guid),
            "EventStatus": "Scheduled",
            "EventType": "Preempt",
            "ResourceType": "VirtualMachine",
            "Resources": [record.name],
            "NotBefore": self.preempted,
            "Description": "",
            "EventSource": "Platform",
            "DurationInSeconds": -1,
        }
        found = [event] if self.preempted else []
        return Response(200, {"DocumentIncarnation": 1 + len(found), "Events": found})

    def _instance(self, record: Record, path: list[str], query: Mapping[str, str]) -> Response:
        _check_version(query, INSTANCE_VERSIONS)
        found: Any = {"compute": self._compute(record), "network": {"interface": self._interfaces(record)}}
        for part in path:
            found = _inside(found, part)
        if query.get("format", "json") == "text":
            return Plain(200, content=_as_text(found).encode())
        if not isinstance(found, dict | list):
            raise MetadataError(400, "invalid_request", "A single value is given as text only: add format=text")
        return Response(200, found if isinstance(found, dict) else {"value": found})

    def _compute(self, record: Record) -> Values:
        profile, tags = record.properties, dict(record.body.get("tags") or {})
        image = at(profile, "storageProfile.imageReference") or {}
        return {
            "azEnvironment": "AzurePublicCloud",
            "location": record.location,
            "name": record.name,
            "offer": image.get("offer", ""),
            "osType": "Linux",
            "publisher": image.get("publisher", ""),
            "resourceGroupName": ids.group_of(record.id),
            "resourceId": record.id,
            "sku": image.get("sku", ""),
            "subscriptionId": self.manager.scenario.subscription,
            "tags": ";".join(f"{name}:{value}" for name, value in tags.items()),
            "tagsList": [{"name": name, "value": value} for name, value in tags.items()],
            "version": image.get("version", ""),
            "vmId": record.guid,
            "vmSize": str(at(profile, "hardwareProfile.vmSize") or ""),
        }

    def _interfaces(self, record: Record) -> list[Values]:
        references = at(record.properties, "networkProfile.networkInterfaces") or []
        found = [network.interface_of(self.manager.store, item) for item in references]
        return [self._interface(item) for item in found if item]

    def _interface(self, interface: Record) -> Values:
        configurations = [item.get("properties") or {} for item in interface.properties.get("ipConfigurations") or []]
        addresses = [
            {"privateIpAddress": str(item.get("privateIPAddress", "")), "publicIpAddress": ""}
            for item in configurations
        ]
        subnets = [self.manager.store.get(str((item.get("subnet") or {}).get("id"))) for item in configurations]
        ranges = [str(item.properties.get("addressPrefix", "")).split("/") for item in subnets if item]
        return {
            "ipv4": {
                "ipAddress": addresses,
                "subnet": [{"address": item[0], "prefix": item[-1]} for item in ranges],
            },
            "ipv6": {"ipAddress": []},
            "macAddress": f"000D3A{stable_uuid('mac', interface.guid)[:6].upper()}",
        }


@contextmanager
def serve_metadata(service: Metadata) -> Iterator[Endpoint]:
    """Serves on a free local port until the block ends; the real address needs a network of its own."""
    with listen(handler(service)) as port:
        yield Endpoint(f"http://127.0.0.1:{port}")


def handler(service: Metadata) -> type[BaseHTTPRequestHandler]:
    """The face of the service."""
    return face(service.answer)


def _chosen(identities: list[dict[str, str]], query: Mapping[str, str]) -> dict[str, str]:
    asked = {name: query[parameter].lower() for parameter, name in SELECTORS.items() if parameter in query}
    found = [item for item in identities if all(item[name].lower() == value for name, value in asked.items())]
    if not found:
        raise MetadataError(400, "invalid_request", "Identity not found")
    if len(found) > 1 and "own" not in found[0]:
        text = "Multiple user assigned identities exist, please specify the clientId / resourceId of the identity in the token request"
        raise MetadataError(400, "invalid_request", text)
    return found[0]


def _check_version(query: Mapping[str, str], known: tuple[str, ...]) -> None:
    if query.get("api-version") not in known:
        text = (
            "api-version is invalid or was not specified in the request. For more information refer to aka.ms/azureimds"
        )
        raise MetadataError(400, "invalid_request", text)


def _inside(found: Any, part: str) -> Any:
    names = {name.lower(): name for name in found} if isinstance(found, dict) else {}
    if part.lower() in names:
        return found[names[part.lower()]]
    if isinstance(found, list) and part.isdecimal() and int(part) < len(found):
        return found[int(part)]
    raise MetadataError(404, "not_found", "Not found")


def _as_text(found: Any) -> str:
    """A value as it is, and of anything larger the names of its parts."""
    if isinstance(found, dict):
        return "\n".join(f"{name}/" if isinstance(item, dict | list) else name for name, item in found.items())
    return "\n".join(f"{number}/" for number in range(len(found))) if isinstance(found, list) else str(found)


def _refused(error: CloudError, path: str) -> Response:
    headers = {"Retry-After": f"{error.retry_after:g}"} if error.retry_after else {}
    if path.startswith("/metadata/identity"):
        return Response(error.status, {"error": error.code, "error_description": error.message}, headers)
    return Response(
        error.status, {"error": f"Bad request. {error.message}" if error.status == 400 else error.message}, headers
    )
