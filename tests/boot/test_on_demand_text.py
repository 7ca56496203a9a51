"""The boot text of an on-demand machine: reviewed as a file, taken by both platforms and by cloud-init, no credential."""

import base64
import gzip
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.boot import texts
from tests.boot.texts import assert_understood_by_systemd, assert_valid_cloud_config
from virtci.boot.on_demand import (
    AGENTS,
    SCRIPTS,
    SPOT_UNITS,
    UNITS,
    USER_DATA_LIMIT,
    OnDemandContext,
    on_demand_boot_text,
    packed_user_data,
)
from virtci.boot.render import LIMIT
from virtci.boot.runner import AgentRelease
from virtci.core.boot_tags import DEADLINE, FIXES, Reason
from virtci.core.credentials import credentials_in
from virtci.core.problems import Refusal
from virtci.core.runners.clouds import Capability, Cloud, Serves
from virtci.rehearsal.boot.cloud_config import apply
from virtci.rehearsal.boot.sandbox import Sandbox, sandbox, unavailable
from virtci.rehearsal.programs import path_of

BOOT = Path(__file__).parents[2] / "virtci" / "boot"
GOLDEN = Path(__file__).parent / "golden"
KEY = f"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5{'A' * 48} somebody@example"
AZURE = OnDemandContext(
    cloud=Cloud.AZURE,
    hostname="run-azure-7183920345-1-1",
    slot="auto-runner-westus-01",
    vault_uri="https://kontain-runners.vault.azure.net/",
    repository_url="https://github.com/kontainapp/km",
    label="virt-ci-azure-7183920345-1-1-0a1b2c3d",
    capability=Capability.KVM_NESTED,
    serves=Serves.RUN,
    agent=AgentRelease("2.336.0", "a" * 64),
    deadline=datetime(2026, 1, 5, 14, tzinfo=UTC),
    keys=(KEY,),
)
EC2 = replace(
    AZURE,
    cloud=Cloud.EC2,
    hostname="run-ec2-7183920345-1-1",
    slot="auto-runner-us-east-2-01",
    vault_uri="",
    label="virt-ci-ec2-7183920345-1-1-0a1b2c3d",
    serves=Serves.JOB,
    spot=True,
)
BOTH = pytest.mark.parametrize("context", [AZURE, EC2], ids=["azure", "ec2"])
CLOUD_INIT = "import sys; from cloudinit.user_data import convert_string as read; sys.stdout.buffer.write(read(sys.stdin.buffer.read()).get_payload(decode=True))"
"""What cloud-init makes of user data before it looks at its kind."""


@pytest.fixture(scope="module")
def installed() -> Iterator[Sandbox]:
    if unavailable():
        pytest.skip(unavailable())
    with sandbox([], distribution="ubuntu") as box:
        for context in (replace(EC2, serves=Serves.RUN), EC2):
            apply(on_demand_boot_text(context), box.root)
        for name in ("run.sh", "bin/runsvc.sh"):
            agent = box.path(f"/opt/actions-runner/{name}")
            agent.parent.mkdir(parents=True, exist_ok=True)
            agent.touch(mode=0o755)
        yield box


def files(context: OnDemandContext) -> dict[str, str]:
    return texts.files(on_demand_boot_text(context))


def settings(context: OnDemandContext) -> dict[str, str]:
    lines = files(context)["/etc/virt-ci/boot.env"].splitlines()
    return {name: value.strip('"') for name, _, value in (line.partition("=") for line in lines)}


@BOTH
def test_boot_text_is_the_reviewed_one(context: OnDemandContext) -> None:
    golden = GOLDEN / f"on-demand-{context.cloud}.yaml"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(on_demand_boot_text(context))
    assert on_demand_boot_text(context) == golden.read_text()


@BOTH
@pytest.mark.program("cloud-init")
def test_boot_text_is_valid_cloud_config(context: OnDemandContext, tmp_path: Path) -> None:
    assert_valid_cloud_config(on_demand_boot_text(context), tmp_path)


