"""The probe document: what a machine says of its own hypervisor, version 1.

`virtci/boot/scripts/probe.sh` prints it, at boot and in the probe pods of a cluster; its shape is
`virtci/data/schemas/probe.v1.json`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from virtci.core.decision import Devices
from virtci.core.hypervisors import Hypervisor
from virtci.core.problems import Refusal
from virtci.core.tables import table

VERSION = 1
AGAIN = "measure the nodes again with the probe of this version of the project"


@dataclass(frozen=True, slots=True)
class Device:
    """A device file: there, and of use. A device that exists and does not open is of none."""

    exists: bool
    opens: bool
    error: str


@dataclass(frozen=True, slots=True)
class Qemu:
    """The QEMU of a machine."""

    version: str
    accelerators: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Probe:
    """What one machine has; memory in MiB. QEMU and libvirt are absent where the machine has none."""

    host: str
    kernel: str
    architecture: str
    cpu_flags: tuple[str, ...]
    memory_mib: int
    mshv: Device
    kvm: Device
    qemu: Qemu | None
    libvirt: str | None
    hypervisor: Hypervisor
    declared: Hypervisor
    reason: str

    @property
    def devices(self) -> Devices:
        """The devices that open."""
        return Devices(mshv=self.mshv.opens, kvm=self.kvm.opens)


def hypervisor_of(devices: Devices) -> Hypervisor:
    """What a machine with these devices really has."""
    if devices.mshv:
        return Hypervisor.MSHV
    return Hypervisor.KVM if devices.kvm else Hypervisor.EMULATION


def parse_probe(text: str, subject: str) -> Probe:
    """The probe of the subject, for example `machine dev-vm`. Raises `Refusal` naming subject and field."""
    return read_probe(decoded(text, subject), subject)


def read_probe(document: Any, subject: str) -> Probe:
    """The probe in a decoded document. Raises `Refusal` naming subject and field."""
    require_shape(document, "probe", subject)
    probe = _made(document)
    for name, device in (("mshv", probe.mshv), ("kvm", probe.kvm)):
        if device.opens and not device.exists:
            raise _refusal(subject, f"devices.{name}.opens", "is true although the device does not exist")
    if probe.hypervisor is not hypervisor_of(probe.devices):
        raise _refusal(
            subject,
            "hypervisor",
            f"is {probe.hypervisor} although the devices say {hypervisor_of(probe.devices)}",
        )
    return probe


def decoded(text: str, subject: str) -> Any:
    """The JSON in a text. Raises `Refusal` naming the subject."""
    try:
        return json.loads(text)
    except ValueError as error:
        raise Refusal(f"{subject}: is JSON ({error})", "nothing is known of it", AGAIN) from None


def require_shape(document: Any, kind: str, subject: str) -> None:
    """Raises `Refusal` naming subject and field when a document has not the shape of its kind."""
    if isinstance(document, Mapping) and "version" in document and document["version"] != VERSION:
        raise _refusal(subject, "version", f"is {document['version']!r}; this program reads version {VERSION}")
    from jsonschema import Draft202012Validator  # here, because every run of the program imports this module

    definitions = table("schemas/probe.v1")["$defs"]
    validator = Draft202012Validator({"$ref": f"#/$defs/{kind}", "$defs": definitions})
    errors = sorted(validator.iter_errors(document), key=lambda error: [str(part) for part in error.absolute_path])
    if errors:
        raise _refusal(subject, _field(document, list(errors[0].absolute_path)), errors[0].message)


def _field(document: Any, path: Sequence[str | int]) -> str:
    """A place in a document, as `devices.mshv.opens`; an entry of a list is called by its node's name if it has one."""
    parts: list[str] = []
    for part in path:
        document = document[part]
        name = document.get("node") if isinstance(part, int) and isinstance(document, Mapping) else None
        parts.append(str(name or part))
    return ".".join(parts) or "document"


def _refusal(subject: str, field: str, what: str) -> Refusal:
    return Refusal(f"{subject}: {field}: {what}", "what the node has cannot be told from what it has not", AGAIN)


def _made(document: Mapping[str, Any]) -> Probe:
    qemu = document["qemu"]
    return Probe(
        host=document["host"],
        kernel=document["kernel"],
        architecture=document["architecture"],
        cpu_flags=_words(document["cpuFlags"]),
        memory_mib=document["memoryMiB"],
        mshv=Device(**document["devices"]["mshv"]),
        kvm=Device(**document["devices"]["kvm"]),
        qemu=Qemu(qemu["version"], _words(qemu["accelerators"])) if qemu else None,
        libvirt=document["libvirt"],
        hypervisor=Hypervisor(document["hypervisor"]),
        declared=Hypervisor(document["declared"]),
        reason=document["reason"],
    )


def _words(values: Sequence[str]) -> tuple[str, ...]:
    return tuple(values)
