"""`virtci readiness`: what it says of a cluster, and with which exit code."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from virtci.cli.main import main
from virtci.core.environments import Environment
from virtci.core.hypervisors import Hypervisor
from virtci.fleet import clouds
from virtci.rehearsal.kubernetes.scenario import cluster_of
from virtci.rehearsal.kubernetes.server import ControlPlane, clusters

DEV = Environment.DEV


@pytest.fixture(scope="module")
def planes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, ControlPlane]]:
    """A cluster that is ready, and one of which a node is not."""
    wanted = [
        cluster_of(DEV, "ready"),
        cluster_of(DEV, "partial", (Hypervisor.MSHV, Hypervisor.EMULATION)),
    ]
    with clusters(wanted, tmp_path_factory.mktemp("readiness")) as found:
        yield found


@pytest.fixture(autouse=True)
def rehearsed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The placeholders of the committed stack files are welcome."""
    monkeypatch.setenv(clouds.VARIABLE, "/nonexistent")


def command(plane: ControlPlane, *more: str) -> int:
    """Runs the command on a cluster."""
    return main(["readiness", "dev", "--kubeconfig", str(plane.kubeconfig_file), *more])


@pytest.mark.cluster
def test_a_cluster_that_is_ready_has_a_line_for_each_node(
    planes: dict[str, ControlPlane], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(planes["ready"]) == 0

    shown = capsys.readouterr().out
    assert "dev-node-0" in shown
    assert "ready for mshv: all 1 of 1 schedulable nodes" in shown


@pytest.mark.cluster
def test_a_cluster_with_an_incapable_node_names_it_and_the_fix(
    planes: dict[str, ControlPlane], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(planes["partial"]) == 2

    shown = capsys.readouterr()
    assert "1 of 2 schedulable nodes incapable (dev-node-1: /dev/mshv does not exist)" in " ".join(shown.out.split())
    assert "fix: boot the nodes named" in shown.err


@pytest.mark.cluster
def test_other_tools_get_the_judgement_as_json(
    planes: dict[str, ControlPlane], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(planes["partial"], "--json") == 2

    found = json.loads(capsys.readouterr().out)
    assert found["ready"] is False
    assert found["nodes"] == ["dev-node-0", "dev-node-1"]
    assert found["incapable"] == {"dev-node-1": ["/dev/mshv does not exist"]}
    assert found["hypervisor"] == "mshv"


@pytest.mark.cluster
def test_the_kubeconfig_can_come_from_the_environment(
    planes: dict[str, ControlPlane], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(planes["ready"].kubeconfig_file))

    assert main(["readiness", "dev"]) == 0


def test_without_a_kubeconfig_nothing_can_be_measured(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["readiness", "test-mshv"]) == 1

    assert "virtci kubeconfig test-mshv --to FILE" in capsys.readouterr().err


def test_a_cluster_that_does_not_answer_cannot_be_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(
        "clusters: [{name: a, cluster: {server: 'https://127.0.0.1:1'}}]\nusers: [{name: a, user: {token: secret-of-mine}}]\n"
        "contexts: [{name: a, context: {cluster: a, user: a}}]\ncurrent-context: a\n"
    )

    assert main(["readiness", "dev", "--kubeconfig", str(path)]) == 1

    said = capsys.readouterr().err
    assert "127.0.0.1:1 does not answer" in said
    assert "virtci wake dev" in said
    assert "secret-of-mine" not in said
