"""Cost: nothing is paid for that nobody uses."""

from collections.abc import Iterator

from pulumi_policy import Severity

from policies.common import Fault, Fleet, Settings, stack_policy
from policies.kinds import DISK, INTERFACE, NETWORK, SECURITY_GROUP
from virtci.core.inventory import MACHINE, NAT_GATEWAY, PUBLIC_ADDRESS

USES = {
    DISK: ("storageProfile", MACHINE, "machine"),
    INTERFACE: ("networkProfile", MACHINE, "machine"),
    NAT_GATEWAY: ("subnets", NETWORK, "subnet"),
    PUBLIC_ADDRESS: ("publicIpAddresses", NAT_GATEWAY, "NAT gateway"),
    SECURITY_GROUP: ("subnets", NETWORK, "subnet"),
}
"""What uses a resource, and by which property."""


def faults(fleet: Fleet, _: Settings) -> Iterator[Fault]:
    """Protects from leftovers that are billed, or take part in an address plan, for nothing."""
    for kind, (prop, user, word) in USES.items():
        for resource in fleet.of(kind):
            if not fleet.users(resource, prop, user):
                yield Fault(
                    f"no {word} uses it", "what is declared is used", f"attach it to a {word} or remove it", resource
                )


POLICY = stack_policy(
    "cost-waste",
    "No disk, interface, gateway, address or security group is without a user.",
    faults,
    Severity.MEDIUM,
    covers=("Azure.VM.DiskAttached", "Azure.NIC.Attached", "Azure.NSG.Associated", "Azure.PublicIP.IsAttached"),
)
