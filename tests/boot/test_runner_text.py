"""The boot text of a runner: reviewed as a file, taken by the platform and by cloud-init, without a credential."""

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.boot.texts import assert_understood_by_systemd, assert_valid_cloud_config, files, read
from virtci.boot.render import LIMIT
from virtci.boot.runner import UNITS, AgentRelease, RunnerContext, runner_boot_text
from virtci.core.boot_tags import DEADLINE
from virtci.core.credentials import credentials_in
from virtci.core.problems import Refusal
from virtci.rehearsal.boot.cloud_config import apply
from virtci.rehearsal.boot.sandbox import Sandbox, sandbox, unavailable

BOOT = Path(__file__).parents[2] / "virtci" / "boot"
GOLDEN = Path(__file__).parent / "golden" / "runner.yaml"
CONTEXT = RunnerContext(
    hostname="kubevirt-gh-actions-runner-1",
    repository_url="https://github.com/kubevirt-org/kubevirt",
    labels=("l1vh", "azure"),
    vault_uri="https://kubevirtkv.vault.azure.net/",
    registration_secret="kubevirt-gh-actions-runner-1-registration",
    agent=AgentRelease("2.336.0", "a" * 64),
)


@pytest.fixture(scope="module")
def installed() -> Iterator[Sandbox]:
    if unavailable():
        pytest.skip(unavailable())
    with sandbox([], distribution="ubuntu") as box:
        apply(runner_boot_text(CONTEXT), box.root)
        agent = box.path("/opt/actions-runner/bin/runsvc.sh")
        agent.parent.mkdir(parents=True)
        agent.touch(mode=0o755)
        yield box


def test_boot_text_is_the_reviewed_one() -> None:
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_text(runner_boot_text(CONTEXT))
    assert runner_boot_text(CONTEXT) == GOLDEN.read_text()


@pytest.mark.program("cloud-init")
def test_boot_text_is_valid_cloud_config(tmp_path: Path) -> None:
    assert_valid_cloud_config(runner_boot_text(CONTEXT), tmp_path)


def test_boot_text_leaves_half_of_the_room() -> None:
    assert len(runner_boot_text(CONTEXT).encode()) < LIMIT // 2


def test_boot_text_holds_no_credential() -> None:
    assert list(credentials_in(runner_boot_text(CONTEXT))) == []


def test_only_the_environment_differs_between_runners() -> None:
    other = replace(CONTEXT, hostname="other", registration_secret="other-registration", labels=("l1vh",))
    mine, theirs = files(runner_boot_text(CONTEXT)), files(runner_boot_text(other))
    assert {path for path in mine if mine[path] != theirs[path]} == {"/etc/virt-ci/boot.env"}


def test_first_boot_starts_the_boot_service_and_what_tries_it_again() -> None:
    commands = read(runner_boot_text(CONTEXT))["runcmd"]
    assert commands == [["systemctl", "enable", "--now", "virt-ci-boot.timer", "virt-ci-boot.service"]]


def test_boot_starts_nothing_of_the_agent_before_it_is_registered() -> None:
    unit = files(runner_boot_text(CONTEXT))["/etc/systemd/system/virt-ci-agent.service"]
    assert "ConditionPathExists=/opt/actions-runner/.runner" in unit.splitlines()


def test_agent_is_ended_as_github_ends_it_and_comes_back() -> None:
    unit = files(runner_boot_text(CONTEXT))["/etc/systemd/system/virt-ci-agent.service"].splitlines()
    wanted = {"User=runner", "KillMode=process", "KillSignal=SIGTERM", "TimeoutStopSec=5min", "Restart=always"}
    assert wanted <= set(unit)


def test_agent_needs_the_isolation_of_its_jobs() -> None:
    unit = files(runner_boot_text(CONTEXT))["/etc/systemd/system/virt-ci-agent.service"].splitlines()
    assert "Requires=virt-ci-isolation.service" in unit
    assert next(line for line in unit if line.startswith("After=")).endswith(" virt-ci-isolation.service")


def test_stages_have_time_before_the_boot_has_none() -> None:
    found = re.findall(r"^stage \w+ (\d+)", (BOOT / "scripts/runner-boot.sh").read_text(), re.MULTILINE)
    limit = re.search(r"TimeoutStartSec=(\d+)min", (BOOT / "units/runner-boot.service").read_text())
    assert limit
    assert timedelta(minutes=int(limit.group(1))) == DEADLINE
    assert len(found) == 5
    assert timedelta(seconds=sum(map(int, found))) < DEADLINE


def test_registration_has_time_for_a_role_that_spreads_and_for_a_token() -> None:
    patience = re.search(r"REGISTRATION_PATIENCE=(\d+)", (BOOT / "scripts/runner-register.sh").read_text())
    role = re.search(r"ROLE_PATIENCE=(\d+)", (BOOT / "scripts/lib.sh").read_text())
    stage = re.search(r"stage registration (\d+)", (BOOT / "scripts/runner-boot.sh").read_text())
    assert patience
    assert role
    assert stage
    assert int(patience.group(1)) + int(role.group(1)) < int(stage.group(1))


@pytest.mark.parametrize("name", UNITS.values())
def test_systemd_understands_every_line(installed: Sandbox, name: str) -> None:
    assert_understood_by_systemd(installed, name)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("repository_url", "https://example.org/o/r", "https://github.com/OWNER/NAME"),
        ("repository_url", "https://github.com/o", "https://github.com/OWNER/NAME"),
        ("labels", ("l1vh", "a,b"), "a label"),
        ("vault_uri", "http://kubevirtkv.vault.azure.net", "https://"),
        ("agent", AgentRelease("2.328.0", "a" * 64), "2.329.0 or newer; it is '2.328.0'"),
        ("agent", AgentRelease("2.329", "a" * 64), "2.329.0 or newer"),
        ("agent", AgentRelease("latest", "a" * 64), "2.329.0 or newer"),
    ],
)
def test_context_that_cannot_work_is_refused(field: str, value: Any, said: str) -> None:
    with pytest.raises(Refusal) as refusal:
        runner_boot_text(replace(CONTEXT, **{field: value}))
    assert said in refusal.value.rule
    assert refusal.value.fix
