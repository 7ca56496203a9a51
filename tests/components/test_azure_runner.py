"""One on-demand machine in Azure: closed, in its slot, and gone as a whole."""

import base64
from typing import Any

import pytest

from components.azure_runner import AzureRunner, AzureRunnerArgs
from tests.committed import outputs
from tests.recorder import Recorder, record

VM = "azure-native:compute:VirtualMachine"
DISK = "azure-native:compute:Disk"
NIC = "azure-native:network:NetworkInterface"
SUBSCRIPTION = "00000000-0000-0000-0000-0000000000a1"
SLOT = "auto-runner-westus-03"
ARGUMENTS: AzureRunnerArgs = {
    "machine_name": "run-azure-4711-1-1",
    "slot": SLOT,
    "subscription_id": SUBSCRIPTION,
    "location": "westus",
    "size": "Standard_D4s_v5",
    "image_id": "/images/1",
    "subnet_id": "/subnets/runners",
    "boot_text": "#cloud-config\n",
    "ssh_keys": ["ssh-ed25519 AAAA one", "ssh-ed25519 BBBB two"],
    "tags": {"run": "owner/name/4711/1"},
}


def recorded(**changes: object) -> Recorder:
    """One machine with changed arguments."""

    def program() -> None:
        AzureRunner("runner", {**ARGUMENTS, **changes})  # type: ignore[typeddict-item]  # of any argument

    return record(program, Recorder(outputs=outputs), "run-azure-4711-1-1")


def machine(**changes: object) -> dict[str, Any]:
    return recorded(**changes).one(VM).plain()


def test_machine_interface_and_disk_are_in_the_slots_group_and_called_after_the_stack() -> None:
    found = recorded()
    vm, nic = found.one(VM).plain(), found.one(NIC).plain()

    assert {vm["resourceGroupName"], nic["resourceGroupName"]} == {SLOT}
    assert (vm["vmName"], vm["osProfile"]["computerName"]) == ("run-azure-4711-1-1", "run-azure-4711-1-1")
    assert (nic["networkInterfaceName"], vm["storageProfile"]["osDisk"]["name"]) == (
        "run-azure-4711-1-1-nic",
        "run-azure-4711-1-1-os",
    )
    assert vm["tags"] == nic["tags"] == ARGUMENTS["tags"]


def test_it_acts_as_the_identity_of_its_slot_alone() -> None:
    identity = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{SLOT}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{SLOT}"

    assert machine()["identity"] == {"type": "UserAssigned", "userAssignedIdentities": [identity]}


def test_whoever_deletes_it_deletes_everything() -> None:
    found = machine()

    assert found["storageProfile"]["osDisk"]["deleteOption"] == "Delete"
    assert [item["deleteOption"] for item in found["networkProfile"]["networkInterfaces"]] == ["Delete"]


def test_it_has_a_private_address_only() -> None:
    (configuration,) = recorded().one(NIC).inputs["ipConfigurations"]

    assert configuration["subnet"] == {"id": "/subnets/runners"}
    assert "publicIPAddress" not in configuration


def test_people_log_in_with_their_own_keys_as_one_user() -> None:
    profile = machine()["osProfile"]

    assert profile["adminUsername"] == "kontain"
    assert profile["linuxConfiguration"]["disablePasswordAuthentication"] is True
    assert [key["keyData"] for key in profile["linuxConfiguration"]["ssh"]["publicKeys"]] == ARGUMENTS["ssh_keys"]
    assert {key["path"] for key in profile["linuxConfiguration"]["ssh"]["publicKeys"]} == {
        "/home/kontain/.ssh/authorized_keys"
    }


def test_nothing_takes_the_hypervisor_away_or_runs_beside_the_boot_text() -> None:
    found = machine()

    assert "securityProfile" not in found
    assert found["osProfile"]["allowExtensionOperations"] is False
    assert found["osProfile"]["linuxConfiguration"]["patchSettings"]["patchMode"] == "ImageDefault"
    assert found["diagnosticsProfile"] == {"bootDiagnostics": {"enabled": True}}


def test_the_boot_text_is_sealed_and_encoded() -> None:
    found = recorded().one(VM)

    assert found.is_secret("osProfile.customData")
    assert base64.b64decode(found.plain()["osProfile"]["customData"]) == b"#cloud-config\n"


def test_it_is_on_demand_and_wherever_the_platform_likes_unless_told_otherwise() -> None:
    assert not {"priority", "evictionPolicy", "billingProfile", "zones"} & machine().keys()


def test_a_spot_machine_is_gone_when_it_is_taken_back() -> None:
    found = machine(spot=True)

    assert (found["priority"], found["evictionPolicy"], found["billingProfile"]) == ("Spot", "Delete", {"maxPrice": -1})


def test_a_zone_is_taken() -> None:
    assert machine(zone="2")["zones"] == ["2"]


def test_what_the_machine_says_of_its_boot_is_no_change() -> None:
    assert "tags.bootstage" in recorded().one(VM).ignore_changes


def test_a_machine_that_nobody_could_log_in_to_is_refused() -> None:
    with pytest.raises(ValueError, match="needs at least one SSH key"):
        recorded(ssh_keys=[])


BACK: dict[str, object] = {"image_id": "", "snapshot_id": "/snapshots/1", "boot_text": "", "ssh_keys": []}


def test_what_comes_back_is_a_machine_around_a_closed_copy_of_the_snapshot() -> None:
    found = recorded(**BACK, zone="2")
    vm, disk = found.one(VM).plain(), found.one(DISK).plain()

    assert disk["creationData"] == {"createOption": "Copy", "sourceResourceId": "/snapshots/1"}
    assert (disk["resourceGroupName"], disk["diskName"]) == (SLOT, "run-azure-4711-1-1-os")
    assert (disk["networkAccessPolicy"], disk["publicNetworkAccess"]) == ("DenyAll", "Disabled")
    assert (disk["zones"], disk["tags"]) == (vm["zones"], vm["tags"])
    system = vm["storageProfile"]["osDisk"]
    assert (system["createOption"], system["managedDisk"]) == ("Attach", {"id": "/ids/runner-disk"})
    assert system["deleteOption"] == "Delete"


def test_what_comes_back_brings_nothing_that_is_on_the_disk_and_acts_as_nobody() -> None:
    assert not {"osProfile", "identity"} & machine(**BACK).keys()
    assert "imageReference" not in machine(**BACK)["storageProfile"]


@pytest.mark.parametrize("sources", [{"image_id": ""}, {"snapshot_id": "/snapshots/1"}])
def test_a_machine_has_one_source(sources: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="an image or a snapshot, and not both"):
        recorded(**sources)


def test_a_name_that_the_platform_refuses_is_refused_first() -> None:
    with pytest.raises(ValueError, match="virtual machine names"):
        recorded(machine_name="run_azure_1")
