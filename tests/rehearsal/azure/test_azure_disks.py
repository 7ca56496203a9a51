"""Disks and snapshots: evidence of a machine that is gone, and the way back."""

from typing import Any

import pytest

from tests.rehearsal.azure.simulated import COMPUTE, GROUP, REGION, Cloud, build, default_scenario, refused
from virtci.rehearsal.azure.disks import content
from virtci.rehearsal.bridge import Values

DISK = f"{COMPUTE}/disks/vm-os"
KEPT = f"{COMPUTE}/snapshots/kept"
REVIVED = f"{COMPUTE}/disks/revived-os"


def copied(source: str, **more: Any) -> Values:
    """A disk or snapshot that is a copy."""
    creation = {"createOption": "Copy", "sourceResourceId": source}
    return {"location": REGION, "properties": {"creationData": creation, **more}}


def made(cloud: Cloud, path: str, body: Values) -> Values:
    response = cloud.request("PUT", path, body)
    assert response.status < 300, response.body
    return response.body or {}


def said(cloud: Cloud, method: str, path: str, body: Values | None = None) -> tuple[int, str]:
    response = cloud.request(method, path, body)
    return response.status, (response.body or {}).get("error", {}).get("code", "")


def attached(disk: str, name: str = "revived", **more: Any) -> Values:
    """The inputs of a machine around a disk that is there."""
    os_disk = {"createOption": "Attach", "osType": "Linux", "managedDisk": {"id": disk}, "deleteOption": "Delete"}
    nic = f"{GROUP}/providers/Microsoft.Network/networkInterfaces/{name}-nic"
    return {
        "vmName": name,
        "hardwareProfile": {"vmSize": "Standard_D2s_v5"},
        "storageProfile": {"osDisk": os_disk},
        "networkProfile": {"networkInterfaces": [{"id": nic, "deleteOption": "Delete"}]},
    } | more


@pytest.fixture
def machine(cloud: Cloud) -> str:
    return cloud.machine()[0]


def written(cloud: Cloud, path: str) -> str:
    """Who wrote what is on a disk."""
    record = cloud.manager.store.get(path)
    assert record
    return content(record)


def test_a_snapshot_outlives_its_machine_and_comes_back_as_a_machine(cloud: Cloud, machine: str) -> None:
    first = written(cloud, DISK)
    snapshot = made(cloud, KEPT, copied(DISK, incremental=True))
    cloud.delete(machine)
    assert not cloud.exists(DISK)

    made(cloud, REVIVED, copied(KEPT))
    cloud.interface("revived-nic")
    again, _ = cloud.create("compute:VirtualMachine", **attached(REVIVED))

    assert snapshot["properties"]["diskSizeGB"] == 30
    assert (snapshot["properties"]["incremental"], snapshot["properties"]["osType"]) == (True, "Linux")
    assert written(cloud, REVIVED) == written(cloud, KEPT) == first
    assert cloud.get(REVIVED)["managedBy"] == again
    cloud.delete(again)
    assert not cloud.exists(REVIVED)
    assert cloud.exists(KEPT)


def test_a_snapshot_takes_no_quota(cloud: Cloud, machine: str) -> None:
    made(cloud, KEPT, copied(DISK))
    cloud.delete(machine)
    usages = cloud.get(f"{GROUP.rsplit('/resourceGroups', 1)[0]}/providers/Microsoft.Compute/locations/{REGION}/usages")
    assert {item["currentValue"] for item in usages["value"]} == {0}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (copied(DISK) | {"sku": {"name": "Premium_LRS"}}, ""),
        (copied(DISK, incremental=True) | {"sku": {"name": "Premium_LRS"}}, "InvalidParameter"),
        (copied(DISK) | {"location": "eastus"}, "InvalidParameter"),
        (copied(f"{COMPUTE}/disks/none"), "NotFound"),
        (copied(f"{COMPUTE}/virtualMachines/vm"), "InvalidParameter"),
        ({"location": REGION, "properties": {"creationData": {"createOption": "Empty"}}}, "InvalidParameter"),
        ({"location": REGION, "properties": {"creationData": {"createOption": "Import"}}}, "InvalidParameter"),
    ],
)
def test_a_snapshot_is_a_copy_of_a_disk_of_its_region(cloud: Cloud, machine: str, body: Values, code: str) -> None:
    assert machine
    assert said(cloud, "PUT", KEPT, body)[1] == code


def test_an_incremental_snapshot_stays_one(cloud: Cloud, machine: str) -> None:
    assert machine
    made(cloud, KEPT, copied(DISK, incremental=True))
    assert said(cloud, "PUT", KEPT, copied(DISK)) == (409, "PropertyChangeNotAllowed")
    assert made(cloud, KEPT, copied(DISK, incremental=True) | {"tags": {"keep-until": "x"}})["tags"] == {
        "keep-until": "x"
    }


def test_a_disk_needs_a_size_or_a_source(cloud: Cloud) -> None:
    cloud.group()
    empty: Values = {"location": REGION, "properties": {"creationData": {"createOption": "Empty"}}}
    assert said(cloud, "PUT", REVIVED, empty) == (400, "InvalidParameter")
    empty["properties"]["diskSizeGB"] = 64
    assert made(cloud, REVIVED, empty)["properties"]["diskState"] == "Unattached"


