"""Machines: dom0 images boot without a security profile."""

from collections.abc import Iterator

from pulumi_policy import Severity

from policies.common import Fault, Settings, at, is_around_a_disk, must_be, resource_policy
from virtci.core.inventory import MACHINE, Resource


def faults(resource: Resource, _: Settings) -> Iterator[Fault]:
    """Protects the hypervisor: Trusted Launch would take it away from a dom0 image, which is one of a gallery.

    So it would from what such a machine left: a machine around a disk that exists has no security profile either.
    """
    found = resource.properties
    if at(found, "storageProfile.imageReference.id") is not None or is_around_a_disk(found):
        fix = "leave it out; the gallery's image definition decides on boot security"
        yield from must_be(found, "securityProfile", [None], fix)


POLICY = resource_policy(
    "vm-no-security-profile",
    "Machines with a gallery image have no security profile.",
    (MACHINE,),
    faults,
    Severity.HIGH,
)
