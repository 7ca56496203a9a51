"""Virtual machines: sizes, images, interfaces, disks, power."""

import pytest

from tests.rehearsal.azure.simulated import COMPUTE, GROUP, NETWORK, Cloud, build, default_scenario, refused
from virtci.rehearsal.azure import tables

VM = f"{COMPUTE}/virtualMachines/vm"
UBUNTU = {"publisher": "Canonical", "offer": "ubuntu-24_04-lts", "sku": "server", "version": "latest"}


def test_a_machine_gets_its_id_disk_and_identity(cloud: Cloud) -> None:
    _, outputs = cloud.machine(identity={"type": "SystemAssigned"})
    assert outputs["provisioningState"] == "Succeeded"
    assert len(outputs["vmId"]) == 36
    assert outputs["identity"]["principalId"] in cloud.manager.store.principals
    disk = cloud.get(f"{COMPUTE}/disks/vm-os")
    assert disk["managedBy"] == VM


def test_a_machine_names_the_client_of_the_identities_it_was_given(ready: Cloud) -> None:
    identity, made = ready.identity()
    _, outputs = ready.machine(identity={"type": "UserAssigned", "userAssignedIdentities": [identity]})
    assert outputs["identity"]["userAssignedIdentities"][identity]["clientId"] == made["clientId"]


def test_custom_data_goes_in_and_never_comes_out(cloud: Cloud) -> None:
    _, outputs = cloud.machine()
    assert "customData" not in outputs["osProfile"]


def test_creating_a_machine_takes_its_time_on_the_simulated_clock(ready: Cloud) -> None:
    before = ready.clock.seconds
    ready.create("compute:VirtualMachine", **ready.machine_inputs())
    assert ready.clock.seconds - before == 60


def test_a_size_that_does_not_exist_is_refused(cloud: Cloud) -> None:
    with refused() as refusal:
        cloud.machine(hardwareProfile={"vmSize": "Standard_Z9"})
    assert refusal.said == (400, "InvalidParameter")


def test_a_size_that_the_region_does_not_offer_is_refused(cloud: Cloud) -> None:
    missing = next(name for name in tables.sizes() if not tables.offers("westus", name))
    with refused() as refusal:
        cloud.machine(hardwareProfile={"vmSize": missing})
    assert refusal.said == (409, "SkuNotAvailable")
    assert missing in refusal.error.message


def test_a_machine_without_a_size_is_refused(cloud: Cloud) -> None:
    with refused() as refusal:
        cloud.machine(hardwareProfile={})
    assert refusal.said == (400, "InvalidParameter")


def test_a_gallery_image_that_the_scenario_does_not_name_is_refused(cloud: Cloud) -> None:
    image = f"{COMPUTE}/galleries/images/images/runner/versions/9.9.9"
    with refused() as refusal:
        cloud.machine(storageProfile={"imageReference": {"id": image}})
    assert refusal.said == (404, "GalleryImageNotFound")


def test_an_image_definition_stands_for_its_newest_version(cloud: Cloud) -> None:
    image = f"{COMPUTE}/galleries/images/images/runner"
    assert cloud.machine(storageProfile={"imageReference": {"id": image}})


def test_a_marketplace_image_must_be_in_the_scenario() -> None:
    with refused() as refusal:
        build().machine(storageProfile={"imageReference": UBUNTU})
    assert refusal.said == (404, "PlatformImageNotFound")
    known = default_scenario(marketplace={"Canonical:ubuntu-24_04-lts:server"})
    assert build(known).machine(storageProfile={"imageReference": UBUNTU})


def test_an_incomplete_marketplace_image_is_refused(cloud: Cloud) -> None:
    with refused() as refusal:
        cloud.machine(storageProfile={"imageReference": {"publisher": "Canonical"}})
    assert "imageReference.offer" in refusal.error.message


