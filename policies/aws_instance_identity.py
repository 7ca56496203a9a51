"""Machines in AWS: each acts as the profile of a slot, and nobody logs in with a key pair of the account."""

from collections.abc import Iterator

from pulumi_policy import Severity

from policies.common import Fault, Settings, at, is_filled, resource_policy, shown
from policies.kinds import INSTANCE, LAUNCH_TEMPLATE
from virtci.core.inventory import UNKNOWN, Resource
from virtci.core.runners.substrate import region_of_slot


def faults(resource: Resource, _: Settings) -> Iterator[Fault]:
    """Protects registrations from machines that act as another slot or as nobody, and machines from a key that people share."""
    if is_filled(key := at(resource.properties, "keyName")):
        fix = "leave it out; the keys of people are in the boot text"
        yield Fault(f"keyName is {shown(key)}", "machines have no key pair", fix)
    profile = at(resource.properties, "iamInstanceProfile")
    if resource.kind == INSTANCE and (profile is UNKNOWN or region_of_slot(str(profile)) is None):
        rule = "a machine has the profile of its slot, auto-runner-REGION-NN"
        yield Fault(f"iamInstanceProfile is {shown(profile)}", rule, "take the slot that the lease names")


POLICY = resource_policy(
    "aws-instance-identity",
    "Machines in AWS act as the profile of their slot and have no key pair.",
    (INSTANCE, LAUNCH_TEMPLATE),
    faults,
    Severity.HIGH,
    covers=("CKV2_AWS_41",),
)
