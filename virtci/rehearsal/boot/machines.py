"""A machine of the simulated Azure, booted in a sandbox with its own custom data, among the simulated services."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from urllib.parse import unquote

from virtci.core.boot_tags import NAMES, Boot, Stage, read_boot
from virtci.core.probes import Probe, parse_probe
from virtci.rehearsal.azure.arm import ResourceManager
from virtci.rehearsal.azure.metadata import Metadata
from virtci.rehearsal.azure.metadata import handler as metadata_handler
from virtci.rehearsal.azure.secrets import Vault
from virtci.rehearsal.azure.secrets import handler as vault_handler
from virtci.rehearsal.azure.server import handler as manager_handler
from virtci.rehearsal.azure.store import at
from virtci.rehearsal.boot.network import METADATA_ADDRESS, Service
from virtci.rehearsal.boot.sandbox import (
    Device,
    RealCluster,
    k3s_binary,
    k3s_install_script,
    sandbox,
)

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


def boot_machine(
    manager: ResourceManager, resource_id: str, vault: str, devices: Mapping[str, Device], cluster: RealCluster | None
) -> MachineBoot:
    """Boots a machine that was deployed: custom data, address, identity and subnet are those of the simulated Azure."""
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
        Service(("github.com", "raw.githubusercontent.com"), releases()),
    ]
    with sandbox(services, devices=devices, address=place["privateIPAddress"], cluster=cluster) as box:
        result = box.boot(text)
        probe = parse_probe(box.read(PROBE_DOCUMENT), record.name) if box.exists(PROBE_DOCUMENT) else None
        return MachineBoot(
            record.name, result.exit_code, told(manager, resource_id), probe, result.seconds, box.waited, result.log
        )


def told(manager: ResourceManager, resource_id: str) -> Boot | None:
    """What the tags of a machine say of its last boot."""
    record = manager.store.get(resource_id)
    tags = record.body.get("tags", {}) if record else {}
    return read_boot({name: value for name, value in tags.items() if name in NAMES}, resource_id.rsplit("/", 1)[-1])


def releases() -> type[BaseHTTPRequestHandler]:
    """What a release of k3s offers for download, whatever its version: stand-ins, whose checksums stack files pin."""
    offered = {"k3s": k3s_binary(), "install.sh": k3s_install_script()}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            found = offered.get(unquote(self.path).rsplit("/", 1)[-1]) if "/k3s-io/k3s/" in self.path else None
            self.send_response(404 if found is None else 200)
            self.send_header("Content-Length", str(len(found or b"")))
            self.end_headers()
            self.wfile.write(found or b"")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Nobody reads it."""

    return Handler
