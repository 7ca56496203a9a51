"""Subnets: each has a security group."""

from collections.abc import Iterator

from pulumi_policy import Severity

from policies.common import Fault, Settings, at, is_filled, resource_policy
from policies.kinds import NETWORK
from policies.packets import subnets_of
from virtci.core.inventory import Resource


def faults(resource: Resource, _: Settings) -> Iterator[Fault]:
    """Protects from subnets in which nothing is filtered. The group's id is made in the deployment."""
    for where, subnet in subnets_of(resource):
        if not is_filled(at(subnet, "networkSecurityGroup.id")):
            fix = "name the group that is made for the subnet"
            yield Fault(f"{where} has no security group", "every subnet has one", fix)


POLICY = resource_policy(
    "subnet-nsg",
    "Every subnet has a network security group.",
    (NETWORK,),
    faults,
    Severity.CRITICAL,
    covers=("Azure.VNET.UseNSGs", "CKV2_AZURE_31"),
)
