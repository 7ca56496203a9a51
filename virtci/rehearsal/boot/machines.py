"""A machine of the simulated Azure, booted in a sandbox with its own custom data, among the simulated services."""

import base64
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from urllib.parse import urlsplit

from virtci.core.boot_tags import NAMES, Boot, Stage, read_boot
from virtci.core.probes import Probe, parse_probe
from virtci.rehearsal.azure.arm import ResourceManager, Response
from virtci.rehearsal.azure.metadata import Metadata
from virtci.rehearsal.azure.metadata import handler as metadata_handler
from virtci.rehearsal.azure.secrets import Vault
from virtci.rehearsal.azure.secrets import handler as vault_handler
from virtci.rehearsal.azure.server import Plain, Request, face
from virtci.rehearsal.azure.server import handler as manager_handler
from virtci.rehearsal.azure.store import at
from virtci.rehearsal.boot import agent
from virtci.rehearsal.boot.images import Distribution
from virtci.rehearsal.boot.network import METADATA_ADDRESS, Service
from virtci.rehearsal.boot.sandbox import (
    Device,
    RealCluster,
    k3s_binary,
    k3s_install_script,
    sandbox,
)
from virtci.rehearsal.github.api import Server

LAUNCHER_PACE = 50
"""Real milliseconds for each second that a machine sleeps while it waits for the launcher, which is another process."""
ROLE_SECONDS = 60.0
"""Simulated seconds that pass with every refusal, while the scripts wait for their role by a clock of their own."""
PROBE_DOCUMENT = "/var/lib/virt-ci/probe.json"


@dataclass(frozen=True, slots=True)
class MachineBoot:
    """How a machine booted. `waited` are the seconds that its scripts slept, in their own simulated time."""

    machine: str
    exit_code: int
    boot: Boot | None
    probe: Probe | None
    seconds: float
    waited: int
    log: str

    @property
    def succeeded(self) -> bool:
        """Whether the machine says of itself that it is ready."""
        return self.exit_code == 0 and self.boot is not None and self.boot.stage is Stage.READY

    @property
    def trouble(self) -> str:
        """Why it is not ready, for a person."""
        if self.succeeded:
            return ""
        if self.boot is None:
            return f"machine {self.machine} told nothing of its boot; its log ends: {self.log[-300:]}"
        return f"machine {self.machine}: stage {self.boot.stage}: {self.boot.reason}; fix: {self.boot.fix}"


@contextmanager
def booted(
    manager: ResourceManager,
    resource_id: str,
    vault: str,
    downloads: Service,
    *,
    distribution: Distribution = "azurelinux",
    devices: Mapping[str, Device] | None = None,
    cluster: RealCluster | None = None,
    pace: int = 0,
) -> Iterator[MachineBoot]:
    """A machine that was deployed, after its first boot, until the block ends.

    Custom data, address, identity and subnet are those of the simulated Azure. `pace` as of `sandbox`.
    """
    record = manager.store.get(resource_id)
    if record is None:
        raise LookupError(f"there is no machine {resource_id}")
    interface = manager.store.get(record.asked["properties"]["networkProfile"]["networkInterfaces"][0]["id"])
    if interface is None:
        raise LookupError(f"machine {resource_id} has no interface")
    place = interface.properties["ipConfigurations"][0]["properties"]
    text = base64.b64decode(at(record.asked, "properties.osProfile.customData")).decode()
    services = [
        Service((METADATA_ADDRESS,), metadata_handler(Metadata(manager, resource_id)), port=80, tls=False),
        Service(
            (f"{vault}.vault.azure.net",),
            vault_handler(
                Vault(manager, vault, subnet=place["subnet"]["id"], seconds_per_refusal=ROLE_SECONDS),
            ),
        ),
        Service(("management.azure.com",), manager_handler(manager, ROLE_SECONDS)),
        downloads,
    ]
    with sandbox(
        services,
        devices=devices,
        distribution=distribution,
        address=place["privateIPAddress"],
        cluster=cluster,
        pace=pace,
    ) as box:
        result = box.boot(text)
        probe = parse_probe(box.read(PROBE_DOCUMENT), record.name) if box.exists(PROBE_DOCUMENT) else None
        yield MachineBoot(
            record.name, result.exit_code, told(manager, resource_id), probe, result.seconds, box.waited, result.log
        )


def boot_machine(
    manager: ResourceManager, resource_id: str, vault: str, devices: Mapping[str, Device], cluster: RealCluster | None
) -> MachineBoot:
    """Boots the machine of an environment, and ends it."""
    k3s = Service(("github.com", "raw.githubusercontent.com"), releases())
    with booted(manager, resource_id, vault, k3s, devices=devices, cluster=cluster) as boot:
        return boot


def booted_runner(
    manager: ResourceManager, resource_id: str, vault: str, github: Server, version: str
) -> AbstractContextManager[MachineBoot]:
    """A runner after its first boot; its agent runs until the block ends. GitHub offers one version of it."""
    agents = Service(agent.HOSTS, agent.handler(github, {version: agent.archive(version)}))
    return booted(manager, resource_id, vault, agents, distribution="ubuntu")


def told(manager: ResourceManager, resource_id: str) -> Boot | None:
    """What the tags of a machine say of its last boot."""
    record = manager.store.get(resource_id)
    tags = record.body.get("tags", {}) if record else {}
    return read_boot({name: value for name, value in tags.items() if name in NAMES}, resource_id.rsplit("/", 1)[-1])


def releases() -> type[BaseHTTPRequestHandler]:
    """What a release of k3s offers for download, whatever its version: stand-ins, whose checksums stack files pin."""
    offered = {"k3s": k3s_binary(), "install.sh": k3s_install_script()}

    def answer(request: Request) -> Response:
        path = urlsplit(request.target).path
        found = offered.get(path.rsplit("/", 1)[-1]) if "/k3s-io/k3s/" in path else None
        return Plain(200, content=found, kind="application/octet-stream") if found else Response(404)

    return face(answer)
