"""Boskos over HTTP, one method for each request, and its records in the cluster.

Launchers outside the cluster go through the API server (`through`), with the rights of `boskos.LAUNCHER`.

Source: sigs.k8s.io/boskos v0.0.0-20250908171729-5e4ab7284e90 (read and measured 2026-11): handlers/handlers.go. Parameters
are read from the query alone; a slot that was just acquired can be nobody's to the server for milliseconds, and after an
outage of the API server for seconds, because it reads from a cache. The records are never late.
"""

import ssl
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING

from virtci.core.cluster_objects import NAMESPACE
from virtci.core.problems import Refusal
from virtci.core.runners.boskos import server_path
from virtci.core.runners.boskos_records import GROUP, SLOTS, VERSION, Owner, Slot, State
from virtci.fleet.cluster_api import ClusterApi, ClusterError

if TYPE_CHECKING:
    import httpx
    from kubernetes.client import ApiClient

SECONDS = 30
"""Until an answer."""
NONE_FREE = "no available resource"
NO_SUCH_TYPE = "does not exist"
NOTHING_LEASED = "no machine is started, and leases of machines that run are not renewed"


class Unsettled(Exception):
    """What became of a request is not known, or is not to be seen yet: look at the records and ask again."""


@dataclass(frozen=True, slots=True)
class BoskosApi:
    """One server. `client` has its address as base URL; `cluster` is where its records are.

    Every method can raise `Unsettled`, and `Refusal` for an answer that asking again will not change.
    """

    client: "httpx.Client"
    cluster: ClusterApi
    namespace: str = NAMESPACE

    def slots(self) -> list[Slot]:
        """All slots, as they are written down at this moment."""
        path = f"/apis/{GROUP}/{VERSION}/namespaces/{self.namespace}/{SLOTS}"
        try:
            found = self.cluster.request("GET", path)
        except ClusterError as error:
            if not error.status or error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                raise Unsettled(error.message) from None
            raise Refusal(
                f"the launcher may list {SLOTS}.{GROUP} in the namespace {self.namespace}",
                f"nobody knows what is leased; the API server said: {error.message}",
                "deploy the lease server, and use a token of its launcher's account",
            ) from None
        return [Slot.of(item) for item in found["items"]]

    def acquire(self, pool: str, owner: Owner, request: str) -> str | None:
        """The name of a slot, or nothing when none is free; `request` keeps its place in the queue for its next time."""
        query = {"type": pool, "state": State.FREE.value, "dest": State.LEASED.value}
        answer = self._ask("/acquire", {**query, "owner": str(owner), "request_id": request}, _NONE)
        if answer.is_success:
            return self._name_in(answer)
        if NONE_FREE in answer.text:
            return None
        if NO_SUCH_TYPE in answer.text:
            raise Refusal(f"`{pool}` is a pool of the lease server", "it would never lease from it", "declare the pool")
        raise self._strange(answer)

    def beat(self, slot: Slot) -> None:
        """A sign of life of its owner."""
        query = {"name": slot.name, "owner": slot.owner, "state": State.LEASED.value}
        self._settled(self._ask("/update", query, _NOT_OURS))

    def release(self, slot: Slot) -> None:
        """Gives it back. `Unsettled` also when it is another's by now, which the records tell."""
        query = {"name": slot.name, "owner": slot.owner, "dest": State.FREE.value}
        self._settled(self._ask("/release", query, _NOT_OURS))

    def reset(self, pool: str, older_than: timedelta) -> None:
        """Gives back what had no sign of life for so long."""
        states = {"state": State.LEASED.value, "dest": State.FREE.value}
        self._ask("/reset", {"type": pool, **states, "expire": go_duration(older_than)})

    def _ask(self, path: str, query: dict[str, str], tolerated: frozenset[int] = frozenset()) -> "httpx.Response":
        import httpx

        try:
            answer = self.client.post(path, params=query)
        except httpx.TransportError as error:
            raise Unsettled(f"{self.client.base_url} does not answer ({type(error).__name__})") from None
        if answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise Unsettled(_said(answer))
        if not answer.is_success and answer.status_code not in tolerated:
            raise self._strange(answer)
        return answer

    def _settled(self, answer: "httpx.Response") -> None:
        if not answer.is_success:
            raise Unsettled(_said(answer))

    def _name_in(self, answer: "httpx.Response") -> str:
        try:
            return str(answer.json()["name"])
        except (ValueError, KeyError, TypeError):
            # Boskos has a friendly 200 for every path that it does not know.
            raise self._strange(answer) from None

    def _strange(self, answer: "httpx.Response") -> Refusal:
        return Refusal(
            f"{self.client.base_url} is the address of Boskos, which answers as its release does",
            f"{NOTHING_LEASED}; it said: {_said(answer)}",
            "correct the address, or look into the log of the lease server",
        )


def through(client: "ApiClient", path: str = server_path()) -> BoskosApi:
    """The server behind the API server of a cluster, with the login of a client of that cluster."""
    import httpx

    configuration = client.configuration
    trust = ssl.create_default_context(cafile=configuration.ssl_ca_cert)
    if configuration.cert_file:
        trust.load_cert_chain(configuration.cert_file, configuration.key_file)

    def log_in(request: httpx.Request) -> httpx.Request:
        # Asked for each time: a token that a program gave runs out, and the client has it given anew.
        if found := configuration.auth_settings().get("BearerToken"):
            request.headers["Authorization"] = found["value"]
        return request

    http = httpx.Client(base_url=f"{configuration.host}{path}", verify=trust, auth=log_in, timeout=SECONDS)
    return BoskosApi(http, ClusterApi(client))


_NONE: frozenset[int] = frozenset({HTTPStatus.NOT_FOUND})
_NOT_OURS: frozenset[int] = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT})


def go_duration(duration: timedelta) -> str:
    """A duration as Go reads it."""
    return f"{int(duration / timedelta(milliseconds=1))}ms"


def _said(answer: "httpx.Response") -> str:
    return f"{answer.status_code} {' '.join(answer.text.split())[:300]}".strip()
