"""The boot text of a dom0 machine (Azure Linux): a k3s cluster that publishes itself.

The stages are in `scripts/boot.sh`. Deliberately absent, beside what `render` leaves out: a kubeconfig that anybody
copies, a token in the text, an API on any address but the private one, and a judgement of the hypervisor, which the
machine reports and the gate's readiness check makes.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from itertools import combinations

from virtci.boot.render import BootFile, environment, manifest, render, script, unit
from virtci.core.hypervisors import Hypervisor
from virtci.core.networks import K3S_POD_RANGE, K3S_SERVICE_RANGE
from virtci.core.problems import Refusal

SERVICE = "virt-ci-boot.service"
RETRY = "virt-ci-boot.timer"
"""Tries a failed boot again; a boot that succeeded stays active and is left alone."""
TAGS_FILE = "/etc/virt-ci/secret-tags.json"
HELD_PACKAGES = (
    "kernel",
    "kernel-*",
    "hvloader*",
    "mshv",
    "mshv-*",
    "cloud-hypervisor*",
    "qemu*",
    "libvirt*",
)
"""Kernel and hypervisor of the image (microsoft/azurelinux, SPECS: hvloader, kernel-mshv, mshv-bootloader-lx)."""
SCRIPTS = (
    "lib.sh",
    "boot.sh",
    "read-facts.sh",
    "probe.sh",
    "hold-packages.sh",
    "open-firewall.sh",
    "install-k3s.sh",
    "publish-kubeconfig.sh",
    "watch-rotation.sh",
)
TIMERS = ("virt-ci-renewal", "virt-ci-rotation")
"""Daily, and every minute; the boot enables them once there is something to renew."""


@dataclass(frozen=True, slots=True)
class K3sRelease:
    """A pinned release of k3s: its version, and the SHA-256 of its binary and of `install.sh` at its tag."""

    version: str
    binary_sha256: str
    install_script_sha256: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Dom0Context:
    """What a dom0 machine needs to know."""

    hostname: str
    environment: str
    hypervisor: Hypervisor
    """The declared one; the machine compares it with what it has."""
    vault_uri: str
    """`https://NAME.vault.azure.net`, where the machine may set one secret."""
    kubeconfig_secret: str
    secret_tags: Mapping[str, str] = field(default_factory=dict)
    """Tags of that secret as they are declared."""
    address_space: IPv4Network
    """The network that the machine is in."""
    runners_subnet: IPv4Network
    """Who may reach SSH and the API."""
    k3s: K3sRelease
    pod_range: IPv4Network = K3S_POD_RANGE
    service_range: IPv4Network = K3S_SERVICE_RANGE


def dom0_boot_text(context: Dom0Context) -> str:
    """The boot text of a dom0 machine. Raises `Refusal` for ranges that overlap and a vault without TLS."""
    _require_apart(context)
    _require_tls(context.vault_uri)
    return render(context.hostname, _files(context), RETRY, SERVICE)


def _files(context: Dom0Context) -> list[BootFile]:
    services = [unit(f"{name}.{kind}") for name in TIMERS for kind in ("service", "timer")]
    return [
        environment(_values(context)),
        BootFile(TAGS_FILE, json.dumps(dict(sorted(context.secret_tags.items())))),
        *(script(name) for name in SCRIPTS),
        manifest("deployer.json"),
        unit(SERVICE),
        unit(RETRY),
        *services,
        unit("k3s.service.d-10-virt-ci.conf", "k3s.service.d/10-virt-ci.conf"),
    ]


def _values(context: Dom0Context) -> dict[str, str]:
    """No name starts with K3S_: the install script of k3s keeps such variables for its service."""
    return {
        "VIRTCI_ENVIRONMENT": context.environment,
        "VIRTCI_HYPERVISOR": context.hypervisor.value,
        "VIRTCI_VAULT_URI": context.vault_uri.rstrip("/"),
        "VIRTCI_KUBECONFIG_SECRET": context.kubeconfig_secret,
        "VIRTCI_RUNNERS_SUBNET": str(context.runners_subnet),
        "VIRTCI_POD_RANGE": str(context.pod_range),
        "VIRTCI_SERVICE_RANGE": str(context.service_range),
        "VIRTCI_HELD_PACKAGES": " ".join(HELD_PACKAGES),
        "VIRTCI_K3S_VERSION": context.k3s.version,
        "VIRTCI_K3S_BINARY_SHA256": context.k3s.binary_sha256,
        "VIRTCI_K3S_INSTALL_SCRIPT_SHA256": context.k3s.install_script_sha256,
    }


def _require_apart(context: Dom0Context) -> None:
    ranges = {
        "the network": context.address_space,
        "the pods of k3s": context.pod_range,
        "the services of k3s": context.service_range,
    }
    for first, second in combinations(ranges, 2):
        if ranges[first].overlaps(ranges[second]):
            raise Refusal(
                "the ranges of the network, of pods and of services do not overlap",
                f"machine {context.hostname} cannot tell {first} ({ranges[first]}) from {second} ({ranges[second]})",
                "choose another address space (hub.network.addressSpace)",
            )
    if not context.runners_subnet.subnet_of(context.address_space):
        raise Refusal(
            f"the subnet of the runners lies inside the network {context.address_space}",
            f"the firewall of machine {context.hostname} would let in {context.runners_subnet} and no runner",
            "take both from the outputs of the same hub",
        )


def _require_tls(vault_uri: str) -> None:
    if not vault_uri.startswith("https://"):
        raise Refusal(
            f"the address of a vault starts with https://; it is {vault_uri!r}",
            "the kubeconfig would cross the network readable",
            "take it from the vault's properties: https://NAME.vault.azure.net",
        )
