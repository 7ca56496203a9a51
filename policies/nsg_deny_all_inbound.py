"""Security groups: what is not allowed is denied, also from the own network."""

from collections.abc import Iterator
from ipaddress import IPv4Network

from pulumi_policy import Severity

from policies.common import Fault, Settings, resource_policy
from policies.kinds import SECURITY_GROUP
from policies.packets import rules_of
from virtci.core.inventory import Resource

ALL = IPv4Network("0.0.0.0/0")


def faults(resource: Resource, _: Settings) -> Iterator[Fault]:
    """Protects from the platform's own rules, which let the whole virtual network in."""
    if not any(
        rule.denies and rule.applies_to("Inbound") and rule.covers(ALL, ALL, None) for rule in rules_of(resource)
    ):
        yield Fault(
            "no rule denies all other inbound traffic",
            "the last inbound rule denies everything from everywhere",
            "end with the rule deny-inbound of virtci.core.firewall",
        )


POLICY = resource_policy(
    "nsg-deny-all-inbound",
    "Every security group denies all inbound traffic that it does not allow.",
    (SECURITY_GROUP,),
    faults,
    Severity.HIGH,
    covers=("Azure.NSG.DenyAllInbound",),
)
