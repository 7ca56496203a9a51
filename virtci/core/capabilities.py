"""What L1VH needs of a node and of a cluster, with the smallest versions; the table is `virtci/data/capabilities.json`.

QEMU and libvirt of a node are judged when it has them. A node without them is no worse: the virtual machines of
KubeVirt use those of the virt-launcher image.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from virtci.core.environments import Gate
from virtci.core.probes import Probe
from virtci.core.problems import Refusal
from virtci.core.tables import table

ARCHITECTURES = ("x86_64", "amd64")
MEBIBYTE = 2**20
GIGABYTE = 10**9
VENDOR_KERNEL = "mshv"
RELEASE = re.compile(r"v?(\d+(?:\.\d+)*(?:-?rc\.?\d+|-(?:alpha|beta)\.\d+)?)")
"""The part of a version that can be compared: without the marks of distributions and builds after it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Capability:
    """One row of the table: what is needed, the least of it, why, and who says so."""

    what: str
    minimum: str
    why: str
    source: str


def capability(name: str) -> Capability:
    """The row of that name; `KeyError` when there is none."""
    return Capability(**table("capabilities")["capabilities"][name])


def capabilities() -> dict[str, Capability]:
    """All rows by name."""
    return {name: capability(name) for name in table("capabilities")["capabilities"]}


def shortfalls(probe: Probe) -> tuple[str, ...]:
    """What a node lacks for L1VH beside its device, a sentence each; none when nothing is missing."""
    return tuple(_shortfalls(probe))


def cluster_shortfalls(gate: Gate, kubevirt: str, kubernetes: str | None = None) -> tuple[str, ...]:
    """What a cluster lacks for a gate, by the versions of KubeVirt (`v1.8.2-l1vh.17`) and Kubernetes (`v1.34.1+k3s1`).

    The version of Kubernetes is left out where it is not known yet.
    The gate of the fork is known to no release of KubeVirt, so any version may be a build that has it.
    """
    found: list[str] = []
    if gate is not Gate.OFF and kubernetes is not None:
        found += _too_old("kubernetes", kubernetes)
    if gate is Gate.CONFIGURABLE_HYPERVISOR:
        found += _too_old("kubevirt", kubevirt)
    return tuple(found)


def is_older(version: str, minimum: str) -> bool:
    """Whether a version comes before another. Raises `Refusal` when it does not begin with numbers."""
    from packaging.version import Version  # here, because this module is imported by every run of the program

    return Version(_release(version)) < Version(_release(minimum))


def _shortfalls(probe: Probe) -> Iterator[str]:
    if probe.architecture not in ARCHITECTURES:
        yield f"architecture {probe.architecture}: {capability('architecture').why}"
    needed = int(capability("memory").minimum.split()[0])
    if probe.memory_mib * MEBIBYTE < needed * GIGABYTE:
        yield f"memory {probe.memory_mib} MiB: at least {needed} GB is needed; {capability('memory').why}"
    has_driver = probe.mshv.opens or VENDOR_KERNEL in probe.kernel
    yield from _too_old("kernel" if has_driver else "kernel-mainline", probe.kernel)
    if probe.qemu:
        yield from _too_old("qemu", probe.qemu.version)
        if "mshv" not in probe.qemu.accelerators:
            yield f"QEMU {probe.qemu.version} is built without the accelerator mshv"
    if probe.libvirt:
        yield from _too_old("libvirt", probe.libvirt)


def _too_old(name: str, version: str) -> Iterator[str]:
    row = capability(name)
    label = {"kernel-mainline": "kernel", "qemu": "QEMU", "kubevirt": "KubeVirt", "kubernetes": "Kubernetes"}.get(
        name, name
    )
    try:
        older = is_older(version, row.minimum)
    except Refusal as refusal:
        yield f"{label} {version or '(empty)'}: {refusal.rule}"
        return
    if older:
        yield f"{label} {version}: at least {row.minimum} is needed; {row.why}"


def _release(version: str) -> str:
    found = RELEASE.match(version)
    if not found:
        raise Refusal(
            "a version begins with numbers",
            "it cannot be held against the smallest one that works",
            "write it as its release does, for example 10.2.0",
        )
    return found[1]
