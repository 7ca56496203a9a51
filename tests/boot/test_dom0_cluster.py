"""A dom0 machine whose cluster is a real Kubernetes: what it publishes opens it, and stops to when it is rotated."""

import base64
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.boot.machines import Machine, machine
from tests.rehearsal.boot.cloud import Cloud
from virtci.rehearsal.boot.sandbox import RealCluster, unavailable
from virtci.rehearsal.kubernetes.server import Cluster, ControlPlane, clusters
from virtci.rehearsal.programs import path_of

pytestmark = pytest.mark.cluster
OBJECTS = "/api/v1/namespaces/virt-ci"


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    if unavailable():
        pytest.skip(unavailable())
    with clusters([Cluster("dev")], tmp_path_factory.mktemp("cluster")) as planes:
        yield planes["dev"]


@pytest.fixture(scope="module")
def booted(plane: ControlPlane) -> Iterator[Machine]:
    with machine(Cloud(), cluster=RealCluster(plane.kubeconfig, path_of("kubectl"))) as found:
        assert found.is_ready(), found.result.log
        yield found


def token(booted: Machine) -> str:
    return str(booted.published["users"][0]["user"]["token"])


def answer(plane: ControlPlane, bearer: str, path: str) -> int:
    with httpx.Client(base_url=plane.url, verify=plane.trust()) as client:
        return client.get(path, headers={"Authorization": f"Bearer {bearer}"}).status_code


def wait_until(holds: Callable[[], bool], seconds: float = 20.0) -> None:
    """The API server learns of a deletion by watching."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_published_kubeconfig_opens_the_cluster(plane: ControlPlane, booted: Machine) -> None:
    cluster = booted.published["clusters"][0]["cluster"]
    assert base64.b64decode(cluster["certificate-authority-data"]).decode().strip() == plane.ca.strip()
    assert answer(plane, token(booted), "/api/v1/nodes") == 200
    assert answer(plane, "nobody", "/api/v1/nodes") == 401


def test_probe_is_an_object_of_the_cluster(plane: ControlPlane, booted: Machine) -> None:
    with plane.client() as client:
        data = client.get(f"{OBJECTS}/configmaps/boot-probe").json()["data"]
    assert data == {"probe.json": booted.box.read("/var/lib/virt-ci/probe.json")}


@pytest.mark.usefixtures("booted")
def test_deployer_gives_no_token_to_pods(plane: ControlPlane) -> None:
    with plane.client() as client:
        assert client.get(f"{OBJECTS}/serviceaccounts/deployer").json()["automountServiceAccountToken"] is False


def test_second_boot_meets_its_own_objects(booted: Machine) -> None:
    booted.box.advance(60)
    again = booted.box.reboot()
    assert again.exit_code == 0, again.log
    assert booted.is_ready()


def test_rotation_revokes_the_old_token_after_the_grace(plane: ControlPlane, booted: Machine) -> None:
    old = token(booted)
    request = {"metadata": {"name": "rotation"}, "data": {"requestedAt": "2026-01-31T12:00:00Z"}}
    with plane.client() as client:
        assert client.post(f"{OBJECTS}/configmaps", json=request).status_code == 201
    booted.box.advance(60)
    handled = booted.box.start("virt-ci-rotation.service")
    assert handled.exit_code == 0, handled.log
    assert token(booted) != old
    assert answer(plane, old, "/api/v1/nodes") == answer(plane, token(booted), "/api/v1/nodes") == 200
    booted.box.advance(600)
    assert booted.box.start("virt-ci-rotation.service").exit_code == 0
    wait_until(lambda: answer(plane, old, "/api/v1/nodes") == 401)
    assert answer(plane, token(booted), "/api/v1/nodes") == 200
    with plane.client() as client:
        data = client.get(f"{OBJECTS}/configmaps/rotation").json()["data"]
    assert data == {"requestedAt": "2026-01-31T12:00:00Z", "handledAt": "2026-01-31T12:00:00Z"}


def test_no_token_is_in_a_log_a_file_or_a_command_line(booted: Machine) -> None:
    lines = [" ".join(command) for command in booted.box.commands]
    texts = [booted.result.log, *lines, *(text(path) for path in booted.box.written())]
    assert len(booted.secrets) > 2
    assert not [found[:80] for found in texts for secret in booted.secrets if secret in found]


def text(path: Path) -> str:
    return path.read_bytes().decode(errors="replace")


def test_real_kubeconfig_of_the_machine_is_for_root_only(booted: Machine) -> None:
    assert booted.box.mode("/etc/rancher/k3s/k3s.yaml") == "0600"
    assert json.loads(booted.box.read("/var/lib/virt-ci/ready"))["version"] == 1
