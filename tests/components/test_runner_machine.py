"""The stack of one machine: what the launcher writes into it becomes a machine in its cloud."""

import base64
from typing import Any

import pytest

from components.runner_machine import boot_context, machine_tags
from tests.committed import record_configuration
from tests.recorder import Recorder
from tests.settings.stackfile import ABSENT, changed, read, values
from tests.settings.test_runner_faults import MACHINE
from virtci.core.runners.clouds import Cloud
from virtci.core.runners.tags import read_run_tags

STACK = "run-azure-1-1-1"


def configuration(**changes: Any) -> dict[str, Any]:
    """The settings of a machine, as the launcher writes them."""
    return changed(
        {**values("kontain", runners=ABSENT, budget=ABSENT), "runner": dict(MACHINE)},
        {f"runner.{key}": value for key, value in changes.items()},
    )


def recorded(**changes: Any) -> Recorder:
    own = {f"virt-ci:{key}": value for key, value in configuration(**changes).items()}
    return record_configuration(STACK, own)


def test_the_stack_declares_one_machine_and_its_interface_and_tells_where_it_is() -> None:
    found = recorded()
    machine = found.one("azure-native:compute:VirtualMachine").plain()

    assert {item.kind for item in found.registrations if item.custom} == {
        "azure-native:compute:VirtualMachine", "azure-native:network:NetworkInterface",
        "pulumi:providers:azure-native",
    }  # fmt: skip
    assert (machine["vmName"], machine["hardwareProfile"]["vmSize"]) == (STACK, MACHINE["size"])
    assert found.exports["runner"]["slot"] == MACHINE["slot"]


def test_its_boot_text_is_the_one_of_its_label_and_slot() -> None:
    machine = recorded().one("azure-native:compute:VirtualMachine").plain()
    text = base64.b64decode(machine["osProfile"]["customData"]).decode()

    assert text.startswith("#cloud-config")
    assert f"hostname: {STACK}" in text


def test_what_the_machine_is_told_is_what_the_launcher_wrote() -> None:
    settings = read(configuration(spot=True, labels=["kkm"], capability="kvm-nested"))
    assert settings.runner
    context = boot_context(settings, settings.runner, STACK)

    assert (context.cloud, context.hostname, context.slot) == (Cloud.AZURE, STACK, MACHINE["slot"])
    assert (context.label, context.labels, context.spot) == (MACHINE["label"], ("kkm",), True)
    assert (context.vault_uri, context.repository_url) == (MACHINE["vault"], "https://github.com/rehearsal-org/km")
    assert context.deadline.isoformat() == "2026-01-01T06:00:00+00:00"


def test_its_tags_say_whose_it_is() -> None:
    settings = read(configuration())
    assert settings.runner
    tags = read_run_tags(machine_tags(settings, settings.runner, STACK), settings.system)

    assert tags
    assert (tags.stack, tags.run, tags.label, tags.slot) == (STACK, MACHINE["run"], MACHINE["label"], MACHINE["slot"])


def test_a_machine_that_comes_back_is_declared_with_its_last_day_and_without_a_boot_text() -> None:
    revive = {"snapshot": "/snapshots/1", "keepUntil": "2026-01-08T06:00:00Z"}
    found = recorded(image="", keys=[], revive=revive)
    machine = found.one("azure-native:compute:VirtualMachine").plain()

    assert {item.kind for item in found.registrations if item.custom} == {
        "azure-native:compute:Disk", "azure-native:compute:VirtualMachine", "azure-native:network:NetworkInterface",
        "pulumi:providers:azure-native",
    }  # fmt: skip
    assert machine["tags"]["keep-until"] == "2026-01-08T06:00:00Z"
    assert "osProfile" not in machine


@pytest.mark.parametrize(("size", "nested"), [("m5.xlarge", False), ("m8i.xlarge", True)])
def test_a_machine_in_aws_gets_a_hypervisor_inside_where_its_type_has_one(size: str, nested: bool) -> None:
    found = recorded(
        cloud="ec2",
        size=size,
        region="us-east-2",
        slot="auto-runner-us-east-2-01",
        vault="",
        image="ami-1",
        subnet="subnet-1",
    )
    machine = found.one("aws:ec2/instance:Instance").inputs

    assert (machine.get("cpuOptions") == {"nestedVirtualization": "enabled"}) is nested
    assert not [item for item in found.registrations if item.kind.startswith("azure-native:")]
