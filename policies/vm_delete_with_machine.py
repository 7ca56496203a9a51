"""Machines: disks go when the machine goes; interfaces stay for the next one, where there is one."""

from collections.abc import Iterator

from pulumi_policy import Severity

from policies.common import Fault, Settings, each, must_be, resource_policy
from virtci.core.inventory import MACHINE, Resource

DATA_DISKS = "storageProfile.dataDisks"
INTERFACES = "networkProfile.networkInterfaces"


def faults(resource: Resource, settings: Settings) -> Iterator[Fault]:
    """Protects from disks that are paid for, and hold data, long after their machine.

    An interface is a resource of its own here: deleted behind the program's back, it would be missing when a machine
    is replaced. A machine of a workflow run is never replaced, and its interface goes with it, whoever deletes it.
    """
    fix = "set it to Delete; the platform's default leaves them behind"
    yield from must_be(resource.properties, "storageProfile.osDisk.deleteOption", ["Delete"], fix)
    for index, disk in enumerate(each(resource.properties, DATA_DISKS)):
        yield from must_be(disk, "deleteOption", ["Delete"], fix, f"{DATA_DISKS}[{index}].")
    wanted = settings["interfaces"]
    stays = f"set it to {wanted}; only machines that are replaced leave their interface to the next one"
    for index, interface in enumerate(each(resource.properties, INTERFACES)):
        yield from must_be(interface, "deleteOption", [wanted], stays, f"{INTERFACES}[{index}].")


POLICY = resource_policy(
    "vm-delete-with-machine",
    "Disks of a machine are deleted with it, its interface where no other machine follows.",
    (MACHINE,),
    faults,
    Severity.MEDIUM,
    settings={"interfaces": {"type": "string", "enum": ["Detach", "Delete"], "default": "Detach"}},
)