def test_a_disk_that_is_a_machines_can_be_copied_and_not_deleted(cloud: Cloud, machine: str) -> None:
    made(cloud, KEPT, copied(DISK))
    assert said(cloud, "DELETE", DISK) == (409, "OperationNotAllowed")
    assert made(cloud, DISK, copied(KEPT))["managedBy"] == machine


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"osProfile": {"computerName": "vm", "adminUsername": "azureuser"}}, "Parameter 'osProfile' is not allowed"),
        ({"storageProfile": {"osDisk": {"createOption": "Attach", "osType": "Linux"}}}, "osDisk.managedDisk.id"),
        ({"storageProfile": {"osDisk": {"createOption": "Attach", "managedDisk": {"id": REVIVED}}}}, "osDisk.osType"),
    ],
    ids=["profile", "disk", "system"],
)
def test_a_machine_around_a_disk_brings_nothing_that_the_disk_has(
    cloud: Cloud, machine: str, changes: Any, words: str
) -> None:
    assert machine
    made(cloud, KEPT, copied(DISK))
    made(cloud, REVIVED, copied(KEPT))
    cloud.interface("revived-nic")
    with refused() as refusal:
        cloud.create("compute:VirtualMachine", **attached(REVIVED, **changes))
    assert refusal.said == (400, "InvalidParameter")
    assert words in refusal.error.message


def test_a_disk_is_one_machines_at_a_time(cloud: Cloud, machine: str) -> None:
    assert machine
    cloud.interface("revived-nic")
    with refused() as refusal:
        cloud.create("compute:VirtualMachine", **attached(DISK))
    assert refusal.said == (409, "OperationNotAllowed")


def test_a_group_goes_with_its_snapshots_also_when_disks_elsewhere_come_from_them(cloud: Cloud, machine: str) -> None:
    assert machine
    cloud.group("kept-rg")
    kept = KEPT.replace("/rg/", "/kept-rg/")
    made(cloud, kept, copied(DISK))
    made(cloud, REVIVED, copied(kept))
    cloud.delete(f"{GROUP}".replace("/rg", "/kept-rg"))
    assert cloud.exists(REVIVED)
    assert not cloud.exists(kept)


def spot(**more: Any) -> Values:
    return {"priority": "Spot", "evictionPolicy": "Delete", "billingProfile": {"maxPrice": -1}} | more


def test_spot_machines_have_a_quota_of_their_own(cloud: Cloud) -> None:
    for name in ("a", "b"):
        cloud.machine(name, **spot())
    with refused() as refusal:
        cloud.machine("c", **spot())
    assert refusal.said == (409, "OperationNotAllowed")
    assert "LowPriorityCores" in refusal.error.message
    cloud.machine("d")


def test_a_machine_that_is_taken_back_for_good_leaves_nothing(cloud: Cloud) -> None:
    machine, _ = cloud.machine(**spot())
    cloud.manager.evict(machine)
    left = [item for item in cloud.manager.remaining() if "/Microsoft.Compute/" in item or item.endswith("vm-nic")]
    assert left == []
    assert [(call.operation, call.code) for call in cloud.journal.calls][-1] == ("EVICT", "SpotEvicted")


def test_a_machine_that_is_deallocated_instead_keeps_its_disk_and_its_quota(cloud: Cloud) -> None:
    machine, _ = cloud.machine(**spot(evictionPolicy="Deallocate"))
    cloud.manager.evict(machine)
    states = cloud.get(f"{machine}/instanceView")["statuses"]
    assert "PowerState/deallocated" in {item["code"] for item in states}
    assert cloud.exists(DISK)


def test_only_spot_machines_are_taken_back(cloud: Cloud, machine: str) -> None:
    for target in (machine, f"{machine}-not-there"):
        with pytest.raises(LookupError, match="no spot machine"):
            cloud.manager.evict(target)


@pytest.mark.parametrize(
    "asked",
    [{"evictionPolicy": "Delete"}, {"billingProfile": {"maxPrice": -1}}, spot(billingProfile={"maxPrice": 0})],
    ids=["policy", "price", "nothing"],
)
def test_prices_and_evictions_are_those_of_spot_machines(cloud: Cloud, asked: Values) -> None:
    with refused() as refusal:
        cloud.machine(**asked)
    assert refusal.said == (400, "InvalidParameter")


def test_a_zone_is_one_of_its_region() -> None:
    cloud = build(default_scenario(zones={REGION: ("1", "2")}))
    assert cloud.machine(zones=["2"])[1]["zones"] == ["2"]
    with refused() as refusal:
        cloud.machine("other", zones=["3"])
    assert refusal.said == (400, "InvalidAvailabilityZone")


def test_a_region_without_zones_takes_none(cloud: Cloud) -> None:
    with refused() as refusal:
        cloud.machine(zones=["1"])
    assert refusal.said == (400, "LocationNotSupportAvailabilityZones")


def test_machines_of_one_name_live_in_several_groups(cloud: Cloud) -> None:
    cloud.machine()
    cloud.group("other")
    nic = cloud.create(
        "network:NetworkInterface", networkInterfaceName="vm-nic", resourceGroupName="other",
        ipConfigurations=[{"name": "ip", "subnet": {"id": f"{GROUP}/providers/Microsoft.Network/virtualNetworks/net/subnets/a"}}],
    )[0]  # fmt: skip
    second, _ = cloud.create("compute:VirtualMachine", resourceGroupName="other", **cloud.machine_inputs("vm", nic))
    cloud.delete(second)
    assert cloud.exists(f"{COMPUTE}/virtualMachines/vm")
    assert cloud.exists(DISK)
