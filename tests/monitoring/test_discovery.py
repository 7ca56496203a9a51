"""Which pods of a real Kubernetes a Prometheus with the project's configuration finds."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.real_programs import run
from virtci.core.environments import Environment
from virtci.core.hypervisors import Hypervisor
from virtci.monitoring.scrape import JOB, scrape_config
from virtci.rehearsal.kubernetes.server import Cluster, ControlPlane, Node, clusters

pytestmark = [pytest.mark.cluster, pytest.mark.program("promtool")]

MARKED = {"prometheus.kubevirt.io": "true", "kubevirt.io": "virt-handler"}


def pod(name: str, labels: dict[str, str], ports: list[str]) -> dict[str, Any]:
    container = {
        "name": "main",
        "image": "registry.example/none",
        "ports": [{"name": port, "containerPort": 8443 + number} for number, port in enumerate(ports)],
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": labels},
        "spec": {"nodeName": "n1", "containers": [container], "automountServiceAccountToken": False},
    }


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    folder = tmp_path_factory.mktemp("cluster")
    nodes = (Node("n1", kernel="6.6.135.mshv2-1.azl3", memory_mib=32094, cpus=8),)
    with clusters([Cluster("dev", nodes)], folder) as found:
        with found["dev"].client() as client:
            fill(client)
        wait = ["wait", "--for=condition=Ready", "pods", "--all", "--all-namespaces", "--timeout=60s"]
        ready = run("kubectl", f"--kubeconfig={found['dev'].kubeconfig_file}", *wait)
        assert ready.returncode == 0, ready.stderr
        yield found["dev"]


def fill(client: httpx.Client) -> None:
    """Pods to be found, and pods to be left alone."""
    created(client, "/api/v1/namespaces", {"metadata": {"name": "kubevirt"}})
    pods = [
        ("kubevirt", pod("virt-handler-a", MARKED, ["metrics"])),
        ("kubevirt", pod("virt-api-a", {**MARKED, "kubevirt.io": "virt-api"}, ["webhook", "metrics"])),
        ("kubevirt", pod("unmarked", {"kubevirt.io": "virt-launcher"}, ["metrics"])),
        ("default", pod("elsewhere", MARKED, ["metrics"])),
    ]
    for namespace, body in pods:
        created(client, f"/api/v1/namespaces/{namespace}/pods", body)


def created(client: httpx.Client, path: str, body: dict[str, Any]) -> None:
    client.post(path, json=body).raise_for_status()


def found_by_prometheus(cluster: ControlPlane, folder: Path) -> list[dict[str, str]]:
    """The labels of the targets that remain after relabelling."""
    content = yaml.safe_load(scrape_config(Environment.DEV, Hypervisor.MSHV))
    content["rule_files"] = []
    (discovery,) = content["scrape_configs"][0]["kubernetes_sd_configs"]
    discovery["kubeconfig_file"] = str(cluster.kubeconfig_file)
    path = folder / "prometheus.yml"
    path.write_text(yaml.safe_dump(content))

    answer = run("promtool", "check", "service-discovery", "--timeout=3s", str(path), JOB)

    assert answer.returncode == 0, answer.stderr
    return [item["labels"] for item in json.loads(answer.stdout) if item["labels"]]


def test_the_ports_for_metrics_of_kubevirts_own_pods_are_found(cluster: ControlPlane, tmp_path: Path) -> None:
    targets = found_by_prometheus(cluster, tmp_path)

    assert sorted((item["component"], item["pod"], item["node"]) for item in targets) == [
        ("virt-api", "virt-api-a", "n1"),
        ("virt-handler", "virt-handler-a", "n1"),
    ]
    assert {item["__scheme__"] for item in targets} == {"https"}
    assert {item["job"] for item in targets} == {JOB}