@pytest.mark.parametrize(
    ("profile", "text"),
    [
        ({"adminUsername": "root"}, "Admin Username"),
        ({"customData": "not base64!"}, "Base64"),
        ({"customData": "QUFB" * 30000}, "maximum length"),
    ],
)
def test_an_operating_system_profile_that_azure_refuses(cloud: Cloud, profile: dict[str, str], text: str) -> None:
    with refused() as refusal:
        cloud.machine(osProfile={"computerName": "vm"} | profile)
    assert refusal.said == (400, "InvalidParameter")
    assert text in refusal.error.message


@pytest.mark.parametrize(
    ("change", "path"),
    [
        (
            {"osProfile": {"computerName": "vm", "adminUsername": "azureuser", "customData": "bmV3"}},
            "osProfile.customData",
        ),
        ({"osProfile": {"computerName": "other", "adminUsername": "azureuser"}}, "osProfile.computerName"),
        ({"storageProfile": {"imageReference": {"id": f"{COMPUTE}/galleries/images/images/runner"}}}, "imageReference"),
        ({"priority": "Spot"}, "priority"),
        ({"zones": ["1"]}, "zones"),
    ],
)
def test_what_is_fixed_at_creation_makes_an_update_fail(cloud: Cloud, change: dict[str, object], path: str) -> None:
    made, _ = cloud.machine()
    inputs = cloud.machine_inputs(nic=f"{NETWORK}/networkInterfaces/vm-nic") | change
    with refused() as refusal:
        cloud.update("compute:VirtualMachine", made, **inputs)
    assert refusal.said == (409, "PropertyChangeNotAllowed")
    assert path in refusal.error.message


def test_a_machine_can_be_resized_and_tagged(cloud: Cloud) -> None:
    made, before = cloud.machine()
    inputs = cloud.machine_inputs(nic=f"{NETWORK}/networkInterfaces/vm-nic")
    larger = inputs | {"hardwareProfile": {"vmSize": "Standard_D4s_v5"}, "tags": {"a": "b"}}
    after = cloud.update("compute:VirtualMachine", made, **larger)
    assert after["hardwareProfile"]["vmSize"] == "Standard_D4s_v5"
    assert after["vmId"] == before["vmId"]


def test_a_machine_cannot_move_to_another_region(cloud: Cloud) -> None:
    made, _ = cloud.machine()
    inputs = cloud.machine_inputs(nic=f"{NETWORK}/networkInterfaces/vm-nic")
    with refused() as refusal:
        cloud.update("compute:VirtualMachine", made, location="eastus", **inputs)
    assert refusal.said == (409, "InvalidResourceLocation")


def test_a_machine_needs_an_interface(ready: Cloud) -> None:
    with refused() as refusal:
        ready.create("compute:VirtualMachine", **ready.machine_inputs(networkProfile={"networkInterfaces": []}))
    assert refusal.said == (400, "InvalidParameter")


def test_an_interface_that_is_not_there_is_refused(ready: Cloud) -> None:
    nic = f"{NETWORK}/networkInterfaces/missing"
    with refused() as refusal:
        ready.create("compute:VirtualMachine", **ready.machine_inputs(nic=nic))
    assert refusal.said == (404, "NotFound")
    assert nic in refusal.error.message
    assert VM in refusal.error.message


def test_an_interface_serves_one_machine(ready: Cloud) -> None:
    ready.create("compute:VirtualMachine", **ready.machine_inputs())
    with refused() as refusal:
        ready.create("compute:VirtualMachine", **ready.machine_inputs("other"))
    assert refusal.said == (400, "NicInUse")


def interfaces(ready: Cloud, count: int, primary: bool) -> dict[str, object]:
    ids = [ready.interface(f"more{index}") for index in range(count)]
    return {
        "networkInterfaces": [
            {"id": item, "primary": True} if primary and item == ids[0] else {"id": item} for item in ids
        ]
    }


def test_more_interfaces_than_the_size_has_are_refused(ready: Cloud) -> None:
    profile = interfaces(ready, 3, primary=True)
    with refused() as refusal:
        ready.create("compute:VirtualMachine", **ready.machine_inputs(networkProfile=profile))
    assert refusal.said == (400, "NetworkInterfaceCountExceeded")


