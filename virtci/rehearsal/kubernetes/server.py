"""Real Kubernetes clusters on this machine.

One etcd for all; for each cluster an API server, a controller manager, a scheduler and, in the place of kubelets, kwok:
nodes are objects without a machine, their pods get states, and those of a probe the document of their node.

All of it listens on loopback or on a socket in the given folder, and ends with the context, also when this process is
killed. Only logs are kept. Needs the programs `virtci.rehearsal.programs.CLUSTER`; `MissingError` when one is not here.
"""

import base64
import os
import shutil
import socket
import ssl
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import yaml

from virtci.rehearsal.kubernetes.certificates import Authority, Pair, signing_key
from virtci.rehearsal.kubernetes.kubelets import Kubelets
from virtci.rehearsal.kubernetes.nodes import Node
from virtci.rehearsal.kubernetes.processes import Household, Options, ProgramError, wait_until
from virtci.rehearsal.programs import path_of

__all__ = ["Cluster", "ControlPlane", "Node", "ProgramError", "clusters"]

LOOPBACK = "127.0.0.1"
SERVICES = "10.43.0.0/16"
"""The range of k3s."""
SERVER_NAMES = ("kubernetes", "kubernetes.default", "kubernetes.default.svc", "localhost")
ISSUER = "https://kubernetes.default.svc.cluster.local"
STORE = "unix://clients:1"
"""A socket in the folder; etcd wants something like a port in its name."""
DATA = "etcd"
STORE_PEERS = "unix://peers:1"
NOT_READY = "node.kubernetes.io/not-ready"
DEADLINE = 120.0
"""Seconds until all clusters must be ready: far more than they take on two busy cores."""
REQUEST_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster that is wanted.

    `probes` has the probe document of each node by its name; a probe pod on a node without one runs for ever.
    `stages` is a text with further stages of kwok, for any kind, also for one that does not exist yet.
    """

    name: str
    nodes: tuple[Node, ...] = ()
    probes: Mapping[str, str] = field(default_factory=dict)
    stages: str = ""


@dataclass(frozen=True)
class ControlPlane:
    """A cluster. `ca` is PEM; `kubeconfig` is the text of the administrator's, with `name` as its only context."""

    name: str
    url: str
    ca: str
    kubeconfig: str
    folder: Path
    kubelets: Kubelets
    """`kubelets.play(probes, stages)` changes what nodes and pods do from now on."""

    @property
    def kubeconfig_file(self) -> Path:
        """The same as a file, for programs."""
        return self.folder / "kubeconfig"

    def client(self) -> httpx.Client:
        """A client with the administrator's certificate, to be closed after use."""
        return _client(self.url, self.ca, self.folder)

    def trust(self) -> ssl.SSLContext:
        """Trusts the server and shows it nothing, for those who bring a token."""
        return ssl.create_default_context(cadata=self.ca)


@contextmanager
def clusters(wanted: Sequence[Cluster], folder: Path) -> Iterator[dict[str, ControlPlane]]:
    """Starts clusters at the same time and yields them, ready and with ready nodes, by name.

    `folder` takes logs, certificates and data; `ProgramError` shows the end of a log there.
    """
    repeated = [name for name, count in Counter(cluster.name for cluster in wanted).items() if count > 1]
    if repeated:
        raise ValueError(f"each cluster needs a name of its own; twice: {', '.join(repeated)}")
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    _clear(folder, wanted)
    deadline = time.monotonic() + DEADLINE
    with ExitStack() as stack:
        # What is entered last ends first: the household before the pool, so that nobody waits for a program that will not come.
        stack.callback(_clear, folder, wanted)
        pool = stack.enter_context(ThreadPoolExecutor(max_workers=max(1, len(wanted))))
        environment = {"HOME": str(folder), "PATH": os.environ.get("PATH", os.defpath)}
        household = stack.enter_context(Household(folder, environment))
        _start_store(household, folder, deadline)
        planes = [_prepare(cluster, household, stack) for cluster in wanted]
        starts = [pool.submit(_start, cluster, plane, deadline) for cluster, plane in zip(wanted, planes, strict=True)]
        for start in starts:
            start.result()
        yield {plane.name: plane for plane in planes}


def _clear(folder: Path, wanted: Sequence[Cluster]) -> None:
    """Keys and data; logs stay."""
    for name in (DATA, *(cluster.name for cluster in wanted)):
        shutil.rmtree(folder / name, ignore_errors=True)


def _start_store(household: Household, folder: Path, deadline: float) -> None:
    _socket(folder).unlink(missing_ok=True)
    options: Options = {
        "name": "store",
        "data-dir": folder / DATA,
        "listen-client-urls": STORE,
        "advertise-client-urls": STORE,
        "listen-peer-urls": STORE_PEERS,
        "initial-advertise-peer-urls": STORE_PEERS,
        "initial-cluster": f"store={STORE_PEERS}",
        "unsafe-no-fsync": "true",
        "log-level": "warn",
    }
    running = household.start("etcd", path_of("etcd"), options)
    wait_until(_socket(folder).exists, deadline, running)


def _socket(folder: Path) -> Path:
    return folder / STORE.removeprefix("unix://")


