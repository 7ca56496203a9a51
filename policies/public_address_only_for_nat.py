"""Public addresses: only the NAT gateway has one."""

from collections.abc import Iterator

from pulumi_policy import Severity

from policies.common import Fault, Fleet, Settings, stack_policy
from virtci.core.inventory import NAT_GATEWAY, PUBLIC_ADDRESS

LISTENERS = ("azure-native:network:", "azure-native:compute:", "azure-native:containerservice:")
"""What could be reached under an address; others, such as a variable, only mention it."""


def faults(fleet: Fleet, _: Settings) -> Iterator[Fault]:
    """Protects from a public address that moves from the NAT gateway to something that listens."""
    for address in fleet.of(PUBLIC_ADDRESS):
        for item in fleet.resources:
            used = any(address.urn in urns for urns in item.refers.values())
            if used and item.kind.startswith(LISTENERS) and item.kind != NAT_GATEWAY:
                fix = "let traffic out through the NAT gateway and nothing in"
                yield Fault(
                    f"it uses the public address {address.name}", "public addresses are for egress only", fix, item
                )


POLICY = stack_policy(
    "public-address-only-for-nat",
    "Only NAT gateways use public addresses.",
    faults,
    Severity.CRITICAL,
)
