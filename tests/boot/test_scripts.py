"""The scripts and units of machines, each on its own."""

import re
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.boot.texts import assert_understood_by_systemd
from tests.rehearsal.boot.cloud import Cloud
from virtci.boot.dom0 import SCRIPTS, TIMERS
from virtci.core.boot_tags import DEADLINE, Reason
from virtci.rehearsal.boot.cloud_config import apply
from virtci.rehearsal.boot.sandbox import Sandbox, sandbox, unavailable
from virtci.rehearsal.programs import path_of

FOLDER = Path(__file__).parents[2] / "virtci" / "boot"
ALL = sorted(FOLDER.glob("scripts/*.sh"))
STAND_INS = sorted(Path(__file__).parents[2].glob("virtci/rehearsal/boot/programs/*.sh"))


@pytest.fixture(scope="module")
def installed() -> Iterator[Sandbox]:
    if unavailable():
        pytest.skip(unavailable())
    with sandbox([]) as box:
        apply(Cloud().text(), box.root)
        yield box


@pytest.mark.program("shellcheck")
@pytest.mark.parametrize("script", [*ALL, *STAND_INS], ids=lambda path: path.name)
def test_shellcheck_has_nothing_to_say(script: Path) -> None:
    command = [str(path_of("shellcheck")), "--external-sources", "--source-path=SCRIPTDIR", str(script)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("script", ALL, ids=lambda path: path.name)
def test_reasons_of_failures_are_of_the_closed_list(script: Path) -> None:
    used = re.findall(r"^[^#\n]*\bfail ([A-Z0-9_]+) ", script.read_text(), re.MULTILINE)
    assert set(used) <= set(Reason)


def test_every_reason_of_a_dom0_machine_can_happen() -> None:
    told = "\n".join((FOLDER / "scripts" / name).read_text() for name in SCRIPTS)
    never = {reason for reason in Reason if not re.search(rf"fail {reason} |\"?{reason}: ", told)}
    assert never <= {Reason.AGENT, Reason.REGISTRATION, Reason.HYPERVISOR_ABSENT, Reason.SPOT_EVICTED}


@pytest.mark.parametrize(
    "name",
    [
        "virt-ci-boot.service",
        "virt-ci-boot.timer",
        *(f"{name}.{kind}" for name in TIMERS for kind in ("service", "timer")),
    ],
)
def test_systemd_understands_every_line(installed: Sandbox, name: str) -> None:
    assert_understood_by_systemd(installed, name)


def test_stages_have_time_before_the_boot_has_none() -> None:
    seconds = [
        int(found) for found in re.findall(r"^stage \w+ (\d+)", (FOLDER / "scripts/boot.sh").read_text(), re.MULTILINE)
    ]
    limit = re.search(r"TimeoutStartSec=(\d+)min", (FOLDER / "units/virt-ci-boot.service").read_text())
    assert limit
    assert timedelta(minutes=int(limit.group(1))) == DEADLINE
    assert len(seconds) == 6
    assert timedelta(seconds=sum(seconds)) < DEADLINE


def test_scripts_do_not_ask_for_what_images_lack() -> None:
    words = {
        word
        for path in ALL
        for line in path.read_text().splitlines()
        if not line.lstrip().startswith("#")
        for word in re.findall(r"[\w-]+", line)
    }
    assert not words & {"jq", "wget", "git", "yum", "openssl"}
