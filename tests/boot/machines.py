"""Booted machines for tests: a sandbox, the cloud around it, and what happened."""

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from tests.rehearsal.boot.cloud import Cloud
from virtci.core.boot_tags import Boot, read_boot
from virtci.core.hypervisors import Hypervisor
from virtci.rehearsal.boot.sandbox import BootResult, Device, Sandbox, sandbox, unavailable

SENTINEL = "/var/lib/virt-ci/ready"
MSHV: dict[str, Device] = {"mshv": "opens"}


@dataclass
class Machine:
    """A machine, its cloud, and its last boot."""

    box: Sandbox
    cloud: Cloud
    result: BootResult

    def told(self) -> Boot:
        """What the tags tell of the last boot."""
        merged: dict[str, str] = {}
        for tags in self.cloud.tags:
            merged |= tags
        boot = read_boot(merged, "the machine")
        assert boot is not None
        return boot

    def is_ready(self) -> bool:
        """Whether this boot, and not an earlier one, came to its end."""
        boot_id = self.box.run("cat", "/proc/sys/kernel/random/boot_id").stdout.strip()
        return self.box.exists(SENTINEL) and json.loads(self.box.read(SENTINEL))["bootId"] == boot_id

    @property
    def published(self) -> dict[str, Any]:
        """The kubeconfig in the vault."""
        content: dict[str, Any] = yaml.safe_load(self.cloud.kubeconfig)
        return content

    @property
    def bound(self) -> list[str]:
        """The Secrets that tokens are bound to, oldest first."""
        keys = [key.split("/")[2] for key in self.box.objects if key.startswith("Secret/virt-ci/deployer-")]
        return sorted(keys)

    @property
    def secrets(self) -> set[str]:
        """Everything that must not be readable anywhere: all tokens of all times."""
        issued = {yaml.safe_load(version["value"])["users"][0]["user"]["token"] for version in self.cloud.versions}
        return issued | self.cloud.tokens


@contextmanager
def machine(cloud: Cloud, hypervisor: Hypervisor = Hypervisor.MSHV, **options: Any) -> Iterator[Machine]:
    """A machine after its first boot; options are those of the sandbox, `power_cut`, `pins` and `before` of the boot."""
    if unavailable():
        pytest.skip(unavailable())
    power_cut, pins = options.pop("power_cut", ""), options.pop("pins", {})
    before: Callable[[Sandbox], None] = options.pop("before", lambda _: None)
    with sandbox(cloud.services, **({"devices": MSHV} | options)) as box:
        before(box)
        yield Machine(box, cloud, box.boot(cloud.text(hypervisor, **pins), power_cut=power_cut))


def claims(token: str) -> dict[str, Any]:
    """What a token says."""
    payload = token.split(".")[1]
    content: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return content
