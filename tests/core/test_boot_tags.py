"""What a machine tells of its boot is read, or refused by name."""

from datetime import UTC, datetime, timedelta

import pytest

from virtci.core import boot_tags
from virtci.core.boot_tags import DEADLINE, FIXES, Reason, Stage, read_boot
from virtci.core.hypervisors import Hypervisor
from virtci.core.problems import Refusal

TAGS = {
    "bootstage": "ready",
    "bootid": "0d1d0b8f-de5e-4962-9ea7-53327c5725c9",
    "bootat": "2026-01-31T12:00:00Z",
    "boothypervisor": "mshv",
    "bootreason": "-",
}


def test_boot_that_got_ready_is_read() -> None:
    boot = read_boot(TAGS, "dev-vm")
    assert boot is not None
    assert boot.stage is Stage.READY
    assert boot.is_ready
    assert boot.at == datetime(2026, 1, 31, 12, tzinfo=UTC)
    assert boot.hypervisor is Hypervisor.MSHV
    assert boot.reason == boot.fix == ""
    assert boot.code is None


def test_machine_that_told_nothing_has_no_boot() -> None:
    assert read_boot({"owner": "kubevirt-ci"}, "dev-vm") is None


def test_failed_boot_has_a_code_and_a_fix() -> None:
    boot = read_boot(TAGS | {"bootstage": "failed", "bootreason": "ROLE: the identity may not PUT"}, "dev-vm")
    assert boot is not None
    assert boot.code is Reason.ROLE
    assert boot.reason == "ROLE: the identity may not PUT"
    assert boot.fix == FIXES[Reason.ROLE]
    assert not boot.is_ready


def test_reason_of_another_program_is_an_internal_one() -> None:
    boot = read_boot(TAGS | {"bootstage": "failed", "bootreason": "something else"}, "dev-vm")
    assert boot is not None
    assert boot.code is Reason.INTERNAL


def test_boot_may_be_ready_and_have_a_reason() -> None:
    boot = read_boot(TAGS | {"bootreason": "declared mshv, found kvm"}, "dev-vm")
    assert boot is not None
    assert boot.reason == "declared mshv, found kvm"
    assert boot.code is None


def test_boot_without_a_hypervisor_yet_is_read() -> None:
    boot = read_boot({name: value for name, value in TAGS.items() if name != "boothypervisor"}, "dev-vm")
    assert boot is not None
    assert boot.hypervisor is None


@pytest.mark.parametrize(
    ("stage", "late"), [("booting", True), ("published", True), ("ready", False), ("failed", False)]
)
def test_only_a_boot_under_way_can_be_overdue(stage: str, late: bool) -> None:
    boot = read_boot(TAGS | {"bootstage": stage}, "dev-vm")
    assert boot is not None
    assert boot.is_overdue(boot.at + DEADLINE + timedelta(seconds=1)) is late
    assert not boot.is_overdue(boot.at + DEADLINE)


@pytest.mark.parametrize(("name", "value"), [("bootstage", "done"), ("bootat", "yesterday"), ("boothypervisor", "xen")])
def test_wrong_tag_is_refused_with_machine_name_and_value(name: str, value: str) -> None:
    with pytest.raises(Refusal) as refusal:
        read_boot(TAGS | {name: value}, "dev-vm")
    assert all(word in refusal.value.rule for word in (name, "dev-vm", value))


def test_every_reason_has_a_fix() -> None:
    assert set(FIXES) == set(Reason)
    assert set(boot_tags.NAMES) == set(TAGS)