def _prepare(cluster: Cluster, household: Household, stack: ExitStack) -> ControlPlane:
    """Everything about a cluster that needs no program."""
    name, addresses = cluster.name, [node.address for node in cluster.nodes if node.address]
    folder = household.folder / name
    folder.mkdir(mode=0o700)
    authority = Authority.new(name)
    admin = authority.client("admin", "system:masters")
    _write(folder, "admin", admin)
    _write(folder, "server", authority.server(SERVER_NAMES, LOOPBACK, *addresses))
    (folder / "ca.crt").write_text(authority.pem)
    (folder / "tokens.key").write_text(signing_key())
    url = f"https://{LOOPBACK}:{_reserved_port(stack)}"
    text = _kubeconfig(name, url, authority.pem, admin)
    (folder / "kubeconfig").write_text(text)
    kubelets = Kubelets(
        household,
        folder,
        folder / "kubeconfig",
        partial(_client, url, authority.pem, folder),
    )
    stack.callback(kubelets.rest)
    return ControlPlane(name, url, authority.pem, text, folder, kubelets)


def _reserved_port(stack: ExitStack) -> int:
    """A port that nobody else gets while the context lasts; the API server shares it (`--permit-port-sharing`)."""
    holder = stack.enter_context(socket.socket())
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    holder.bind((LOOPBACK, 0))
    return int(holder.getsockname()[1])


def _start(cluster: Cluster, plane: ControlPlane, deadline: float) -> None:
    household = plane.kubelets.household
    server = household.start(f"{plane.name}-apiserver", path_of("kube-apiserver"), _server_options(plane))
    with plane.client() as client:
        wait_until(lambda: _answers(client), deadline, server)
        manager = household.start(
            f"{plane.name}-controller-manager", path_of("kube-controller-manager"), _manager_options(plane)
        )
        household.start(f"{plane.name}-scheduler", path_of("kube-scheduler"), _scheduler_options(plane))
        kubelets = plane.kubelets.play(cluster.probes, cluster.stages)
        for node in cluster.nodes:
            client.post("/api/v1/nodes", json=node.manifest()).raise_for_status()
        wait_until(lambda: _is_settled(client, len(cluster.nodes)), deadline, manager, kubelets)


def _answers(client: httpx.Client) -> bool:
    try:
        return client.get("/readyz").is_success
    except httpx.TransportError:
        return False


def _is_settled(client: httpx.Client, nodes: int) -> bool:
    """Whether pods can be made and are bound: the account of the namespace is there, and no node is tainted any more."""
    if not client.get("/api/v1/namespaces/default/serviceaccounts/default").is_success:
        return False
    found = client.get("/api/v1/nodes").raise_for_status().json()["items"]
    return sum(_is_ready(node) for node in found) == nodes


def _is_ready(node: dict[str, Any]) -> bool:
    taints = {taint["key"] for taint in node["spec"].get("taints", [])}
    conditions = {entry["type"]: entry["status"] for entry in node["status"].get("conditions", [])}
    return conditions.get("Ready") == "True" and NOT_READY not in taints


def _server_options(plane: ControlPlane) -> Options:
    keys = plane.folder / "tokens.key"
    return {
        "etcd-servers": STORE,
        "etcd-prefix": f"/{plane.name}",
        "bind-address": LOOPBACK,
        "secure-port": plane.url.rpartition(":")[2],
        "permit-port-sharing": "true",
        "tls-cert-file": plane.folder / "server.crt",
        "tls-private-key-file": plane.folder / "server.key",
        "client-ca-file": plane.folder / "ca.crt",
        "service-account-issuer": ISSUER,
        "service-account-signing-key-file": keys,
        "service-account-key-file": keys,
        "service-cluster-ip-range": SERVICES,
        "authorization-mode": "Node,RBAC",
        "anonymous-auth": "false",
        "allow-privileged": "true",
        # One server has nobody to share the load with, and nothing connects to its address from within.
        "endpoint-reconciler-type": "none",
        "enable-priority-and-fairness": "false",
        "profiling": "false",
    }


def _manager_options(plane: ControlPlane) -> Options:
    return {
        "kubeconfig": plane.kubeconfig_file,
        "service-account-private-key-file": plane.folder / "tokens.key",
        "root-ca-file": plane.folder / "ca.crt",
        # Its default is a folder of the machine, which it makes.
        "flex-volume-plugin-dir": plane.folder / "volumes",
        # Nodes without a machine send no sign of life.
        "node-monitor-grace-period": "24h",
        "leader-elect": "false",
        "secure-port": "0",
    }


def _scheduler_options(plane: ControlPlane) -> Options:
    return {"kubeconfig": plane.kubeconfig_file, "leader-elect": "false", "secure-port": "0"}


def _client(url: str, ca: str, folder: Path) -> httpx.Client:
    """A client with a context of its own: loading a certificate into one that another thread uses ends the process."""
    context = ssl.create_default_context(cadata=ca)
    context.load_cert_chain(folder / "admin.crt", folder / "admin.key")
    return httpx.Client(base_url=url, verify=context, timeout=REQUEST_SECONDS, trust_env=False)


def _kubeconfig(name: str, url: str, ca: str, admin: Pair) -> str:
    user = {"client-certificate-data": _encoded(admin.certificate), "client-key-data": _encoded(admin.key)}
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": url, "certificate-authority-data": _encoded(ca)}}],
        "users": [{"name": "admin", "user": user}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": "admin"}}],
        "current-context": name,
    }
    return yaml.safe_dump(content, sort_keys=False)


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _write(folder: Path, name: str, pair: Pair) -> None:
    (folder / f"{name}.crt").write_text(pair.certificate)
    (folder / f"{name}.key").write_text(pair.key)
