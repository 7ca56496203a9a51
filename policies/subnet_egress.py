"""Subnets: one way out, the NAT gateway."""

from collections.abc import Iterator

from pulumi_policy import Severity

from policies.common import Fault, Settings, at, is_filled, resource_policy
from policies.kinds import NETWORK
from policies.packets import subnets_of
from virtci.core.inventory import Resource


def faults(resource: Resource, _: Settings) -> Iterator[Fault]:
    """Protects from machines that boot without a way to fetch anything. The gateway's id is made in the deployment."""
    for where, subnet in subnets_of(resource):
        if not is_filled(at(subnet, "natGateway.id")):
            yield Fault(f"{where} has no NAT gateway", "every subnet has a way out", "name the network's NAT gateway")


POLICY = resource_policy(
    "subnet-egress",
    "Every subnet reaches the Internet through a NAT gateway.",
    (NETWORK,),
    faults,
    Severity.HIGH,
)
