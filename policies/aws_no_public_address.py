"""Machines in AWS: no public address, from themselves, their subnet or their launch template."""

from collections.abc import Iterator

from pulumi_policy import Severity

from policies.common import Fault, Settings, at, each, must_be, resource_policy, shown
from policies.kinds import AWS_ADDRESS, AWS_SUBNET, INSTANCE, LAUNCH_TEMPLATE
from virtci.core.inventory import Resource

FIX = "leave it out; machines get out through the NAT gateway, and people in through Session Manager"
RULE = "machines have private addresses only"


def faults(resource: Resource, _: Settings) -> Iterator[Fault]:
    """Protects from machines that the whole Internet can knock at."""
    found = resource.properties
    if resource.kind == AWS_SUBNET:
        yield from must_be(found, "mapPublicIpOnLaunch", [False, None], FIX)
    elif resource.kind == AWS_ADDRESS:
        for prop in ("instance", "networkInterface"):
            if (value := at(found, prop)) is not None:
                yield Fault(f"{prop} is {shown(value)}", "a public address belongs to a NAT gateway", FIX)
    else:
        yield from must_be(found, "associatePublicIpAddress", [False, None], FIX)
        for index, interface in enumerate(each(found, "networkInterfaces")):
            value = at(interface, "associatePublicIpAddress")
            if value not in ("false", None):
                yield Fault(f"networkInterfaces[{index}].associatePublicIpAddress is {shown(value)}", RULE, FIX)


POLICY = resource_policy(
    "aws-no-public-address",
    "Machines in AWS have no public address.",
    (INSTANCE, LAUNCH_TEMPLATE, AWS_SUBNET, AWS_ADDRESS),
    faults,
    Severity.CRITICAL,
    covers=("CKV_AWS_88", "CKV_AWS_130"),
)
