"""Managed disks and their snapshots.

Sources: azure-compute-docs, virtual-machines/disks-incremental-snapshots.md (an incremental snapshot is billed by what
changed, lies on standard storage and stays incremental), snapshot-copy-managed-disk.md (a snapshot needs nothing of its
disk afterwards); REST reference of `Snapshots` and `Disks`.
"""

from virtci.rehearsal.azure import errors
from virtci.rehearsal.azure.store import Hooks, Record, Store, Write, at
from virtci.rehearsal.bridge import Values
from virtci.rehearsal.journal import CloudError

DISKS = "Microsoft.Compute/disks"
SNAPSHOTS = "Microsoft.Compute/snapshots"
MACHINES = "Microsoft.Compute/virtualMachines"
INCREMENTAL_STORAGE = ("Standard_LRS", "Standard_ZRS")
FROM_SOURCE = ("osType", "hyperVGeneration", "diskSizeGB")


def _invalid(message: str) -> CloudError:
    return errors.bad("InvalidParameter", message)


def _source(write: Write) -> Record | None:
    """What is copied. Raises `CloudError` when it cannot be."""
    option = at(write.properties, "creationData.createOption")
    if option == "Empty":
        return None
    if option != "Copy":
        raise _invalid(f"This simulated service makes disks and snapshots with Empty or Copy, not with {option}.")
    named = str(at(write.properties, "creationData.sourceResourceId") or "")
    source = write.store.get(named)
    if source is None or source.row.arm not in (DISKS, SNAPSHOTS):
        raise _invalid("Required parameter 'creationData.sourceResourceId' is missing, or names no disk or snapshot.")
    if source.location.lower() != write.location.lower():
        raise _invalid(
            f"The source {source.id} is in '{source.location}', but {write.address.id} is in '{write.location}'."
        )
    return source


def _check_disk(write: Write) -> None:
    if write.old is None and _source(write) is None and not write.properties.get("diskSizeGB"):
        raise _invalid("Required parameter 'diskSizeGB' is missing (null).")


def _check_snapshot(write: Write) -> None:
    incremental, storage = bool(write.properties.get("incremental")), str(at(write.body, "sku.name") or "Standard_LRS")
    if incremental and storage not in INCREMENTAL_STORAGE:
        raise _invalid(f"Incremental snapshots lie on {' or '.join(INCREMENTAL_STORAGE)}, not on {storage}.")
    if write.old is None and _source(write) is None:
        raise _invalid("A snapshot is made with createOption Copy.")
    if write.old and incremental is not bool(write.old.properties.get("incremental")):
        raise errors.conflict("PropertyChangeNotAllowed", "Changing property 'incremental' is not allowed.")


def _complete(write: Write, record: Record) -> None:
    """Size and system are those of the source, whose content is kept by the name of where it came from."""
    old, properties = write.old, record.properties
    source = write.store.get(str(at(write.properties, "creationData.sourceResourceId") or "")) if old is None else old
    for name in FROM_SOURCE:
        if source is not None and source.properties.get(name) is not None:
            properties.setdefault(name, source.properties[name])
    record.notes["content"] = content(source) if source else record.guid
    record.body.setdefault("sku", {"name": "Standard_LRS"})
    properties |= {"timeCreated": write.first_made, "uniqueId": record.guid}
    properties["diskState"] = old.properties["diskState"] if old else "Unattached"
    if old and "managedBy" in old.body:
        record.body["managedBy"] = old.body["managedBy"]
    if record.row.arm == SNAPSHOTS:
        properties.setdefault("incremental", False)
        properties["completionPercent"] = 100


def content(record: Record) -> str:
    """What is on a disk or in a snapshot, as the GUID of what it was first written by: equal for all copies."""
    return str(record.notes.get("content") or record.guid)


def make_system_disk(store: Store, machine: Record, disk: Values) -> None:
    """The disk that the platform makes with a machine from an image."""
    properties = {
        "diskSizeGB": disk.get("diskSizeGB", 30),
        "osType": "Linux",
        "creationData": {
            "createOption": "FromImage",
            "imageReference": at(machine.properties, "storageProfile.imageReference"),
        },
    }
    made = store.add(disk["managedDisk"]["id"], {"location": machine.location, "properties": properties})
    made.notes["content"] = machine.guid


def check_attached(write: Write, disk: Values) -> None:
    """Refuses a system disk that cannot become a machine's: the machine brings nothing that the disk has already."""
    found = write.store.get(str(at(disk, "managedDisk.id") or ""))
    if found is None or found.row.arm != DISKS:
        raise _invalid("Required parameter 'osDisk.managedDisk.id' is missing (null).")
    for path in ("osProfile", "storageProfile.imageReference"):
        if at(write.properties, path) is not None:
            raise _invalid(f"Parameter '{path.rsplit('.', maxsplit=1)[-1]}' is not allowed.")
    if not disk.get("osType"):
        raise _invalid("Required parameter 'osDisk.osType' is missing (null).")
    if found.location.lower() != write.location.lower():
        raise _invalid(f"Disk {found.id} is in '{found.location}', but {write.address.id} is in '{write.location}'.")
    owner = str(found.body.get("managedBy") or "")
    if owner and owner.lower() != write.address.id.lower():
        text = f"Cannot attach the disk {found.name} to VM {write.address.name} because it is already attached to VM {owner}."
        raise errors.conflict("OperationNotAllowed", text)


def attach(disk: Record, machine: str) -> None:
    """Marks a disk as that of a machine."""
    disk.body["managedBy"] = machine
    disk.properties["diskState"] = "Attached"


def detach(disk: Record) -> None:
    """Marks a disk as nobody's."""
    disk.body.pop("managedBy", None)
    disk.properties["diskState"] = "Unattached"


def _refuse_attached(store: Store, record: Record) -> None:
    users = [item.id for item in store.users(record) if item.row.arm == MACHINES]
    if owner := record.body.get("managedBy") or next(iter(users), None):
        raise errors.conflict("OperationNotAllowed", f"Disk {record.name} is attached to VM {owner}.")


HOOKS = {
    "disk": Hooks(check=_check_disk, complete=_complete, before_delete=_refuse_attached),
    "snapshot": Hooks(check=_check_snapshot, complete=_complete),
}
