"""Machines: managed premium disks of a size that is billed as such."""

from collections.abc import Iterator

from pulumi_policy import Severity

from policies.common import Fault, Settings, at, each, is_around_a_disk, is_filled, must_be, resource_policy
from policies.kinds import DISK
from virtci.core.inventory import MACHINE, Resource
from virtci.core.prices import DISK_TIERS

SIZES = [gib for gib, _ in DISK_TIERS]
FIX = "use a managed premium disk"
SIZE_FIX = "use a size of the price list; between two, the larger is billed"


def faults(resource: Resource, settings: Settings) -> Iterator[Fault]:
    """Protects from unmanaged disks, from slow ones that fail test time limits, and from paying for unused GiB.

    Type and size of a disk that is a resource of its own are said there, not by the machine around it.
    """
    found = resource.properties
    if resource.kind == DISK:
        yield from must_be(found, "sku.name", settings["types"], FIX)
        yield from must_be(found, "diskSizeGB", SIZES, SIZE_FIX)
        return
    storage = at(found, "storageProfile")
    disks = [("osDisk", at(storage, "osDisk"))]
    disks += [(f"dataDisks[{index}]", disk) for index, disk in enumerate(each(storage, "dataDisks"))]
    for where, disk in disks:
        yield from must_be(disk, "vhd", [None], FIX, f"{where}.")
        if where == "osDisk" and is_around_a_disk(found):
            if not is_filled(at(disk, "managedDisk.id")):
                yield Fault("osDisk.managedDisk.id is absent", "a machine around a disk names it", FIX)
            continue
        yield from must_be(disk, "managedDisk.storageAccountType", settings["types"], FIX, f"{where}.")
        yield from must_be(disk, "diskSizeGB", SIZES, SIZE_FIX, f"{where}.")
    yield from must_be(disks[0][1], "caching", ["ReadWrite"], "an OS disk caches reads and writes", "osDisk.")


POLICY = resource_policy(
    "vm-managed-disk-premium",
    "Machines have managed premium disks, of a billed size.",
    (MACHINE, DISK),
    faults,
    Severity.MEDIUM,
    covers=(
        "Azure.VM.UseManagedDisks",
        "Azure.VM.Standalone",
        "Azure.VM.DiskCaching",
        "Azure.VM.DiskSizeAlignment",
        "CKV_AZURE_92",
    ),
    settings={"types": {"type": "array", "items": {"type": "string"}, "default": ["Premium_LRS"]}},
)
