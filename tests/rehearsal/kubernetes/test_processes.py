"""Programs of a rehearsal end with it, whatever happens, and say why when they end before."""

import os
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from virtci.rehearsal.kubernetes.processes import Household, ProgramError, wait_until

PATIENCE = 30_000
"""Milliseconds for something that takes a few."""

OWNER = """
import sys
from pathlib import Path
from virtci.rehearsal.kubernetes.processes import Household

program = Path(sys.argv[1])
with Household(program.parent, {}) as household:
    print(household.start("program", program, {}).process.pid, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def lasting(tmp_path: Path) -> Path:
    """A program that does not end by itself."""
    script = tmp_path / "lasting"
    script.write_text("#!/bin/sh\nexec sleep 1000\n")
    script.chmod(0o755)
    return script


def ends(pidfd: int) -> bool:
    """Whether a process ends while we look."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(PATIENCE))


def test_a_program_ends_with_its_household(tmp_path: Path, lasting: Path) -> None:
    with Household(tmp_path, {}) as household:
        running = household.start("program", lasting, {})

    assert running.process.returncode == -9


def test_a_program_ends_when_its_owner_is_killed(lasting: Path) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(lasting)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert owner.stdout
    program = os.pidfd_open(int(owner.stdout.readline()))

    owner.kill()
    owner.communicate()

    assert ends(program)


def test_a_program_that_ended_is_named_with_the_end_of_its_log(tmp_path: Path) -> None:
    with Household(tmp_path, {}) as household:
        running = household.start("list", Path("/bin/ls"), {"unknown": "1"})

        with pytest.raises(ProgramError, match=r"(?s)list ended with code 2.*unrecognized option '--unknown=1'"):
            wait_until(lambda: False, time.monotonic() + PATIENCE, running)


def test_a_program_that_does_not_become_ready_is_named(tmp_path: Path, lasting: Path) -> None:
    with Household(tmp_path, {}) as household:
        running = household.start("program", lasting, {})

        with pytest.raises(ProgramError, match="program: not ready in time"):
            wait_until(lambda: False, time.monotonic(), running)