@pytest.mark.program("cloud-init")
def test_cloud_init_reads_packed_user_data_as_the_text_itself() -> None:
    text = on_demand_boot_text(EC2)
    folder = path_of("cloud-init").resolve().parents[1] / "cloud-init"
    done = subprocess.run(
        [sys.executable, "-c", CLOUD_INIT],
        input=base64.b64decode(packed_user_data(text)),
        env={"PYTHONPATH": f"{folder}/usr/lib/python3/dist-packages:{folder}/packages"},
        capture_output=True,
        check=False,
    )
    assert done.stdout.decode() == text, done.stderr.decode()


def test_azure_has_room_for_as_much_again() -> None:
    assert (
        len(on_demand_boot_text(replace(AZURE, spot=True, serves=Serves.JOB, keys=(KEY,) * 20)).encode()) < LIMIT * 0.7
    )


def test_ec2_takes_the_text_packed_only_and_with_the_keys_of_a_large_team() -> None:
    text = on_demand_boot_text(replace(EC2, keys=[_unlike(number) for number in range(40)]))
    assert len(text.encode()) > USER_DATA_LIMIT
    assert len(base64.b64decode(packed_user_data(text))) <= USER_DATA_LIMIT


def test_text_that_ec2_does_not_take_is_refused() -> None:
    text = on_demand_boot_text(replace(EC2, keys=[_unlike(number) for number in range(200)]))
    with pytest.raises(Refusal, match="at most 16384 bytes"):
        packed_user_data(text)


def test_packed_text_is_the_same_every_time() -> None:
    text = on_demand_boot_text(EC2)
    assert packed_user_data(text) == packed_user_data(text)
    assert gzip.decompress(base64.b64decode(packed_user_data(text))).decode() == text


@BOTH
def test_boot_text_holds_no_credential(context: OnDemandContext) -> None:
    assert list(credentials_in(on_demand_boot_text(context))) == []
    assert list(credentials_in(packed_user_data(on_demand_boot_text(context)))) == []


@BOTH
def test_only_settings_and_keys_differ_between_machines(context: OnDemandContext) -> None:
    other = replace(context, hostname="other", slot="auto-runner-westus-02", label="other", keys=())
    mine, theirs = files(context), files(other)
    assert {path for path in mine if mine[path] != theirs[path]} == {
        "/etc/virt-ci/boot.env", "/etc/virt-ci/people.keys"
    }  # fmt: skip


def test_machine_of_one_cloud_has_nothing_of_the_other() -> None:
    assert not any(path.endswith("/ec2.sh") for path in files(AZURE))
    assert not any(path.endswith("/azure.sh") for path in files(EC2))
    assert not {"VIRTCI_VAULT_URI"} & settings(EC2).keys()
    assert not {"VIRTCI_BOOT_PARAMETER"} & settings(AZURE).keys()


def test_runner_asks_for_jobs_under_its_own_label_and_the_three_that_say_what_it_is() -> None:
    assert settings(AZURE)["VIRTCI_RUNNER_LABELS"] == f"self-hosted,linux,x64,{AZURE.label}"
    assert settings(AZURE)["VIRTCI_RUNNER_NAME"] == AZURE.label


def test_machine_that_is_not_spot_does_not_look_for_evictions() -> None:
    assert not any("spot" in path for path in files(AZURE))


@pytest.mark.parametrize(
    ("context", "units"),
    [
        (AZURE, ["virt-ci-deadline.timer", "virt-ci-boot.service"]),
        (EC2, ["virt-ci-deadline.timer", "virt-ci-spot.timer", "virt-ci-boot.service"]),
    ],
)
def test_deadline_runs_before_anything_else_does(context: OnDemandContext, units: list[str]) -> None:
    assert texts.read(on_demand_boot_text(context))["runcmd"] == [["systemctl", "enable", "--now", *units]]


def test_deadline_waits_after_a_start_and_then_looks_every_minute() -> None:
    timer = files(AZURE)["/etc/systemd/system/virt-ci-deadline.timer"].splitlines()
    assert {"OnBootSec=5min", "OnUnitActiveSec=1min"} <= set(timer)
    assert settings(AZURE)["VIRTCI_DEADLINE"] == str(int(AZURE.deadline.timestamp()))


