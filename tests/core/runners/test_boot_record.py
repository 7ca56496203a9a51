"""What an on-demand machine tells of its boot, and what becomes of it in the launcher's terms."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from virtci.core.boot_tags import DEADLINE, Boot, Reason, Stage, read_boot
from virtci.core.hypervisors import Hypervisor
from virtci.core.problems import Refusal
from virtci.core.runners.boot_record import (
    boot_parameter,
    failure_of,
    read_boot_parameter,
    registration_parameter,
    waits_for_registration,
)
from virtci.core.runners.failures import Code

INSTANCE = "i-0123456789abcdef0"
RECORD = {
    "bootstage": "probed",
    "bootid": "b",
    "bootat": "2026-01-05T08:00:00Z",
    "boothypervisor": "kvm",
    "bootmachine": INSTANCE,
    "bootreason": "-",
}


def told(**more: str) -> Boot:
    boot = read_boot_parameter(json.dumps(RECORD | more), INSTANCE)
    assert boot is not None
    return boot


def test_parameter_tells_what_tags_tell() -> None:
    assert told() == read_boot(RECORD, INSTANCE)
    assert (told().stage, told().hypervisor, told().reason) == (Stage.PROBED, Hypervisor.KVM, "")


def test_record_of_a_machine_that_was_in_the_slot_before_tells_nothing() -> None:
    assert read_boot_parameter(json.dumps(RECORD), "i-another") is None
    assert read_boot_parameter("{}", INSTANCE) is None


@pytest.mark.parametrize("text", ["", "none", "[]", '"probed"'])
def test_parameter_that_nobody_can_read_is_refused(text: str) -> None:
    with pytest.raises(Refusal, match=INSTANCE):
        read_boot_parameter(text, INSTANCE)


@pytest.mark.parametrize("stage", Stage)
def test_machine_waits_for_its_registration_between_probe_and_ready(stage: Stage) -> None:
    assert waits_for_registration(told(bootstage=stage)) is (stage in (Stage.PROBED, Stage.INSTALLED))


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_is_a_failure_of_the_launcher(reason: Reason) -> None:
    assert failure_of(told(bootstage="failed", bootreason=f"{reason}: why")) in set(Code)


def test_absent_hypervisor_and_eviction_keep_their_names() -> None:
    for reason in (Reason.HYPERVISOR_ABSENT, Reason.SPOT_EVICTED):
        code = failure_of(told(bootstage="failed", bootreason=f"{reason}: why"))
        assert code is not None
        assert code.value == reason.value


def test_boot_that_did_not_fail_has_no_failure() -> None:
    assert failure_of(told(bootreason="no /dev/mshv")) is None


def test_runner_that_had_its_job_is_not_overdue() -> None:
    later = datetime(2026, 1, 5, 8, tzinfo=UTC) + DEADLINE + timedelta(seconds=1)
    assert [told(bootstage=stage).is_overdue(later) for stage in ("probed", "served")] == [True, False]


def test_slot_has_a_parameter_for_each_direction() -> None:
    assert (
        registration_parameter("auto-runner-us-east-2-01") == "/virt-ci/runners/auto-runner-us-east-2-01/registration"
    )
    assert boot_parameter("auto-runner-us-east-2-01") == "/virt-ci/runners/auto-runner-us-east-2-01/boot"
