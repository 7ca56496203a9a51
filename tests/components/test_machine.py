"""The machines: no public address, no password, nothing that takes the hypervisor away."""

import base64

import pytest

from components.machine import Machine, MachineArgs
from tests.committed import STACKS, fleet
from tests.recorder import Recorder, Registration, record
from virtci.core.lifetimes import Lifetime

VM = "azure-native:compute:VirtualMachine"
SCHEDULE = "azure-native:devtestlab:GlobalSchedule"
MACHINES = [item for stack in STACKS for item in fleet(stack).all(VM)]
ARGUMENTS: MachineArgs = {
    "machine_name": "box",
    "resource_group_name": "group",
    "location": "westus",
    "tags": {},
    "size": "Standard_D8s_v5",
    "image": {"id": "image"},
    "os_disk_gib": 128,
    "lifetime": Lifetime.ALWAYS_ON,
    "subnet_id": "subnet",
    "identity_id": "identity",
    "boot_text": "#cloud-config\n",
    "vault_name": "vault",
    "vault_resource_group_name": "group",
}


def recorded(**changes: object) -> Recorder:
    """One machine with changed arguments."""

    def program() -> None:
        Machine("box", {**ARGUMENTS, **changes})  # type: ignore[typeddict-item]  # of any argument

    return record(program, Recorder())


def every_machine(test: object) -> object:
    """Runs a test for each machine of the fleet."""
    return pytest.mark.parametrize("machine", MACHINES, ids=[item.name for item in MACHINES])(test)


@every_machine
def test_a_machine_has_no_security_profile(machine: Registration) -> None:
    assert "securityProfile" not in machine.inputs


@every_machine
def test_a_machine_takes_ssh_keys_and_no_password(machine: Registration) -> None:
    profile = machine.plain()["osProfile"]

    assert profile["linuxConfiguration"]["disablePasswordAuthentication"] is True
    assert "adminPassword" not in profile
    assert profile["linuxConfiguration"]["ssh"]["publicKeys"][0]["keyData"].startswith("ssh-ed25519 ")


@every_machine
def test_the_disk_goes_with_its_machine_and_the_interface_waits_for_the_next_one(machine: Registration) -> None:
    assert machine.inputs["storageProfile"]["osDisk"]["deleteOption"] == "Delete"
    assert machine.inputs["networkProfile"]["networkInterfaces"][0]["deleteOption"] == "Detach"


@every_machine
def test_a_machine_acts_as_a_user_assigned_identity(machine: Registration) -> None:
    assert machine.inputs["identity"]["type"] == "UserAssigned"
    assert len(machine.inputs["identity"]["userAssignedIdentities"]) == 1


@every_machine
def test_the_boot_log_can_be_read(machine: Registration) -> None:
    assert machine.inputs["diagnosticsProfile"] == {"bootDiagnostics": {"enabled": True}}


@every_machine
def test_a_changed_boot_text_replaces_the_machine_before_its_name_is_needed_again(machine: Registration) -> None:
    assert "osProfile.customData" in machine.replace_on_changes
    assert machine.delete_before_replace


@every_machine
def test_the_special_kernel_is_not_upgraded(machine: Registration) -> None:
    profile = machine.plain()["osProfile"]

    assert profile["linuxConfiguration"]["patchSettings"]["patchMode"] == "ImageDefault"
    assert "package_upgrade: false" in base64.b64decode(profile["customData"]).decode()


def test_no_interface_has_a_public_address_or_forwards() -> None:
    interfaces = [item for stack in STACKS for item in fleet(stack).all("azure-native:network:NetworkInterface")]

    assert len(interfaces) == len(MACHINES)
    assert not [item.name for item in interfaces if item.inputs["enableIPForwarding"]]
    assert not [
        item.name for item in interfaces for config in item.inputs["ipConfigurations"] if "publicIPAddress" in config
    ]


@pytest.mark.parametrize(
    ("lifetime", "schedules"), [(Lifetime.ALWAYS_ON, 0), (Lifetime.WORKING_HOURS, 1), (Lifetime.ON_DEMAND, 1)]
)
def test_the_lifetime_class_decides_about_the_daily_shutdown(lifetime: Lifetime, schedules: int) -> None:
    assert len(recorded(lifetime=lifetime).all(SCHEDULE)) == schedules


def test_the_shutdown_has_the_one_name_that_the_platform_looks_for() -> None:
    schedule = recorded(lifetime=Lifetime.ON_DEMAND, shutdown_time="2030", time_zone="UTC").one(SCHEDULE).inputs

    assert schedule["name"] == "shutdown-computevm-box"
    assert schedule["dailyRecurrence"] == {"time": "2030"}
    assert schedule["targetResourceId"] == "/ids/box"


def test_a_boot_text_above_the_platforms_limit_is_refused() -> None:
    with pytest.raises(ValueError, match="has 65536 bytes; the platform takes 65535"):
        recorded(boot_text="x" * 65536)
