"""Probe documents: what is read, and what is refused by subject and field."""

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.core.probe_documents import ABSENT, LOCKED, OPENS, probe
from virtci.core.decision import Devices
from virtci.core.hypervisors import Hypervisor
from virtci.core.probes import Qemu, hypervisor_of, parse_probe, read_probe
from virtci.core.problems import Refusal
from virtci.core.tables import table


def without(field: str) -> dict[str, Any]:
    document = probe()
    place = document
    *parents, last = field.split(".")
    for name in parents:
        place[name] = dict(place[name])
        place = place[name]
    del place[last]
    return document


def refusal(document: Any) -> str:
    with pytest.raises(Refusal) as refused:
        read_probe(document, "node n1")
    assert refused.value.consequence
    assert refused.value.fix
    return refused.value.rule


def test_every_field_is_read() -> None:
    found = parse_probe(json.dumps(probe(kvm=LOCKED)), "machine dev")

    assert (found.host, found.kernel, found.architecture) == ("machine", "6.6.135.mshv2-1.azl3", "x86_64")
    assert (found.cpu_flags, found.memory_mib, found.libvirt) == (("vmx",), 32094, "11.10.0")
    assert found.qemu == Qemu("10.2.0", ("mshv", "tcg"))
    assert found.devices == Devices(mshv=True, kvm=False)
    assert (found.kvm.exists, found.kvm.error) == (True, "permission denied")
    assert (found.hypervisor, found.declared, found.reason) == (Hypervisor.MSHV, Hypervisor.MSHV, "")


def test_unknown_qemu_and_libvirt_are_absent() -> None:
    found = read_probe(probe(qemu=None, libvirt=None), "node n1")

    assert found.qemu is None
    assert found.libvirt is None


@pytest.mark.parametrize(
    ("mshv", "kvm", "expected"),
    [
        (True, True, Hypervisor.MSHV),
        (True, False, Hypervisor.MSHV),
        (False, True, Hypervisor.KVM),
        (False, False, Hypervisor.EMULATION),
    ],
)
def test_real_hypervisor_is_the_best_device_that_opens(mshv: bool, kvm: bool, expected: Hypervisor) -> None:
    assert hypervisor_of(Devices(mshv=mshv, kvm=kvm)) is expected


@pytest.mark.parametrize("field", [*probe(), "devices.mshv", "devices.kvm.opens", "qemu.version", "qemu.accelerators"])
def test_missing_field_is_named(field: str) -> None:
    rule = refusal(without(field))

    assert rule.startswith(f"node n1: {field.rpartition('.')[0] or 'document'}: ")
    assert f"'{field.rpartition('.')[2]}'" in rule


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"memoryMiB": "32094"}, "memoryMiB"),
        ({"memoryMiB": 0}, "memoryMiB"),
        ({"mshv": {**OPENS, "opens": "yes"}}, "devices.mshv.opens"),
        ({"cpuFlags": "vmx"}, "cpuFlags"),
        ({"cpuFlags": ["vmx", ""]}, "cpuFlags.1"),
        ({"declared": "xen"}, "declared"),
        ({"qemu": "10.2.0"}, "qemu"),
        ({"libvirt": ""}, "libvirt"),
        ({"surprise": 1}, "document"),
    ],
)
def test_wrong_field_is_named(changes: dict[str, Any], place: str) -> None:
    assert refusal(probe(**changes)).startswith(f"node n1: {place}: ")


@pytest.mark.parametrize("document", [None, [], "mshv", 7])
def test_document_that_is_no_object_is_refused(document: Any) -> None:
    assert refusal(document).startswith("node n1: document: ")


@pytest.mark.parametrize("version", [0, 2, "1", None])
def test_unknown_version_is_said_before_anything_else(version: Any) -> None:
    rule = refusal({"version": version, "newField": True})

    assert rule == f"node n1: version: is {version!r}; this program reads version 1"


def test_text_that_is_no_json_is_refused() -> None:
    with pytest.raises(Refusal, match=r"machine dev: is JSON \("):
        parse_probe("cat: /dev/mshv: No such device", "machine dev")


def test_device_that_opens_without_existing_is_refused() -> None:
    assert refusal(probe(kvm={"exists": False, "opens": True, "error": ""})) == (
        "node n1: devices.kvm.opens: is true although the device does not exist"
    )


def test_hypervisor_that_the_devices_contradict_is_refused() -> None:
    assert refusal(probe(mshv=ABSENT, kvm=OPENS, hypervisor="mshv")) == (
        "node n1: hypervisor: is mshv although the devices say kvm"
    )


def test_schema_is_a_schema_of_the_hypervisors_there_are() -> None:
    schema = table("schemas/probe.v1")

    Draft202012Validator.check_schema(schema)
    assert schema["$defs"]["hypervisor"]["enum"] == [item.value for item in Hypervisor]
    Draft202012Validator(schema).validate(probe())