def test_agent_for_one_job_is_not_started_again_and_takes_the_machine_with_it() -> None:
    unit = files(EC2)["/etc/systemd/system/virt-ci-agent.service"].splitlines()
    followed = {"OnSuccess=virt-ci-ended.service", "OnFailure=virt-ci-ended.service"}
    assert {"User=runner", "Restart=no", "EnvironmentFile=-/run/virt-ci/jit.env", *followed} <= set(unit)


@BOTH
def test_agent_needs_the_isolation_of_its_jobs(context: OnDemandContext) -> None:
    unit = files(context)["/etc/systemd/system/virt-ci-agent.service"].splitlines()
    assert "Requires=virt-ci-isolation.service" in unit
    assert next(line for line in unit if line.startswith("After=")).endswith(" virt-ci-isolation.service")


def test_hypervisor_is_looked_for_before_the_machine_asks_for_its_registration() -> None:
    stages = re.findall(r"^stage (\w+)", (BOOT / "scripts/on-demand-boot.sh").read_text(), re.MULTILINE)
    assert stages.index("probe") < stages.index("install") < stages.index("registration") < stages.index("start")


def test_stages_have_time_before_the_boot_has_none() -> None:
    found = re.findall(r"^stage \w+ (\d+)", (BOOT / "scripts/on-demand-boot.sh").read_text(), re.MULTILINE)
    limit = re.search(r"TimeoutStartSec=(\d+)min", (BOOT / "units/on-demand-boot.service").read_text())
    assert limit
    assert timedelta(minutes=int(limit.group(1))) == DEADLINE
    assert len(found) == 8
    assert timedelta(seconds=sum(map(int, found))) < DEADLINE


def test_every_reason_of_these_scripts_has_a_fix() -> None:
    told = "\n".join(
        (BOOT / "scripts" / name).read_text() for name in (*SCRIPTS, "azure.sh", "ec2.sh", "spot-watch.sh")
    )
    used = set(re.findall(r"\bfail ([A-Z_]+) |\"([A-Z_]+): ", told))
    words = {word for pair in used for word in pair if word}
    assert {"HYPERVISOR_ABSENT", "SPOT_EVICTED", "DEADLINE", "REGISTRATION", "ROLE", "VAULT"} <= words <= set(Reason)
    assert all(FIXES[Reason(word)] for word in words)


@pytest.mark.parametrize(
    "name",
    [name for units in (UNITS, *AGENTS.values(), SPOT_UNITS) for name in units.values() if not name.endswith(".conf")],
)
def test_systemd_understands_every_line(installed: Sandbox, name: str) -> None:
    assert_understood_by_systemd(installed, name)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("repository_url", "https://example.org/o/r", "https://github.com/OWNER/NAME"),
        ("label", "a,b", "a label"),
        ("labels", ("good", "a b"), "a label"),
        ("vault_uri", "http://kontain-runners.vault.azure.net", "a vault at https://"),
        ("vault_uri", "", "a vault at https://"),
        ("cloud", Cloud.EC2, "one in EC2 has none"),
        ("agent", AgentRelease("2.328.0", "a" * 64), "2.329.0 or newer; it is '2.328.0'"),
        ("deadline", datetime(2026, 1, 5), "a time zone"),
        ("keys", (KEY, "-----BEGIN OPENSSH PRIVATE KEY-----"), "key 2 of run-azure-7183920345-1-1 is a public SSH key"),
        ("keys", (f"{KEY}\n{KEY}",), "key 1"),
        ("keys", ("",), "key 1"),
    ],
)
def test_context_that_cannot_work_is_refused(field: str, value: Any, said: str) -> None:
    with pytest.raises(Refusal) as refusal:
        on_demand_boot_text(replace(AZURE, **{field: value}))
    assert said in refusal.value.rule
    assert refusal.value.fix
    assert "PRIVATE KEY" not in str(refusal.value)


def _unlike(number: int) -> str:
    """A key that does not compress, as real ones do not."""
    noise = base64.b64encode(
        b"".join((number * 997 + step * step).to_bytes(4, "big")[::-1] for step in range(9))
    ).decode()
    return f"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA{noise} person-{number}@example"
