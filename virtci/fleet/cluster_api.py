"""Objects of any kind in a cluster, through the official client: read, applied by the server, deleted.

Source: Kubernetes 1.34, "Server-Side Apply" and "Kubernetes API Concepts" (kubernetes.io, read 2026-11).
"""

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

Object = dict[str, Any]

APPLY = "application/apply-patch+yaml"
REQUEST_SECONDS = 30
PAUSE = 0.1
"""Seconds between two looks at an object that is waited for."""
NOT_FOUND, CONFLICT = 404, 409


class ClusterError(Exception):
    """A refusal of the API server, in its own words; status 0 when it was not reached."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message


class UnknownKindError(ClusterError):
    """The server has no such kind: a definition is missing, or not there yet."""

    def __init__(self, api_version: str, kind: str) -> None:
        super().__init__(NOT_FOUND, "NoMatch", f'no matches for kind "{kind}" in version "{api_version}"')


@dataclass
class ClusterApi:
    """One cluster. Every call can raise `ClusterError`."""

    client: "ApiClient"
    _kinds: dict[tuple[str, str], tuple[str, bool]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, api_version: str, kind: str, namespace: str, name: str) -> Object | None:
        """The live object, or nothing."""
        try:
            return self.request("GET", self.path(api_version, kind, namespace, name))
        except ClusterError as error:
            if error.status == NOT_FOUND:
                return None
            raise

    def items(self, api_version: str, kind: str, namespace: str = "", **query: str) -> list[Object]:
        """The objects of a kind, in a namespace or everywhere."""
        found: list[Object] = self.request("GET", self.path(api_version, kind, namespace), query)["items"]
        return found

    def apply(self, manifest: Mapping[str, Any], manager: str, *, dry_run: bool = False, force: bool = False) -> Object:
        """The object after a server-side apply under the name of a field manager; unknown fields are refused."""
        query = {"fieldManager": manager, "fieldValidation": "Strict", "force": str(force).lower()}
        if dry_run:
            query["dryRun"] = "All"
        return self.request("PATCH", self.path_of(manifest), query, manifest, APPLY)

    def create(self, manifest: Mapping[str, Any], manager: str) -> Object:
        """A new object; `ClusterError` 409 where there is one of that name."""
        query = {"fieldManager": manager, "fieldValidation": "Strict"}
        metadata = manifest["metadata"]
        path = self.path(manifest["apiVersion"], manifest["kind"], metadata.get("namespace", ""))
        return self.request("POST", path, query, manifest)

    def delete(self, manifest: Mapping[str, Any], propagation: str = "Foreground") -> None:
        """Begins a deletion; an object that is gone already is a success."""
        try:
            self.request("DELETE", self.path_of(manifest), body={"propagationPolicy": propagation})
        except ClusterError as error:
            if error.status != NOT_FOUND:
                raise

    def wait(self, look: Callable[[], bool], seconds: float) -> bool:
        """Looks again and again; whether it came true in time."""
        deadline = time.monotonic() + seconds
        while not look():
            if time.monotonic() > deadline:
                return False
            time.sleep(PAUSE)
        return True

    def path_of(self, manifest: Mapping[str, Any]) -> str:
        """The path of an object."""
        metadata = manifest["metadata"]
        return self.path(manifest["apiVersion"], manifest["kind"], metadata.get("namespace", ""), metadata["name"])

    def path(self, api_version: str, kind: str, namespace: str = "", name: str = "") -> str:
        """The path of a kind, or of an object of it. Raises `UnknownKindError`."""
        plural, namespaced = self._kind(api_version, kind)
        place = f"/namespaces/{namespace or 'default'}" if namespaced and (namespace or name) else ""
        return f"{_root(api_version)}{place}/{plural}" + (f"/{name}" if name else "")

    def request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
    ) -> Object:
        """The answer to a request."""
        import urllib3

        headers = {"Accept": "application/json", "Content-Type": content_type}
        call = self.client.param_serialize(
            method,
            path,
            query_params=list((query or {}).items()),
            header_params=headers,
            body=body,
            auth_settings=["BearerToken"],
        )
        try:
            answer = self.client.call_api(*call, _request_timeout=REQUEST_SECONDS)
            content = answer.read()
        except urllib3.exceptions.HTTPError as error:
            raise ClusterError(0, "Unreachable", _unreachable(self.client.configuration.host, error)) from None
        return _understood(answer.status, content)

    def _kind(self, api_version: str, kind: str) -> tuple[str, bool]:
        with self._lock:
            known = self._kinds.get((api_version, kind))
        if known:
            return known
        try:
            resources = self.request("GET", _root(api_version))["resources"]
        except ClusterError as error:
            if error.status == NOT_FOUND:
                raise UnknownKindError(api_version, kind) from None
            raise
        found = {item["kind"]: (item["name"], item["namespaced"]) for item in resources if "/" not in item["name"]}
        if kind not in found:
            raise UnknownKindError(api_version, kind)
        with self._lock:
            self._kinds.update({(api_version, name): value for name, value in found.items()})
        return found[kind]


def _root(api_version: str) -> str:
    return f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"


def _understood(status: int, content: bytes) -> Object:
    try:
        answer = json.loads(content)
    except ValueError:
        answer = {}
    if status >= 400:
        message = answer.get("message") or content.decode(errors="replace").strip() or "no reason given"
        raise ClusterError(status, answer.get("reason", ""), message)
    found: Object = answer
    return found


def _unreachable(host: str, error: Exception) -> str:
    """Where nobody answered, and why, without the request: its headers hold a credential."""
    cause = getattr(error, "reason", None) or error
    return f"the API server {host} does not answer ({type(cause).__name__}: {cause})"
