"""Measuring nodes: every schedulable one, by a pod that is gone afterwards, into a record that the program reads."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from virtci.core.environments import Environment
from virtci.core.hypervisors import Hypervisor
from virtci.core.problems import Refusal
from virtci.core.readiness import judge, parse_record
from virtci.fleet.clouds import kubernetes
from virtci.fleet.cluster_api import ClusterApi
from virtci.fleet.readiness import LABELS, Node, measure, probe_pod, schedulable
from virtci.rehearsal.kubernetes import nodes as rehearsed
from virtci.rehearsal.kubernetes.scenario import CPUS, KERNELS, MEMORY_MIB, probe_document
from virtci.rehearsal.kubernetes.server import Cluster, ControlPlane, clusters

IMAGE = f"registry.example/probe@sha256:{'1' * 64}"
MSHV, EMULATION = Hypervisor.MSHV, Hypervisor.EMULATION
TAINT = {"key": "CriticalAddonsOnly", "value": "true", "effect": "NoSchedule"}
STUCK = """
apiVersion: kwok.x-k8s.io/v1alpha1
kind: Stage
metadata: {name: image-is-not-there}
spec:
  resourceRef: {apiGroup: v1, kind: Pod}
  weight: 1
  selector:
    matchExpressions:
      - {key: .spec.nodeName, operator: In, values: [stuck]}
      - {key: .metadata.deletionTimestamp, operator: DoesNotExist}
  next:
    statusTemplate: |
      phase: Pending
      containerStatuses:
      - name: probe
        image: ""
        imageID: ""
        ready: false
        restartCount: 0
        state: {waiting: {reason: ErrImagePull, message: manifest unknown}}
