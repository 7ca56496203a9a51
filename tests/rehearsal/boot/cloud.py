"""The least of a cloud that a booting machine talks to, with its faults as numbers."""

import hashlib
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from ipaddress import IPv4Network
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from virtci.boot.dom0 import Dom0Context, K3sRelease, dom0_boot_text
from virtci.core.hypervisors import Hypervisor
from virtci.rehearsal.boot.network import METADATA_ADDRESS, Service
from virtci.rehearsal.boot.sandbox import ADDRESS, k3s_binary, k3s_install_script

VAULT = "kubevirtkv.vault.azure.net"
SECRET = "dev-kubeconfig"
MACHINE = "kubevirt-dev-mshv-qemu-k3s-vm"
RESOURCE = (
    "/subscriptions/00000000-0000-0000-0000-0000000000a1/resourceGroups/kubevirt-dev-mshv-qemu-k3s-rg"
    f"/providers/Microsoft.Compute/virtualMachines/{MACHINE}"
)
VERSION = "v1.34.1+k3s1"
Answer = tuple[int, bytes]


@dataclass
class Cloud:
    """Metadata service, vault, Resource Manager and the release of k3s. Numbers are how many answers go wrong first."""

    forbidden_secrets: int = 0
    forbidden_tags: int = 0
    busy_metadata: int = 0
    address: str = ADDRESS
    binary: bytes = field(default_factory=k3s_binary)
    install_script: bytes = field(default_factory=k3s_install_script)
    tokens: set[str] = field(default_factory=set)
    versions: list[dict[str, Any]] = field(default_factory=list)
    tags: list[dict[str, str]] = field(default_factory=list)
    downloads: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.metadata = Service((METADATA_ADDRESS,), handler(self._metadata), port=80, tls=False)
        self.vault = Service((VAULT,), handler(self._vault))
        self.manager = Service(("management.azure.com",), handler(self._manager))
        self.releases = Service(("github.com", "raw.githubusercontent.com"), handler(self._releases))

    @property
    def services(self) -> list[Service]:
        """All that a machine reaches."""
        return [self.metadata, self.vault, self.manager, self.releases]

    @property
    def kubeconfig(self) -> str:
        """The value that the vault holds now."""
        return str(self.versions[-1]["value"])

    @property
    def stages(self) -> list[str]:
        """Every stage that was told by tags."""
        return [tags["bootstage"] for tags in self.tags]

    def text(self, hypervisor: Hypervisor = Hypervisor.MSHV, **pins: str) -> str:
        """The boot text of the machine; pins are those of what is offered for download."""
        release = {
            "version": VERSION,
            "binary_sha256": hashlib.sha256(self.binary).hexdigest(),
            "install_script_sha256": hashlib.sha256(self.install_script).hexdigest(),
        }
        return dom0_boot_text(
            Dom0Context(
                hostname=MACHINE,
                environment="dev",
                hypervisor=hypervisor,
                vault_uri=f"https://{VAULT}",
                kubeconfig_secret=SECRET,
                secret_tags={"owner": "kubevirt-ci"},
                address_space=IPv4Network("10.60.0.0/16"),
                runners_subnet=IPv4Network("10.60.0.0/24"),
                k3s=K3sRelease(**(release | pins)),
            )
        )

    def _metadata(self, method: str, url: str, headers: dict[str, str], body: bytes) -> Answer:
        assert (method, body, headers["metadata"]) == ("GET", b"", "true")
        if self.busy_metadata:
            self.busy_metadata -= 1
            return 410, b"{}"
        path, query = urlsplit(url).path, parse_qs(urlsplit(url).query)
        if path == "/metadata/identity/oauth2/token":
            assert query["api-version"] == ["2018-02-01"]
            token = f"eyJ0eXAiOiJKV1QifQ.{secrets.token_urlsafe(16)}.{query['resource'][0].removeprefix('https://')}"
            self.tokens.add(token)
            return 200, json.dumps({"access_token": token, "token_type": "Bearer", "expires_in": "86399"}).encode()
        facts = {"network/interface/0/ipv4/ipAddress/0/privateIpAddress": self.address, "compute/resourceId": RESOURCE}
        assert query["format"] == ["text"]
        return 200, facts[path.removeprefix("/metadata/instance/")].encode()

    def _vault(self, method: str, url: str, headers: dict[str, str], body: bytes) -> Answer:
        assert (method, url) == ("PUT", f"/secrets/{SECRET}?api-version=7.4")
        assert headers["authorization"].endswith("vault.azure.net")
        if self.forbidden_secrets:
            self.forbidden_secrets -= 1
            return 403, b'{"error": {"code": "Forbidden"}}'
        self.versions.append(json.loads(body))
        return 200, body

    def _manager(self, method: str, url: str, headers: dict[str, str], body: bytes) -> Answer:
        path = f"{RESOURCE}/providers/Microsoft.Resources/tags/default?api-version=2021-04-01"
        assert (method, url) == ("PATCH", path)
        assert headers["authorization"].endswith("management.azure.com/")
        if self.forbidden_tags:
            self.forbidden_tags -= 1
            return 403, b"{}"
        asked = json.loads(body)
        assert asked["operation"] == "Merge"
        self.tags.append(asked["properties"]["tags"])
        return 200, b"{}"

    def _releases(self, method: str, url: str, _headers: dict[str, str], _body: bytes) -> Answer:
        offered = {
            f"/k3s-io/k3s/releases/download/{VERSION}/k3s": self.binary,
            f"/k3s-io/k3s/{VERSION}/install.sh": self.install_script,
        }
        assert method == "GET"
        self.downloads.append(unquote(url))
        return (200, offered[unquote(url)]) if unquote(url) in offered else (404, b"")


def handler(answer: Callable[[str, str, dict[str, str], bytes], Answer]) -> type[BaseHTTPRequestHandler]:
    """A service that answers every method by one function."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_request(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            try:
                status, content = answer(self.command, self.path, headers, body)
            except (AssertionError, LookupError):
                status, content = 400, b""
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_PUT = do_PATCH = do_POST = do_DELETE = handle_request  # noqa: N815  names of http.server

        def log_message(self, *_: object) -> None:
            """Silent."""

    return Handler
