"""Machines: managed premium disks of a size that is billed as such."""

from collections.abc import Iterator

from pulumi_policy import Severity

from policies.common import Fault, Settings, at, each, must_be, resource_policy
from virtci.core.inventory import MACHINE, Resource
from virtci.core.prices import DISK_TIERS

SIZES = [gib for gib, _ in DISK_TIERS]


def faults(resource: Resource, settings: Settings) -> Iterator[Fault]:
    """Protects from unmanaged disks, from slow ones that fail test time limits, and from paying for unused GiB."""
    storage = at(resource.properties, "storageProfile")
    disks = [("osDisk", at(storage, "osDisk"))]
    disks += [(f"dataDisks[{index}]", disk) for index, disk in enumerate(each(storage, "dataDisks"))]
    for where, disk in disks:
        fix = "use a managed premium disk"
        yield from must_be(disk, "managedDisk.storageAccountType", settings["types"], fix, f"{where}.")
        yield from must_be(disk, "vhd", [None], fix, f"{where}.")
        yield from must_be(
            disk, "diskSizeGB", SIZES, "use a size of the price list; between two, the larger is billed", f"{where}."
        )
    yield from must_be(disks[0][1], "caching", ["ReadWrite"], "an OS disk caches reads and writes", "osDisk.")


POLICY = resource_policy(
    "vm-managed-disk-premium",
    "Machines have managed premium disks, of a billed size.",
    (MACHINE,),
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
