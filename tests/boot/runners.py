"""Runners for tests: a machine of the simulated Azure that boots in a sandbox, and a GitHub that it registers with."""

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from components.roles import BOOT_TAGGER, TAG_ACTIONS
from tests.rehearsal.azure.machines import MACHINE_ID, SECRET_USER, VAULT, grant, machine, open_vault, role, secret
from tests.rehearsal.azure.simulated import Cloud, build, until
from virtci.boot.runner import AgentRelease, RunnerContext, runner_boot_text
from virtci.core.boot_tags import Boot, read_boot
from virtci.core.names import registration_secret
from virtci.rehearsal.azure.metadata import Metadata
from virtci.rehearsal.azure.metadata import handler as metadata_handler
from virtci.rehearsal.azure.secrets import Vault
from virtci.rehearsal.azure.secrets import handler as vault_handler
from virtci.rehearsal.azure.server import handler as manager_handler
from virtci.rehearsal.azure.vault import change_version, set_secret, versions
from virtci.rehearsal.boot import agent
from virtci.rehearsal.boot.network import METADATA_ADDRESS, Service
from virtci.rehearsal.boot.sandbox import BootResult, Sandbox, sandbox, unavailable
from virtci.rehearsal.github.api import Server
from virtci.rehearsal.github.exchange import Request
from virtci.rehearsal.github.runners import create_token
from virtci.rehearsal.github.store import GitHubScenario, Owner, Repository, Runner, World

RUNNER = "vm"
SECRET = registration_secret(RUNNER)
OWNER, REPOSITORY = "kubevirt-org", "kubevirt"
VERSION = "2.336.0"
SENTINEL = "/var/lib/virt-ci/ready"
AGENT = "/opt/actions-runner"
PLACEHOLDER = "none"
METADATA = "http://169.254.169.254/metadata/instance?api-version=2021-02-01"
REFUSED = (7, 52, 56)  # curl: not connected, no answer, reset


@dataclass
class Hub:
    """The clouds around one runner; its role on its secret works already unless `spreading`."""

    spreading: bool = False
    version: str = VERSION
    archive: bytes = b""
    cloud: Cloud = field(default_factory=build)

    def __post_init__(self) -> None:
        self.archive = self.archive or agent.archive(self.version)
        cloud = self.cloud
        cloud.group()
        cloud.network()
        open_vault(cloud)
        principal, self.place = machine(cloud, RUNNER), secret(cloud, SECRET, PLACEHOLDER, contentType="text/plain")
        grant(cloud, principal, role(cloud, BOOT_TAGGER, actions=list(TAG_ACTIONS)), MACHINE_ID)
        grant(cloud, principal, SECRET_USER, self.place, works=not self.spreading)
        scenario = GitHubScenario(
            owner=Owner(login=OWNER, id=7),
            repositories=(Repository(name=REPOSITORY, id=70), Repository(name="other", id=71)),
        )
        self.github = Server(World(scenario, cloud.clock), cloud.journal)
        self.service = Metadata(cloud.manager, MACHINE_ID)
        self.metadata = Service((METADATA_ADDRESS,), metadata_handler(self.service), port=80, tls=False)
        vault = Vault(cloud.manager, VAULT, seconds_per_refusal=60)
        self.vault = Service((f"{VAULT}.vault.azure.net",), vault_handler(vault))
        self.manager = Service(("management.azure.com",), manager_handler(cloud.manager, seconds_per_refusal=60))
        self.agents = Service(agent.HOSTS, agent.handler(self.github, {self.version: self.archive}))

    @property
    def services(self) -> list[Service]:
        """All that a runner reaches."""
        return [self.metadata, self.vault, self.manager, self.agents]

    @property
    def runner(self) -> Runner | None:
        """The runner as GitHub has it."""
        return self.github.world.runners.get((70, RUNNER))

    @property
    def tags(self) -> dict[str, str]:
        """The machine's tags now."""
        return dict(self.cloud.get(MACHINE_ID).get("tags") or {})

    @property
    def downloads(self) -> int:
        """How often the archive was asked for."""
        return sum(call.target == agent.download_path(self.version) for call in self.cloud.journal.calls)

    def token(self, repository: str = REPOSITORY) -> str:
        """A token from GitHub, as whoever registers runners gets one."""
        place = Request({"owner": OWNER, "repo": repository})
        return str(create_token(self.github.world, place).body["token"])

    def publish(self, value: str) -> str:
        """Puts a value into the secret of the runner."""
        store = self.cloud.manager.store
        record = store.get(self.place)
        assert record is not None
        set_secret(store, record, value, {"contentType": "text/plain"}, {})
        return value

    def disable(self) -> None:
        """Somebody disables the secret."""
        store = self.cloud.manager.store
        record = store.get(self.place)
        assert record is not None
        change_version(store, record, versions(record)[-1], {"attributes": {"enabled": False}}, None)

    def text(self, **more: Any) -> str:
        """The boot text of the runner."""
        context: dict[str, Any] = {
            "hostname": RUNNER,
            "repository_url": f"https://github.com/{OWNER}/{REPOSITORY}",
            "labels": ("l1vh", "azure"),
            "vault_uri": f"https://{VAULT}.vault.azure.net/",
            "registration_secret": SECRET,
            "agent": AgentRelease(self.version, hashlib.sha256(self.archive).hexdigest()),
        }
        return runner_boot_text(RunnerContext(**(context | more)))


