"""The real Boskos for a rehearsed cluster: what a stack declares of it is applied there, and the server runs beside it.

Nothing runs in the pods of a rehearsed cluster, so the server is a program of this machine with the token of its account.
It has no flag for an address: its ports are open on every interface of the machine as long as it runs.
"""

import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from time import monotonic

import httpx
import yaml

from virtci.core.cluster_objects import NAMESPACE
from virtci.core.runners.boskos import CONFIG_FILE, LAUNCHER, NAME, REQUEST_TTL, accounts, configuration, definitions
from virtci.fleet.clouds import kubernetes
from virtci.fleet.cluster_api import ClusterApi
from virtci.fleet.runners.boskos_api import go_duration
from virtci.rehearsal.kubernetes.processes import Options, Running, wait_until
from virtci.rehearsal.kubernetes.server import LOOPBACK, ControlPlane
from virtci.rehearsal.programs import path_of

MANAGER = "rehearsal"
DEADLINE = 60.0
"""Seconds until the server must be ready: far more than it takes on two busy cores."""
TOKEN_SECONDS = 86_400


@dataclass
class Boskos:
    """A running server and how to reach it."""

    plane: ControlPlane
    folder: Path
    pools: Mapping[str, Sequence[str]]
    port: int
    request_ttl: timedelta
    launcher: str
    """Kubeconfig of the launchers' account."""
    _running: Running | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        """The address of its API."""
        return f"http://{LOOPBACK}:{self.port}"

    def start(self) -> None:
        """Starts it, again after a stop as well, and waits until every pool has its slots."""
        options: Options = {
            "config": self.folder / CONFIG_FILE,
            "namespace": NAMESPACE,
            "kubeconfig": self.folder / "kubeconfig",
            "request-ttl": go_duration(self.request_ttl),
            "port": str(self.port),
            # Each takes a port that is free: nobody asks there.
            "health-port": "0",
            "metrics-port": "0",
            "pprof-port": "0",
        }
        name = f"{self.plane.name}-{NAME}"
        self._running = self.plane.kubelets.household.start(name, path_of(NAME), options)
        self.wait()

    def wait(self) -> None:
        """Waits until every pool has its slots; `ProgramError` when that does not come."""
        running = [self._running] if self._running else []
        with httpx.Client(base_url=self.url, trust_env=False) as client:
            wait_until(lambda: self._has_its_slots(client), monotonic() + DEADLINE, *running)

    def kill(self) -> None:
        """Ends it at once, in the middle of whatever it does."""
        if self._running:
            self._running.stop()

    def configure(self, pools: Mapping[str, Sequence[str]]) -> None:
        """Gives it other pools, as a ConfigMap is exchanged: never half of a file."""
        self.pools = pools
        part = self.folder / f"{CONFIG_FILE}.part"
        part.write_text(configuration(pools))
        part.rename(self.folder / CONFIG_FILE)

    def _has_its_slots(self, client: httpx.Client) -> bool:
        try:
            answers = {pool: client.get("/metric", params={"type": pool}) for pool in self.pools}
        except httpx.TransportError:
            return False
        return all(
            answer.is_success and sum(answer.json()["current"].values()) == len(self.pools[pool])
            for pool, answer in answers.items()
        )


@contextmanager
def boskos(
    plane: ControlPlane, pools: Mapping[str, Sequence[str]], request_ttl: timedelta = REQUEST_TTL
) -> Iterator[Boskos]:
    """Starts the server for a cluster and yields it, ready; it ends before the cluster.

    Raises `ProblemsError` for pools that it would not take, `ProgramError` with the end of its log, and `MissingError`.
    """
    _prepare(plane)
    with deployed_boskos(plane, pools, request_ttl) as server:
        yield server


@contextmanager
def deployed_boskos(
    plane: ControlPlane, pools: Mapping[str, Sequence[str]], request_ttl: timedelta = REQUEST_TTL
) -> Iterator[Boskos]:
    """The same in a cluster that has all that the server needs."""
    folder = plane.folder / NAME
    folder.mkdir(mode=0o700, exist_ok=True)
    with ExitStack() as stack:
        port = stack.enter_context(reserved_port())
        (folder / "kubeconfig").write_text(_kubeconfig(plane, NAME))
        server = Boskos(plane, folder, pools, port, request_ttl, _kubeconfig(plane, LAUNCHER))
        server.configure(pools)
        stack.callback(server.kill)
        server.start()
        yield server


@contextmanager
def reserved_port() -> Iterator[int]:
    """A port that nobody else gets while the context lasts, and on which a program that reuses addresses can listen.

    The holder asks for it as its own and agrees to share it afterwards, so that no other holder is given the same.
    """
    with socket.socket() as holder:
        holder.bind(("", 0))
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        yield int(holder.getsockname()[1])


def _prepare(plane: ControlPlane) -> None:
    """Everything that the server needs in the cluster."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    with kubernetes(plane.kubeconfig) as client:
        api = ClusterApi(client)
        for manifest in (namespace, *definitions(), *accounts()):
            api.apply(manifest, MANAGER)
        names = [manifest["metadata"]["name"] for manifest in definitions()]
        api.wait(lambda: all(_is_established(api, name) for name in names), DEADLINE)


def _is_established(api: ClusterApi, name: str) -> bool:
    found = api.get("apiextensions.k8s.io/v1", "CustomResourceDefinition", "", name) or {}
    conditions = found.get("status", {}).get("conditions", ())
    return any(entry["type"] == "Established" and entry["status"] == "True" for entry in conditions)


def _kubeconfig(plane: ControlPlane, account: str) -> str:
    """The administrator's, with a token of an account in the place of the certificate."""
    path = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{account}/token"
    request = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"expirationSeconds": TOKEN_SECONDS},
    }
    with kubernetes(plane.kubeconfig) as client:
        token = ClusterApi(client).request("POST", path, body=request)["status"]["token"]
    content = yaml.safe_load(plane.kubeconfig)
    content["users"] = [{"name": "admin", "user": {"token": token}}]
    return yaml.safe_dump(content, sort_keys=False)
