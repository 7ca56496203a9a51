"""The firewall of a dom0 machine, tried from its neighbours: needs the real iptables."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.boot.machines import Machine, machine
from tests.rehearsal.boot.cloud import Cloud
from virtci.core.networks import KUBERNETES_API_PORT, SSH_PORT
from virtci.rehearsal.boot.sandbox import ADDRESS

pytestmark = pytest.mark.skipif(
    shutil.which("iptables") is None,
    reason="iptables is not on PATH of this machine: its rules are compared as text only",
)
RUNNER, ENVIRONMENT = "10.60.0.5", "10.60.2.9"
ANSWERED, REFUSED, DROPPED = "answered", "refused", "dropped"
MEANINGS = {0: ANSWERED, 52: ANSWERED, 56: ANSWERED, 7: REFUSED, 28: DROPPED}
"""What the exit codes of curl say of a connection; k3s closes without an answer."""


def inside(process: int) -> list[str]:
    return ["nsenter", f"--target={process}", "--net"]


@contextmanager
def neighbours(booted: Machine) -> Iterator[int]:
    """Another network namespace with a cable to the machine, by its process: a runner, and another environment."""
    namespace = ["unshare", "--net", "sh", "-c", "echo; cat"]
    with subprocess.Popen(namespace, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        other.stdout.readline()
        for process, lines in {
            booted.box.first_process: (
                f"link add lan type veth peer name lan netns {other.pid}",
                "link set lan up",
                "route add 10.60.0.0/16 dev lan",
            ),
            other.pid: (f"address add {RUNNER}/16 dev lan", f"address add {ENVIRONMENT}/16 dev lan", "link set lan up"),
        }.items():
            for line in lines:
                subprocess.run([*inside(process), "ip", *line.split()], check=True)
        yield other.pid
        other.stdin.close()


@pytest.fixture(scope="module")
def process() -> Iterator[int]:
    with machine(Cloud()) as booted, neighbours(booted) as found:
        assert booted.is_ready(), booted.result.log
        assert Path(f"/proc/{found}").exists()
        yield found


def tried(process: int, source: str, port: int) -> str:
    curl = ["curl", "--silent", "--noproxy", "*", "--max-time", "2", "--interface", source, f"http://{ADDRESS}:{port}"]
    done = subprocess.run([*inside(process), *curl], capture_output=True, check=False)
    return MEANINGS.get(done.returncode, f"curl says {done.returncode}")


def test_runner_reaches_the_api(process: int) -> None:
    assert tried(process, RUNNER, KUBERNETES_API_PORT) == ANSWERED


def test_runner_reaches_ssh_where_nobody_listens_here(process: int) -> None:
    assert tried(process, RUNNER, SSH_PORT) == REFUSED


@pytest.mark.parametrize("port", [KUBERNETES_API_PORT, SSH_PORT])
def test_another_environment_reaches_neither(process: int, port: int) -> None:
    assert tried(process, ENVIRONMENT, port) == DROPPED


def test_runner_reaches_nothing_else(process: int) -> None:
    assert tried(process, RUNNER, 10_250) == DROPPED
