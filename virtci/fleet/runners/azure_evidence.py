"""What is kept of a machine in Azure whose run failed: a snapshot of its disk, and its serial log.

A machine counts towards the quota until it is deleted, so nothing of it is kept as a machine. An incremental snapshot is
billed by what is on the disk, and needs nothing of the disk afterwards (azure-compute-docs, disks-incremental-snapshots.md,
snapshot-copy-managed-disk.md).
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from virtci.core.names import named
from virtci.core.runners.clouds import Cloud
from virtci.core.runners.tags import FORMAT, RunTags, run_tags
from virtci.core.tags import TagSet
from virtci.fleet.clouds import HTTP_TIMEOUT, Clouds
from virtci.fleet.runners.answers import answering
from virtci.fleet.runners.launcher import Observe
from virtci.fleet.runners.objects import Objects, update
from virtci.fleet.troubles import status_of

if TYPE_CHECKING:
    from azure.mgmt.compute.models import Snapshot, VirtualMachine

LOG_CHARACTERS = 400_000
"""The end of a serial log; the platform keeps a megabyte at most."""
MADE = "succeeded"


@dataclass(frozen=True, kw_only=True, slots=True)
class Shelf:
    """Where evidence is: snapshots in the kept group, logs among the objects."""

    clouds: Clouds
    group: str
    tags: TagSet
    objects: Objects
    observe: Observe


def key_of_evidence(stack: str) -> str:
    """Where the serial log of a machine is."""
    return f"evidence/{stack}"


def keep(shelf: Shelf, stack: str, slot: str, machine: "VirtualMachine | None", tags: RunTags) -> None:
    """Marks the machine, saves its log, turns it off and copies its disk; what was done before is not done again.

    So what people changed on a machine that came back is not kept: evidence stays that of the failure.
    """
    marks = run_tags(replace(shelf.tags, stack=stack), Cloud.AZURE, tags)
    if machine is None:
        if snapshot(shelf, stack) is None:
            shelf.observe(stack, "the machine was gone before anything of it could be kept")
        return
    _mark(shelf, stack, slot, {**(machine.tags or {}), **marks})
    if snapshot(shelf, stack):
        return
    _save_log(shelf, stack, slot, tags)
    with answering(f"turning {stack} off"):
        shelf.clouds.compute.virtual_machines.begin_deallocate(slot, stack).result()
    _copy(shelf, stack, machine, marks)


def discard(shelf: Shelf, stack: str) -> None:
    """Deletes snapshot and log; what is gone already is a success."""
    with answering(f"snapshot {stack}"):
        shelf.clouds.compute.snapshots.begin_delete(shelf.group, _name(stack)).result()
    shelf.objects.delete(key_of_evidence(stack))


def _mark(shelf: Shelf, stack: str, slot: str, marks: Mapping[str, str]) -> None:
    """First of all: from then on a sweep knows that the machine is evidence, and until when."""
    from azure.mgmt.compute.models import VirtualMachineUpdate

    with answering(f"the tags of {stack}"):
        update_of = VirtualMachineUpdate(tags=dict(marks))
        shelf.clouds.compute.virtual_machines.begin_update(slot, stack, update_of).result()


def _save_log(shelf: Shelf, stack: str, slot: str, tags: RunTags) -> None:
    """Best effort: the disk has the rest, and a machine that is kept without its log is better than one that runs on."""
    log, why = _serial_log(shelf, stack, slot)
    if why:
        shelf.observe(stack, why)
    document = {
        "stack": stack,
        "run": tags.run,
        "label": tags.label,
        "name": tags.shown,
        "keepUntil": tags.keep_until.strftime(FORMAT) if tags.keep_until else None,
        "snapshot": f"{shelf.group}/{_name(stack)}",
        "serialLog": log,
        "why": why,
    }
    update(shelf.objects, key_of_evidence(stack), lambda _: (document, None))


def _serial_log(shelf: Shelf, stack: str, slot: str) -> tuple[str, str]:
    """The end of the log, or why there is none. Its address is a key to it, and is never shown."""
    import httpx
    from azure.core.exceptions import AzureError

    try:
        found = shelf.clouds.compute.virtual_machines.retrieve_boot_diagnostics_data(slot, stack)
        answer = httpx.get(str(found.serial_console_log_blob_uri), timeout=HTTP_TIMEOUT)
        answer.raise_for_status()
    except (AzureError, httpx.HTTPError, httpx.InvalidURL) as error:
        return "", f"no serial log: {type(error).__name__} {status_of(error) or ''}".strip()
    return answer.text[-LOG_CHARACTERS:], ""


def _copy(shelf: Shelf, stack: str, machine: "VirtualMachine", marks: Mapping[str, str]) -> None:
    from azure.mgmt.compute.models import CreationData, Snapshot, SnapshotSku

    wanted = Snapshot(
        location=machine.location,
        tags=dict(marks),
        sku=SnapshotSku(name="Standard_LRS"),
        creation_data=CreationData(create_option="Copy", source_resource_id=_disk(machine)),
        incremental=True,
        network_access_policy="DenyAll",
        public_network_access="Disabled",
    )
    with answering(f"snapshot {stack}"):
        shelf.clouds.compute.snapshots.begin_create_or_update(shelf.group, _name(stack), wanted).result()


def snapshot(shelf: Shelf, stack: str) -> "Snapshot | None":
    """The copy of a machine's disk, once it is whole."""
    from azure.core.exceptions import ResourceNotFoundError

    with answering(f"snapshot {stack}"), suppress(ResourceNotFoundError):
        found = shelf.clouds.compute.snapshots.get(shelf.group, _name(stack))
        return found if str(found.provisioning_state).lower() == MADE else None
    return None


def _disk(machine: "VirtualMachine") -> str:
    """The id of the system disk."""
    storage = machine.storage_profile
    disk = storage.os_disk.managed_disk if storage and storage.os_disk else None
    return str(disk.id) if disk else ""


def _name(stack: str) -> str:
    return named("snapshot", stack)
