"""The lease server of many launchers, in the cluster that is there."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, TypedDict

import pulumi

from components import cluster_server
from components.base import Component
from components.cluster_object import OWN_NAMESPACE, ClusterObject, ClusterPatch
from virtci.core.cluster_objects import NAMESPACE
from virtci.core.runners.boskos import (
    CONFIG_FILE,
    NAME,
    PORT_NAME,
    REQUEST_TTL,
    accounts,
    configuration,
    definitions,
)
from virtci.core.runners.boskos_records import State

PORT, HEALTH_PORT, METRICS_PORT = 8080, 8081, 9090
FOLDER = "/etc/boskos"
ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
TOKEN_SECONDS = 3607
"""What the kubelet asks for when it mounts a token by itself; it exchanges the token long before."""
RESOURCES = {"requests": {"cpu": "20m", "memory": "64Mi"}, "limits": {"cpu": "500m", "memory": "256Mi"}}


class BoskosArgs(TypedDict):
    """Arguments of `Boskos`. None of these may be an Output."""

    image: str
    """The server, by digest."""
    reaper_image: str
    """The reaper of the same release, by digest."""
    pools: Mapping[str, Sequence[str]]
    """The names of the slots of each pool."""
    expiry: timedelta
    """How long a lease lives without a sign of life; longer than the launchers' pause between two."""


class Boskos(Component):
    """A lease server for launchers that share quota: Boskos, with the reaper that takes back what nobody renews.

    Resources: the two `CustomResourceDefinition`s of its records; a `ConfigMap` with the pools; a `ServiceAccount`, a
    `Role` and a `RoleBinding` for the server, and the same for launchers, who read records and reach the service through
    the API server; a `Deployment` of one pod with server and reaper, and its `Service` inside the cluster. Their namespace
    is patched and stays.

    Refuses: a pool without slots and a slot in two pools; root, a writable root file system, capabilities, a port outside
    the cluster, a token for the reaper. One replica: each server has a queue of its own. Pools that change are taken up
    while it runs, and a slot that is leased goes only when it was given back.
    """

    TYPE = "virt-ci:cluster:Boskos"
    ARGUMENTS = BoskosArgs

    def __init__(self, name: str, args: BoskosArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)
        namespace = ClusterPatch(self.child_name("namespace"), OWN_NAMESPACE, self.options())
        parts = (*definitions(), *accounts(), config_map(args["pools"]))
        needed = [self._declare(item, [namespace]) for item in parts]
        server = self._declare(deployment(args["image"], args["reaper_image"], args["expiry"]), needed)
        self._declare(service(), [server])
        self.register_outputs({})

    def _declare(self, manifest: dict[str, Any], after: Sequence[pulumi.Resource]) -> ClusterObject:
        suffix = f"{manifest['kind'].lower()}-{manifest['metadata']['name']}"
        return ClusterObject(self.child_name(suffix), manifest, self.options(depends_on=list(after)))


def config_map(pools: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """The configuration, which the server and the reaper read again when it changes."""
    data = {CONFIG_FILE: configuration(pools)}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": cluster_server.metadata(NAME), "data": data}


def deployment(image: str, reaper_image: str, expiry: timedelta) -> dict[str, Any]:
    """One pod with the server and the reaper."""
    configured = {"name": "configuration", "mountPath": FOLDER, "readOnly": True}
    account = {"name": "account", "mountPath": ACCOUNT, "readOnly": True}
    ports = (PORT_NAME, PORT), ("health", HEALTH_PORT), ("metrics", METRICS_PORT)
    server = cluster_server.container(
        NAME,
        image,
        server_arguments(),
        ports=[{"name": name, "containerPort": port, "protocol": "TCP"} for name, port in ports],
        readinessProbe={"httpGet": {"path": "/healthz/ready", "port": "health"}},
        livenessProbe={"httpGet": {"path": "/healthz", "port": "health"}},
        resources=RESOURCES,
        volumeMounts=[configured, account],
    )
    reaper = cluster_server.container(
        "reaper",
        reaper_image,
        reaper_arguments(expiry),
        # It has no port: what can be asked is whether the server that it works with answers.
        readinessProbe={"httpGet": {"path": "/", "port": PORT}},
        livenessProbe={"httpGet": {"path": "/", "port": PORT}},
        resources=RESOURCES,
        volumeMounts=[configured],
    )
    volumes = [
        {"name": "configuration", "configMap": {"name": NAME}},
        {"name": "account", "projected": {"sources": _account()}},
    ]
    # The token is mounted by hand, for the server alone.
    return cluster_server.deployment(NAME, cluster_server.pod(NAME, [server, reaper], volumes, token=False))


def server_arguments() -> list[str]:
    """The flags of the server."""
    return [
        f"--config={FOLDER}/{CONFIG_FILE}",
        f"--namespace={NAMESPACE}",
        f"--request-ttl={REQUEST_TTL.seconds}s",
        f"--port={PORT}",
        f"--health-port={HEALTH_PORT}",
        f"--metrics-port={METRICS_PORT}",
    ]


def reaper_arguments(expiry: timedelta) -> list[str]:
    """The flags of the reaper, which looks once a minute."""
    return [
        f"--boskos-url=http://localhost:{PORT}",
        f"--resource-type-from-config={FOLDER}/{CONFIG_FILE}",
        f"--expire={int(expiry.total_seconds())}s",
        f"--target-state={State.FREE}",
    ]


def _account() -> list[dict[str, Any]]:
    """What a mounted service account consists of (Kubernetes 1.34, "Managing Service Accounts")."""
    namespace = {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}
    return [
        {"serviceAccountToken": {"path": "token", "expirationSeconds": TOKEN_SECONDS}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [namespace]}},
    ]


def service() -> dict[str, Any]:
    """The address inside the cluster, which launchers from outside reach through the API server."""
    return cluster_server.service(NAME, PORT_NAME, 80)
