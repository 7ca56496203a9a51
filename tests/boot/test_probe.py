"""The probe, by every shell that this machine has: what a machine really has, and why it is not what was declared."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from virtci.boot.render import script
from virtci.core.hypervisors import Hypervisor
from virtci.core.probes import Probe, parse_probe
from virtci.rehearsal.boot.sandbox import Device, Sandbox, sandbox, unavailable

SHELLS = (("dash",), ("bash", "--posix"), ("busybox", "sh"))
QEMU = """#!/bin/sh
case $1 in
--version) echo 'QEMU emulator version 10.2.0 (qemu-10.2.0-1.azl3)'; echo 'Copyright (c) Fabrice Bellard' ;;
-accel) echo 'Accelerators supported in QEMU binary:'; echo mshv; echo tcg ;;
esac
"""
LIBVIRT = "#!/bin/sh\necho 'libvirtd (libvirt) 11.10.0'\n"


@pytest.fixture(params=SHELLS, ids=lambda words: words[0])
def shell(request: pytest.FixtureRequest) -> tuple[str, ...]:
    words: tuple[str, ...] = request.param
    if shutil.which(words[0]) is None:
        pytest.skip(f"{words[0]} is not on PATH of this machine")
    return words


def probe(shell: tuple[str, ...], root: Path, declared: str, host: str = "node-1") -> Probe:
    environment = {"PATH": os.environ["PATH"], "PROBE_HOST": host, "PROBE_ROOT": str(root)}
    done = subprocess.run(
        [*shell, "-s", declared],
        input=script("probe.sh").content,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return parse_probe(done.stdout, "the node")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "dev").mkdir()
    return tmp_path


def test_device_that_opens_is_the_hypervisor(shell: tuple[str, ...], root: Path) -> None:
    (root / "dev/mshv").touch()
    found = probe(shell, root, "mshv")
    assert found.hypervisor is Hypervisor.MSHV
    assert found.mshv.opens
    assert found.mshv.error == found.reason == ""
    assert (found.kvm.exists, found.kvm.error) == (False, "no such device")


def test_mshv_comes_before_kvm(shell: tuple[str, ...], root: Path) -> None:
    (root / "dev/mshv").touch()
    (root / "dev/kvm").touch()
    assert probe(shell, root, "mshv").hypervisor is Hypervisor.MSHV


def test_missing_device_of_the_declared_hypervisor_is_the_reason(shell: tuple[str, ...], root: Path) -> None:
    (root / "dev/kvm").touch()
    found = probe(shell, root, "mshv")
    assert found.hypervisor is Hypervisor.KVM
    assert found.reason.startswith("declared mshv, found kvm: there is no /dev/mshv; the image is not a dom0qemu image")
    assert len(found.reason) <= 256


def test_kvm_that_is_missing_is_named_too(shell: tuple[str, ...], root: Path) -> None:
    assert probe(shell, root, "kvm").reason.startswith("declared kvm, found emulation: there is no /dev/kvm")


def test_emulation_is_always_met(shell: tuple[str, ...], root: Path) -> None:
    found = probe(shell, root, "emulation")
    assert found.hypervisor is Hypervisor.EMULATION
    assert found.reason == ""


def test_device_that_does_not_open_tells_what_the_system_says(shell: tuple[str, ...], root: Path) -> None:
    (root / "dev/mshv").mkdir()
    found = probe(shell, root, "mshv")
    assert found.mshv.exists
    assert not found.mshv.opens
    assert found.mshv.error == "is a directory"
    assert "/dev/mshv exists but does not open (is a directory)" in found.reason


def test_names_may_have_any_character(shell: tuple[str, ...], root: Path) -> None:
    assert probe(shell, root, "kvm", host='no"de\\1').host == 'no"de\\1'


@pytest.mark.parametrize("declared", ["", "qemu"])
def test_unknown_declaration_is_refused(shell: tuple[str, ...], declared: str) -> None:
    done = subprocess.run(
        [*shell, "-s", declared], input=script("probe.sh").content, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "mshv" in done.stderr
    assert done.stdout == ""


@pytest.fixture(scope="module")
def complete() -> Iterator[Sandbox]:
    if unavailable():
        pytest.skip(unavailable())
    devices: dict[str, Device] = {"mshv": "opens", "kvm": "present"}
    with sandbox([], devices=devices, programs={"qemu-system-x86_64": QEMU, "libvirtd": LIBVIRT}) as box:
        yield box


def test_machine_with_everything_tells_everything(complete: Sandbox) -> None:
    found = parse_probe(complete.run("sh", "-s", "mshv", stdin=script("probe.sh").content).stdout, "the machine")
    assert found.qemu is not None
    assert (found.qemu.version, found.qemu.accelerators) == ("10.2.0", ("mshv", "tcg"))
    assert found.libvirt == "11.10.0"
    assert found.mshv.opens
    assert found.kvm.exists
    assert not found.kvm.opens
    assert found.memory_mib > 0
    assert set(found.cpu_flags) <= {"vmx", "svm", "hypervisor"}


def test_document_is_one_line(complete: Sandbox) -> None:
    text = complete.run("sh", "-s", "mshv", stdin=script("probe.sh").content).stdout
    assert text.count("\n") == 1
    assert json.loads(text)["version"] == 1
