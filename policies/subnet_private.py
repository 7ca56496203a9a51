"""Subnets: no outbound access of the platform's own."""

from collections.abc import Iterator

from pulumi_policy import Severity

from policies.common import Fault, Settings, must_be, resource_policy
from policies.kinds import NETWORK
from policies.packets import subnets_of
from virtci.core.inventory import Resource


def faults(resource: Resource, _: Settings) -> Iterator[Fault]:
    """Protects from egress by addresses that change and that nobody declared."""
    for where, subnet in subnets_of(resource):
        fix = "set it to false; the NAT gateway is the way out"
        yield from must_be(subnet, "defaultOutboundAccess", [False], fix, f"{where}: ")


POLICY = resource_policy(
    "subnet-private",
    "No subnet has the platform's default outbound access.",
    (NETWORK,),
    faults,
    Severity.CRITICAL,
    covers=("Azure.VNET.PrivateSubnet",),
)
