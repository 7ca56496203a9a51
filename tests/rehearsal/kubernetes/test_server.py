"""The rehearsed clusters behave as Kubernetes does where this project relies on it."""

import json
import socket
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.rehearsal.kubernetes.hands import APPEARED, CAPABLE, DOCUMENTS, Hands
from virtci.rehearsal.kubernetes import server
from virtci.rehearsal.kubernetes.server import Cluster, ControlPlane, ProgramError, clusters
from virtci.rehearsal.programs import path_of

pytestmark = pytest.mark.cluster

Planes = dict[str, ControlPlane]

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      initContainers: [{name: first, image: example.org/first}]
      containers: [{name: web, image: example.org/web}]
"""
DAEMON_SET = """
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec:
      nodeSelector: {pool: plain}
      containers: [{name: agent, image: example.org/agent}]
"""
JOB = """
apiVersion: batch/v1
kind: Job
metadata: {name: once}
spec:
  template:
    spec:
      restartPolicy: Never
      containers: [{name: once, image: example.org/once}]
"""
DEFINITION = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: machines.example.org}
spec:
  group: example.org
  names: {kind: Machine, plural: machines}
  scope: Namespaced
  versions:
    - name: v1
      served: true
      storage: true
      subresources: {status: {}}
      schema:
        openAPIV3Schema:
          type: object
          properties: {status: {type: object, properties: {phase: {type: string}}}}
"""
MACHINE = "{apiVersion: example.org/v1, kind: Machine, metadata: {name: late}}"


def probe_pod(node: str, name: str = "") -> str:
    """A pod that asks a node what it is."""
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name or node, "labels": {"virt-ci/probe": "true"}},
            "spec": {
                "nodeName": node,
                "restartPolicy": "Never",
                "containers": [{"name": "probe", "image": "example.org/probe"}],
            },
        }
    )


def config_map(value: str, **more: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"key": value}, **more}


@pytest.fixture(scope="session")
def asking(planes: Planes) -> Hands:
    """The namespace of the probes."""
    hands = Hands(planes["one"], "virt-ci")
    hands.kubectl("create", "namespace", "virt-ci")
    hands.wait("serviceaccount/default", "create")
    return hands


def test_an_unknown_field_is_refused_when_validation_is_strict(hands: Hands) -> None:
    path = f"/api/v1/namespaces/{hands.namespace}/configmaps"

    with hands.plane.client() as client:
        answer = client.post(path, params={"fieldValidation": "Strict"}, json=config_map("a", dataa={}))

    assert answer.status_code == 400
    assert 'unknown field "dataa"' in answer.json()["message"]


def test_a_field_of_another_manager_is_a_conflict(hands: Hands) -> None:
    def apply(manager: str, value: str) -> httpx.Response:
        return client.patch(
            f"/api/v1/namespaces/{hands.namespace}/configmaps/c",
            params={"fieldManager": manager},
            headers={"Content-Type": "application/apply-patch+yaml"},
            content=json.dumps(config_map(value)),
        )

    with hands.plane.client() as client:
        first, second = apply("first", "a"), apply("second", "b")

    assert first.status_code == 201
    assert second.status_code == 409
    assert 'conflict with "first"' in second.json()["message"]


def test_a_deployment_becomes_available(hands: Hands) -> None:
    hands.apply(DEPLOYMENT)

    hands.wait("deployment/web", "condition=Available")

    assert hands.get("deployment/web", ".status.availableReplicas") == "2"
    assert "silent" not in hands.get("pods", ".items[*].spec.nodeName")


def test_a_daemon_set_has_a_pod_on_each_node_that_it_selects(hands: Hands) -> None:
    hands.apply(DAEMON_SET)

    hands.wait("daemonset/agent", "jsonpath={.status.numberReady}=1")

    assert hands.get("pods", ".items[*].spec.nodeName") == "incapable"


def test_a_job_completes(hands: Hands) -> None:
    hands.apply(JOB)

    hands.wait("job/once", "condition=Complete")

    assert hands.get("pods", ".items[0].status.containerStatuses[0].state.terminated.exitCode") == "0"


def test_a_deleted_deployment_takes_its_pods_with_it(hands: Hands) -> None:
    hands.apply(DEPLOYMENT)
    hands.wait("deployment/web", "condition=Available")

    hands.kubectl("delete", "deployment", "web", "--cascade=foreground", "--timeout=60s")

    assert hands.kubectl("get", "pods", "-o", "name") == ""


def test_nodes_are_as_declared(planes: Planes) -> None:
    with planes["one"].client() as client:
        node = client.get("/api/v1/nodes/capable").json()

    assert node["status"]["nodeInfo"]["kernelVersion"] == CAPABLE.kernel
    assert node["status"]["nodeInfo"]["architecture"] == node["metadata"]["labels"]["kubernetes.io/arch"] == "amd64"
    assert node["status"]["allocatable"]["memory"] == "32094Mi"


def test_clusters_are_separate(planes: Planes, hands: Hands) -> None:
    hands.apply(json.dumps(config_map("a")))

    with planes["other"].client() as client:
        elsewhere = client.get("/api/v1/namespaces").json()["items"]
        nodes = client.get("/api/v1/nodes").json()["items"]

    assert hands.namespace not in {item["metadata"]["name"] for item in elsewhere}
    assert [item["metadata"]["name"] for item in nodes] == ["lonely"]


