"""Disks of their own: copies of what was kept, which nobody reads but their machine."""

from collections.abc import Iterator

from pulumi_policy import Severity

from policies.common import Fault, Settings, at, is_filled, must_be, resource_policy
from policies.kinds import DISK
from virtci.core.inventory import Resource


def faults(resource: Resource, _: Settings) -> Iterator[Fault]:
    """Protects from machines with users that no rule has seen, and from disks that can be downloaded.

    What is on a disk that is declared is that of a machine of the fleet, which had to keep the rules on machines.
    """
    found = resource.properties
    copied = "make it of the snapshot of a machine; new machines bring their disks"
    yield from must_be(found, "creationData.createOption", ["Copy"], copied)
    if not is_filled(at(found, "creationData.sourceResourceId")):
        yield Fault("creationData.sourceResourceId is absent", "a copy says of what", copied)
    closed = "close it; the machine needs no way in over the network"
    yield from must_be(found, "networkAccessPolicy", ["DenyAll"], closed)
    yield from must_be(found, "publicNetworkAccess", ["Disabled"], closed)


POLICY = resource_policy(
    "disk-closed",
    "Disks of their own are copies, and closed to the network.",
    (DISK,),
    faults,
    Severity.HIGH,
    covers=("CKV_AZURE_251",),
)
