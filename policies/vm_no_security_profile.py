"""Machines: dom0 images boot without a security profile."""

from collections.abc import Iterator

from pulumi_policy import Severity

from policies.common import Fault, Settings, at, must_be, resource_policy
from virtci.core.inventory import MACHINE, Resource


def faults(resource: Resource, _: Settings) -> Iterator[Fault]:
    """Protects the hypervisor: Trusted Launch would take it away from a dom0 image, which is one of a gallery."""
    if at(resource.properties, "storageProfile.imageReference.id") is not None:
        fix = "leave it out; the gallery's image definition decides on boot security"
        yield from must_be(resource.properties, "securityProfile", [None], fix)


POLICY = resource_policy(
    "vm-no-security-profile",
    "Machines with a gallery image have no security profile.",
    (MACHINE,),
    faults,
    Severity.HIGH,
)
