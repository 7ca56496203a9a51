"""Machines: disks and interfaces go when the machine goes."""

from collections.abc import Iterator

from pulumi_policy import Severity

from policies.common import Fault, Settings, each, must_be, resource_policy
from virtci.core.inventory import MACHINE, Resource

LISTS = ("networkProfile.networkInterfaces", "storageProfile.dataDisks")


def faults(resource: Resource, _: Settings) -> Iterator[Fault]:
    """Protects from disks that are paid for, and hold data, long after their machine."""
    fix = "set it to Delete; the platform's default leaves them behind"
    yield from must_be(resource.properties, "storageProfile.osDisk.deleteOption", ["Delete"], fix)
    for path in LISTS:
        for index, item in enumerate(each(resource.properties, path)):
            yield from must_be(item, "deleteOption", ["Delete"], fix, f"{path}[{index}].")


POLICY = resource_policy(
    "vm-delete-with-machine",
    "Disks and interfaces of a machine are deleted with it.",
    (MACHINE,),
    faults,
    Severity.MEDIUM,
)
