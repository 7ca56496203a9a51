"""On-demand machines for tests that were booted, each in its place."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import pytest

from tests.boot.on_demand import KVM, SENTINEL, Place
from tests.rehearsal.azure.simulated import until
from virtci.core.boot_tags import Boot
from virtci.rehearsal.boot.sandbox import BootResult, Sandbox, sandbox, unavailable
from virtci.rehearsal.github.store import Job

SECONDS = 60.0
"""Real time that something beside the boot may take."""


@dataclass
class Booted:
    """A machine after a boot."""

    box: Sandbox
    place: Place
    result: BootResult

    @property
    def told(self) -> Boot:
        """What the machine tells of its last boot."""
        boot = self.place.told
        assert boot is not None
        return boot

    def ready(self) -> bool:
        """Whether this boot, and not an earlier one, came to its end."""
        boot_id = self.box.run("cat", "/proc/sys/kernel/random/boot_id").stdout.strip()
        return self.box.exists(SENTINEL) and json.loads(self.box.read(SENTINEL))["bootId"] == boot_id

    def soon(self, question: Callable[[], object]) -> bool:
        """Whether something becomes true in a while: agents and what follows them run beside the boot."""
        with suppress(AssertionError):
            until(lambda: bool(question()), SECONDS)
        return bool(question())

    def online(self) -> bool:
        """Whether GitHub sees the runner soon."""
        return self.soon(lambda: self.place.runner is not None and self.place.runner.online)

    def serves(self, job: Job) -> bool:
        """Whether a job comes to its end soon."""
        return self.soon(lambda: job.status == "completed")

    def lines(self) -> list[str]:
        """Every command line that was recorded."""
        return [line.replace("\x1f", " ") for line in self.box.read("/sandbox/commands").split("\x1e\n")]

    def runs_as(self, user: str, *command: str) -> int:
        """The exit code of a command, run by a user of the machine."""
        number = self.box.run("id", "--user", user).stdout.strip()
        return self.box.run("setpriv", f"--reuid={number}", f"--regid={number}", "--clear-groups", *command).returncode

    def texts(self) -> list[str]:
        """All that another process, or whoever gets the disk or the console, could read."""
        files = [path.read_bytes().decode(errors="replace") for path in self.box.written()]
        return [self.result.log, self.box.read("/sandbox/journal"), *self.lines(), *files]


@contextmanager
def machine(place: Place, **options: Any) -> Iterator[Booted]:
    """A machine after its first boot; options are those of the sandbox, `power_cut`, `before` and the context."""
    if unavailable():
        pytest.skip(unavailable())
    power_cut, context = options.pop("power_cut", ""), options.pop("context", {})
    before: Callable[[Sandbox], None] = options.pop("before", lambda _: None)
    with sandbox(place.services, **({"distribution": "ubuntu", "devices": KVM} | options)) as box:
        before(box)
        yield Booted(box, place, box.boot(place.carried(place.text(**context)), power_cut=power_cut))
