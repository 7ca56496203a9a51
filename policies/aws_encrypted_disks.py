"""Machines in AWS: every disk is encrypted, and goes with its machine."""

from collections.abc import Iterator
from typing import Any

from pulumi_policy import Severity

from policies.common import Fault, Settings, at, each, must_be, resource_policy
from policies.kinds import INSTANCE, LAUNCH_TEMPLATE
from virtci.core.inventory import Resource

FIX = "set it; AWS leaves it to the image and to the account's settings"


def faults(resource: Resource, _: Settings) -> Iterator[Fault]:
    """Protects what jobs leave on disks from whoever gets hold of a snapshot, and from disks that nobody deletes."""
    if resource.kind == INSTANCE:
        yield from _judge(at(resource.properties, "rootBlockDevice"), "rootBlockDevice.", True)
        for index, disk in enumerate(each(resource.properties, "ebsBlockDevices")):
            yield from _judge(disk, f"ebsBlockDevices[{index}].", True)
        return
    disks = each(resource.properties, "blockDeviceMappings")
    if not disks:
        yield Fault("blockDeviceMappings is absent", "a launch template says that disks are encrypted", FIX)
    for index, disk in enumerate(disks):
        # The provider has texts for the flags of a launch template.
        yield from _judge(at(disk, "ebs"), f"blockDeviceMappings[{index}].ebs.", "true")


def _judge(disk: Any, where: str, yes: object) -> Iterator[Fault]:
    for prop in ("encrypted", "deleteOnTermination"):
        yield from must_be(disk, prop, [yes], FIX, where)


POLICY = resource_policy(
    "aws-encrypted-disks",
    "Disks of machines in AWS are encrypted and deleted with them.",
    (INSTANCE, LAUNCH_TEMPLATE),
    faults,
    Severity.HIGH,
    covers=("CKV_AWS_3", "CKV_AWS_8"),
)
