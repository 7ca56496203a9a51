"""Machines: a user-assigned identity instead of stored credentials."""

from collections.abc import Iterator

from pulumi_policy import Severity

from policies.common import Fault, Settings, at, is_around_a_disk, is_filled, must_be, resource_policy
from virtci.core.inventory import MACHINE, Resource


def faults(resource: Resource, _: Settings) -> Iterator[Fault]:
    """Protects from credentials on disks, and from identities whose rights vanish with their machine.

    A machine around a disk that exists came back for people, who are root there: it acts as nobody.
    """
    if is_around_a_disk(resource.properties):
        yield from must_be(resource.properties, "identity", [None], "leave it out; it needs nothing of the platform")
        return
    yield from must_be(resource.properties, "identity.type", ["UserAssigned"], "give it an identity of its own")
    if not is_filled(at(resource.properties, "identity.userAssignedIdentities")):
        yield Fault("it names no identity", "a machine acts as an identity of its own", "name one")


POLICY = resource_policy(
    "vm-managed-identity",
    "Machines act as a user-assigned managed identity.",
    (MACHINE,),
    faults,
    Severity.MEDIUM,
)