"""


def node(name: str, found: Hypervisor = MSHV, **more: Any) -> rehearsed.Node:
    """A node of a rehearsed cluster."""
    return rehearsed.Node(name, KERNELS[found], MEMORY_MIB, CPUS, **more)


@pytest.fixture(scope="module")
def planes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, ControlPlane]]:
    """A cluster of which one node is capable, one is not, and others take no virtual machine; one without an answer."""
    mixed = (node("capable"), node("incapable", EMULATION), node("cordoned", unschedulable=True), node("tainted"))
    answers = {
        "capable": probe_document(mixed[0], MSHV, MSHV),
        "incapable": probe_document(mixed[1], EMULATION, MSHV),
    }
    wanted = [
        Cluster("mixed", mixed, answers),
        Cluster("odd", (node("mute"), node("mad"), node("stuck")), {"mad": "no JSON"}, STUCK),
        Cluster("empty"),
    ]
    with clusters(wanted, tmp_path_factory.mktemp("measured")) as found:
        with connected(found["mixed"]) as api:
            path = api.path("v1", "Node", "", "tainted")
            api.request("PATCH", path, body={"spec": {"taints": [TAINT]}}, content_type="application/merge-patch+json")
        yield found


@contextmanager
def connected(plane: ControlPlane) -> Iterator[ClusterApi]:
    """The API of a cluster."""
    with kubernetes(plane.kubeconfig) as client:
        yield ClusterApi(client)


def measured(plane: ControlPlane, seconds: float = 60.0) -> dict[str, Any]:
    """The record of a cluster."""
    with kubernetes(plane.kubeconfig) as client:
        return measure(client, Environment.DEV, IMAGE, seconds=seconds)


@pytest.mark.cluster
def test_every_schedulable_node_is_measured_and_no_other(planes: dict[str, ControlPlane]) -> None:
    record = measured(planes["mixed"])

    assert [entry["node"] for entry in record["nodes"]] == ["capable", "incapable"]
    assert [entry["error"] for entry in record["nodes"]] == ["", ""]


@pytest.mark.cluster
def test_the_record_is_in_the_cluster_for_the_program(planes: dict[str, ControlPlane]) -> None:
    record = measured(planes["mixed"])

    with connected(planes["mixed"]) as api:
        kept = api.get("v1", "ConfigMap", "virt-ci", "readiness")
    assert kept is not None
    assert json.loads(kept["data"]["record.json"]) == record


@pytest.mark.cluster
def test_a_cluster_of_which_one_node_is_capable_is_not_ready_and_the_other_is_named(
    planes: dict[str, ControlPlane],
) -> None:
    readiness = judge(parse_record(json.dumps(measured(planes["mixed"]))), MSHV)

    assert not readiness.ready
    assert list(readiness.incapable) == ["incapable"]


@pytest.mark.cluster
def test_no_pod_is_left_also_of_a_measurement_that_was_cut_short(planes: dict[str, ControlPlane]) -> None:
    with connected(planes["mixed"]) as api:
        measured(planes["mixed"])
        left = probe_pod(schedulable(api)[0], MSHV, IMAGE)
        api.create(left, "somebody")
        measured(planes["mixed"])

        assert api.items("v1", "Pod", "virt-ci") == []


@pytest.mark.cluster
def test_a_node_that_does_not_answer_or_talks_nonsense_has_the_reason_in_the_record(
    planes: dict[str, ControlPlane],
) -> None:
    errors = {entry["node"]: entry["error"] for entry in measured(planes["odd"], seconds=1.0)["nodes"]}

    assert "the probe did not finish: Running" in errors["mute"]
    assert "JSON" in errors["mad"]
    assert errors["stuck"] == "the probe did not finish: ErrImagePull manifest unknown"


@pytest.mark.cluster
def test_a_cluster_without_a_schedulable_node_is_refused(planes: dict[str, ControlPlane]) -> None:
    with pytest.raises(Refusal, match="schedulable node"):
        measured(planes["empty"])


@pytest.mark.cluster
def test_a_cluster_that_does_not_take_the_credential_is_refused_with_the_fix(planes: dict[str, ControlPlane]) -> None:
    content = yaml.safe_load(planes["mixed"].kubeconfig)
    content["users"][0]["user"] = {"token": "ran-out"}

    with kubernetes(yaml.safe_dump(content)) as client, pytest.raises(Refusal) as refusal:
        measure(client, Environment.DEV, IMAGE)

    assert "virtci rotate kubeconfig dev" in refusal.value.fix
    assert "ran-out" not in refusal.value.rule


def test_a_cluster_that_does_not_answer_is_refused() -> None:
    content = {
        "clusters": [{"name": "gone", "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [{"name": "gone", "user": {"token": "x"}}],
        "contexts": [{"name": "gone", "context": {"cluster": "gone", "user": "gone"}}],
        "current-context": "gone",
    }

    with kubernetes(yaml.safe_dump(content)) as client, pytest.raises(Refusal) as refusal:
        measure(client, Environment.DEV, IMAGE)

    assert "127.0.0.1:1 does not answer" in refusal.value.rule
    assert "virtci wake dev" in refusal.value.fix


def test_the_pod_has_no_token_no_network_of_its_node_and_a_deadline() -> None:
    pod = probe_pod(Node("n", "uid"), MSHV, IMAGE)
    spec = pod["spec"]

    assert pod["metadata"]["labels"] == LABELS
    assert spec["nodeName"] == "n"
    assert spec["automountServiceAccountToken"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()
    assert spec["activeDeadlineSeconds"] > 0
    assert spec["containers"][0]["volumeMounts"] == [{"name": "dev", "mountPath": "/host/dev", "readOnly": True}]


def test_the_command_of_the_pod_really_writes_the_document_for_its_node(tmp_path: Path) -> None:
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / "mshv").touch()
    message = tmp_path / "message"
    container = probe_pod(Node("the-node", "uid"), MSHV, IMAGE)["spec"]["containers"][0]
    command = [word.replace("/dev/termination-log", str(message)) for word in container["command"]]
    environment = {entry["name"]: entry["value"] for entry in container["env"]} | {"PROBE_ROOT": str(tmp_path)}

    subprocess.run(command, env={"PATH": os.environ["PATH"], **environment}, check=True)

    document = json.loads(message.read_text())
    assert (document["host"], document["hypervisor"], document["declared"]) == ("the-node", "mshv", "mshv")
    assert len(message.read_bytes()) <= 4096
