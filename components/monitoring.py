"""What is measured in a cluster with KubeVirt, and the Prometheus that measures it."""

from functools import partial
from typing import Any, NotRequired, TypedDict

import pulumi

from components import cluster_server
from components.base import Component
from components.cluster_object import ClusterObject
from virtci.core.cluster_choice import Choice
from virtci.core.cluster_objects import NAMESPACE, PROMETHEUS, PROMETHEUS_FILE, PROMETHEUS_PORT
from virtci.core.environments import ROWS, Environment
from virtci.monitoring.dashboard import dashboard
from virtci.monitoring.rules import rules
from virtci.monitoring.scrape import NAMESPACE as SCRAPED
from virtci.monitoring.scrape import scrape_config

NAME, PORT = PROMETHEUS, PROMETHEUS_PORT
CONFIGURATION = "/etc/prometheus"
DATA = "/prometheus"
RETENTION = "7d"
LARGEST = "4GB"
RBAC = "rbac.authorization.k8s.io"
LABELS = cluster_server.labels(NAME)


class MonitoringArgs(TypedDict):
    """Arguments of `Monitoring`."""

    environment: Environment
    """Must not be an Output."""
    choice: pulumi.Output[Choice]
    """What the cluster gets; rules on L1VH are made for its gate alone."""
    image: NotRequired[str | None]
    """Prometheus 3 by digest. Default: rules and dashboard only. Must not be an Output."""


class Monitoring(Component):
    """Scrape configuration, rules and dashboard for KubeVirt and, where an image is given, a Prometheus for them.

    Resources: a `ConfigMap` with configuration and rules, and one with the dashboard; with an image a `ServiceAccount`
    that may look for pods in the namespace of KubeVirt and nowhere else (`Role`, `RoleBinding`), a `Deployment` and its
    `Service`.

    Refuses: root, a writable root file system, capabilities, a port outside the cluster. What is measured lives as long
    as the pod: a benchmark takes its figures at the end of its own run. Another gate means other rules, which Prometheus
    takes up by itself; its pod stays.
    """

    TYPE = "virt-ci:cluster:Monitoring"
    ARGUMENTS = MonitoringArgs

    def __init__(self, name: str, args: MonitoringArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)
        environment, choice = args["environment"], args["choice"]
        texts = choice.apply(partial(configuration, environment))
        settings = self._declare("configuration", config_map(NAME, texts))
        self._declare("dashboard", config_map("dashboard", {"l1vh.json": dashboard()}, {"grafana_dashboard": "1"}))
        if image := args.get("image"):
            rights = [self._declare(item["kind"].lower(), item) for item in account()]
            server = self._declare(NAME, deployment(image), [settings, *rights])
            self._declare("service", service(), [server])
        self.register_outputs({})

    def _declare(
        self, suffix: str, manifest: dict[str, Any], after: list[ClusterObject] | None = None
    ) -> ClusterObject:
        return ClusterObject(self.child_name(suffix), manifest, self.options(depends_on=after))


def configuration(environment: Environment, choice: Choice) -> dict[str, str]:
    """The files of Prometheus by name."""
    hypervisor = choice.hypervisor or ROWS[environment].hypervisor
    return {PROMETHEUS_FILE: scrape_config(environment, hypervisor), "rules.yaml": rules(choice.gate)}


def config_map(name: str, data: Any, labels: dict[str, str] | None = None) -> dict[str, Any]:
    """A ConfigMap of ours."""
    metadata = {"name": name, "namespace": NAMESPACE, "labels": {**LABELS, **(labels or {})}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def account() -> list[dict[str, Any]]:
    """The account of Prometheus: it looks for pods where KubeVirt runs."""
    there = {"name": f"virt-ci-{NAME}", "namespace": SCRAPED}
    return [
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": NAME, "namespace": NAMESPACE},
            "automountServiceAccountToken": False,
        },
        {
            "apiVersion": f"{RBAC}/v1",
            "kind": "Role",
            "metadata": there,
            "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}],
        },
        {
            "apiVersion": f"{RBAC}/v1",
            "kind": "RoleBinding",
            "metadata": there,
            "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": there["name"]},
            "subjects": [{"kind": "ServiceAccount", "name": NAME, "namespace": NAMESPACE}],
        },
    ]


def deployment(image: str) -> dict[str, Any]:
    """Prometheus."""
    server = cluster_server.container(
        NAME,
        image,
        [
            f"--config.file={CONFIGURATION}/{PROMETHEUS_FILE}",
            f"--storage.tsdb.path={DATA}",
            f"--storage.tsdb.retention.time={RETENTION}",
            f"--storage.tsdb.retention.size={LARGEST}",
            "--enable-feature=auto-reload-config",
        ],
        ports=[{"name": "web", "containerPort": PORT, "protocol": "TCP"}],
        readinessProbe={"httpGet": {"path": "/-/ready", "port": "web"}},
        livenessProbe={"httpGet": {"path": "/-/healthy", "port": "web"}},
        resources={"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"cpu": "1", "memory": "1Gi"}},
        volumeMounts=[
            {"name": "configuration", "mountPath": CONFIGURATION, "readOnly": True},
            {"name": "data", "mountPath": DATA},
        ],
    )
    volumes = [
        {"name": "configuration", "configMap": {"name": NAME}},
        {"name": "data", "emptyDir": {"sizeLimit": "6Gi"}},
    ]
    return cluster_server.deployment(NAME, cluster_server.pod(NAME, [server], volumes, token=True))


def service() -> dict[str, Any]:
    """The address of Prometheus inside the cluster; from outside it is reached through the API server."""
    return cluster_server.service(NAME, "web", PORT)