def test_the_administrator_of_one_cluster_is_nobody_in_another(planes: Planes) -> None:
    mixed = planes["one"].kubeconfig.replace(planes["one"].url, planes["other"].url)
    stranger = Hands(planes["one"], "default")

    with pytest.raises(AssertionError, match="certificate signed by unknown authority"):
        stranger.kubectl("--kubeconfig=/dev/stdin", "get", "nodes", given=mixed)
    with pytest.raises(AssertionError, match="must be logged in"):
        stranger.kubectl(f"--server={planes['other'].url}", "--insecure-skip-tls-verify", "get", "nodes")


def test_nobody_is_anonymous(planes: Planes) -> None:
    answer = httpx.get(f"{planes['one'].url}/readyz", verify=planes["one"].trust())

    assert answer.status_code == 401


def test_a_token_opens_what_the_role_of_its_account_allows(hands: Hands) -> None:
    hands.kubectl("create", "role", "reader", "--verb=get", "--resource=configmaps")
    hands.kubectl("create", "rolebinding", "reader", "--role=reader", f"--serviceaccount={hands.namespace}:default")
    headers = {"Authorization": f"Bearer {hands.kubectl('create', 'token', 'default').strip()}"}
    hands.apply(json.dumps(config_map("a")))

    with httpx.Client(base_url=hands.plane.url, verify=hands.plane.trust(), headers=headers) as client:
        allowed = client.get(f"/api/v1/namespaces/{hands.namespace}/configmaps/c")
        refused = client.get(f"/api/v1/namespaces/{hands.namespace}/secrets/c")

    assert (allowed.status_code, refused.status_code) == (200, 403)


def test_a_privileged_pod_is_refused_where_the_namespace_says_so(hands: Hands) -> None:
    hands.kubectl("label", "namespace", hands.namespace, "pod-security.kubernetes.io/enforce=baseline")

    with pytest.raises(AssertionError, match="violates PodSecurity"):
        hands.kubectl("run", "p", "--image=example.org/p", "--privileged")


@pytest.mark.parametrize("node", DOCUMENTS)
def test_a_probe_pod_ends_with_the_document_of_its_node(asking: Hands, node: str) -> None:
    asking.apply(probe_pod(node))

    asking.wait(f"pod/{node}", "jsonpath={.status.phase}=Succeeded")

    assert asking.get(f"pod/{node}", ".status.containerStatuses[0].state.terminated.message") == DOCUMENTS[node]


def test_a_probe_pod_on_a_node_without_a_document_runs_on(asking: Hands) -> None:
    asking.apply(probe_pod("silent"))

    asking.wait("pod/silent", "condition=Ready")

    assert asking.get("pod/silent", ".status.phase") == "Running"


def test_a_node_answers_anew_after_it_was_changed(planes: Planes) -> None:
    plane = planes["other"]
    hands = Hands(plane, "virt-ci")
    hands.kubectl("create", "namespace", "virt-ci")
    hands.wait("serviceaccount/default", "create")

    players = []
    for document in ("first", "second"):
        players.append(plane.kubelets.play({"lonely": document}))
        hands.apply(probe_pod("lonely", document))
        hands.wait(f"pod/{document}", "jsonpath={.status.phase}=Succeeded")

    messages = hands.get("pods", ".items[*].status.containerStatuses[0].state.terminated.message")
    assert messages == "first second"
    assert [player.has_ended() for player in players] == [True, False]


def test_a_stage_of_a_kind_that_comes_later_is_played(hands: Hands) -> None:
    hands.apply(DEFINITION)
    hands.wait("crd/machines.example.org", "condition=Established")
    hands.apply(MACHINE)

    hands.wait("machine/late", "jsonpath={.status.phase}=Appeared")


def test_a_cluster_that_does_not_start_says_so_and_leaves_nothing_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        server, "path_of", lambda name: Path("/bin/false") if name == "kube-apiserver" else path_of(name)
    )

    with pytest.raises(ProgramError, match="bad-apiserver ended with code 1"), clusters([Cluster("bad")], tmp_path):
        pass

    with socket.socket(socket.AF_UNIX) as store, pytest.raises(ConnectionRefusedError):
        store.connect(str(tmp_path / "clients:1"))


def test_a_stage_that_kwok_does_not_take_is_said(tmp_path: Path) -> None:
    wrong = APPEARED.replace("example.org/v1, kind: Machine", "v1, kind: Pod").replace(
        "spec:", "spec:\n  weight: heavy"
    )

    with (
        pytest.raises(ProgramError, match=r"(?s)wrong-kwok ended with code 1.*cannot unmarshal string"),
        clusters([Cluster("wrong", (CAPABLE,), stages=wrong)], tmp_path),
    ):
        pass


def test_nothing_but_logs_is_kept(tmp_path: Path) -> None:
    with clusters([Cluster("brief")], tmp_path):
        pass

    assert {path.suffix for path in tmp_path.rglob("*") if path.is_file()} == {".log"}


def test_two_clusters_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="twice: same"), clusters([Cluster("same"), Cluster("same")], tmp_path):
        pass