@dataclass
class Booted:
    """A runner after a boot."""

    box: Sandbox
    hub: Hub
    result: BootResult

    @property
    def told(self) -> Boot:
        """What the machine's tags tell of its last boot."""
        boot = read_boot(self.hub.tags, RUNNER)
        assert boot is not None
        return boot

    def ready(self) -> bool:
        """Whether this boot, and not an earlier one, came to its end."""
        boot_id = self.box.run("cat", "/proc/sys/kernel/random/boot_id").stdout.strip()
        return self.box.exists(SENTINEL) and json.loads(self.box.read(SENTINEL))["bootId"] == boot_id

    def online(self) -> bool:
        """Whether GitHub sees the runner soon; its agent starts beside the boot."""
        with suppress(AssertionError):
            until(lambda: self.hub.runner is not None and self.hub.runner.online)
        return self.hub.runner is not None and self.hub.runner.online

    def lines(self) -> list[str]:
        """Every command line that was recorded."""
        return [" ".join(command) for command in self.box.commands]

    def asks(self, target: str, user: str = "runner") -> int:
        """The exit code of curl, run by a user of the machine."""
        return self.runs_as(user, "curl", "--silent", "--max-time", "5", "--header", "Metadata: true", target)

    def runs_as(self, user: str, *command: str) -> int:
        """The exit code of a command, run by a user of the machine."""
        number = self.box.run("id", "--user", user).stdout.strip()
        return self.box.run("setpriv", f"--reuid={number}", f"--regid={number}", "--clear-groups", *command).returncode


@contextmanager
def runner(hub: Hub, **options: Any) -> Iterator[Booted]:
    """A runner after its first boot; options are those of the sandbox, `power_cut`, `before` and the context."""
    if unavailable():
        pytest.skip(unavailable())
    power_cut, context = options.pop("power_cut", ""), options.pop("context", {})
    before: Callable[[Sandbox], None] = options.pop("before", lambda _: None)
    with sandbox(hub.services, distribution="ubuntu", **options) as box:
        before(box)
        yield Booted(box, hub, box.boot(hub.text(**context), power_cut=power_cut))


def owner_of(path: Path) -> int:
    return path.stat().st_uid


def without_firewall(box: Sandbox) -> None:
    """An image whose firewall does not work."""
    program = box.path("/usr/local/sbin/iptables-restore")
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