def test_one_of_several_interfaces_must_be_the_primary(ready: Cloud) -> None:
    profile = interfaces(ready, 2, primary=False)
    with refused() as refusal:
        ready.create("compute:VirtualMachine", **ready.machine_inputs(networkProfile=profile))
    assert refusal.said == (400, "VirtualMachineMustHaveOneNetworkInterfaceAsPrimary")


def test_a_running_machine_keeps_its_interfaces(cloud: Cloud) -> None:
    made, _ = cloud.machine()
    other = cloud.interface("other")
    with refused() as refusal:
        cloud.update("compute:VirtualMachine", made, **cloud.machine_inputs(nic=other))
    assert refusal.said == (409, "OperationNotAllowed")
    cloud.request("POST", f"{made}/deallocate")
    cloud.update("compute:VirtualMachine", made, **cloud.machine_inputs(nic=other))
    assert "virtualMachine" not in cloud.get(f"{NETWORK}/networkInterfaces/vm-nic")["properties"]


def test_an_interface_in_use_cannot_be_deleted(cloud: Cloud) -> None:
    cloud.machine()
    with refused() as refusal:
        cloud.delete(f"{NETWORK}/networkInterfaces/vm-nic")
    assert refusal.said == (400, "NicInUse")
    assert VM in refusal.error.message


def test_disk_and_interface_go_with_the_machine_when_it_says_so(cloud: Cloud) -> None:
    made, _ = cloud.machine()
    cloud.delete(made)
    assert not cloud.exists(f"{COMPUTE}/disks/vm-os")
    assert not cloud.exists(f"{NETWORK}/networkInterfaces/vm-nic")


def test_without_a_delete_option_they_stay(ready: Cloud) -> None:
    inputs = ready.machine_inputs()
    inputs["storageProfile"]["osDisk"].pop("deleteOption")
    inputs["networkProfile"]["networkInterfaces"][0].pop("deleteOption")
    made, _ = ready.create("compute:VirtualMachine", **inputs)
    with refused() as refusal:
        ready.delete(f"{COMPUTE}/disks/vm-os")
    assert refusal.said == (409, "OperationNotAllowed")
    ready.delete(made)
    assert ready.get(f"{COMPUTE}/disks/vm-os")["properties"]["diskState"] == "Unattached"
    assert ready.exists(f"{NETWORK}/networkInterfaces/nic")


def test_the_power_state_follows_start_and_deallocate(cloud: Cloud) -> None:
    made, _ = cloud.machine()
    states = []
    for action in ("deallocate", "start"):
        cloud.request("POST", f"{made}/{action}")
        states.append(cloud.get(f"{made}/instanceView")["statuses"][1]["code"])
    assert states == ["PowerState/deallocated", "PowerState/running"]


def test_the_instance_view_comes_with_the_machine_on_request(cloud: Cloud) -> None:
    made, _ = cloud.machine()
    assert "instanceView" not in cloud.get(made)["properties"]
    assert "instanceView" in cloud.get(f"{made}?$expand=instanceView")["properties"]


def test_an_unknown_action_is_refused(cloud: Cloud) -> None:
    made, _ = cloud.machine()
    response = cloud.request("POST", f"{made}/explode")
    assert (response.status, (response.body or {})["error"]["code"]) == (400, "InvalidAction")


def test_a_patch_changes_tags_and_nothing_else(cloud: Cloud) -> None:
    made, _ = cloud.machine()
    assert (cloud.request("PATCH", made, {"tags": {"run": "7"}}).body or {})["tags"] == {"run": "7"}
    assert cloud.request("PATCH", made, {"properties": {}}).status == 400


def test_machines_are_listed_by_group_and_by_subscription(cloud: Cloud) -> None:
    cloud.machine()
    for scope in (GROUP, GROUP.split("/resourceGroups")[0]):
        found = cloud.get(f"{scope}/providers/Microsoft.Compute/virtualMachines")["value"]
        assert [item["name"] for item in found] == ["vm"]
