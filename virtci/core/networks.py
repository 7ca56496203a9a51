"""The address plan: which ranges there are, that none overlaps another, and that each is large enough.

Reserved ranges are those that clusters use inside: k3s (k3s-io/docs, docs/cli/server.md) and the AKS overlay.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network
from itertools import combinations

AZURE_RESERVED_ADDRESSES = 5
AKS_POD_RANGE = IPv4Network("10.244.0.0/16")
AKS_SERVICE_RANGE = IPv4Network("10.245.0.0/16")
AKS_DNS_ADDRESS = AKS_SERVICE_RANGE[10]
K3S_POD_RANGE = IPv4Network("10.42.0.0/16")
K3S_SERVICE_RANGE = IPv4Network("10.43.0.0/16")
RESERVED = {
    "k3s pods": K3S_POD_RANGE,
    "k3s services": K3S_SERVICE_RANGE,
    "AKS pods": AKS_POD_RANGE,
    "AKS services": AKS_SERVICE_RANGE,
}
SSH_PORT = 22
KUBERNETES_API_PORT = 6443
AKS_API_PORT = 443


@dataclass(frozen=True, slots=True)
class RangeFault:
    """A range of the plan that cannot be: its name, the range, the rule that it breaks, and how."""

    name: str
    network: IPv4Network
    rule: str
    reason: str


def usable_addresses(network: IPv4Network) -> int:
    """How many machines fit; Azure keeps the first four addresses and the last."""
    return max(0, network.num_addresses - AZURE_RESERVED_ADDRESSES)


def last_free(space: IPv4Network, taken: Iterable[IPv4Network], prefix: int) -> IPv4Network | None:
    """The highest range of a size in an address space that overlaps none of those that are taken; nothing when there is none."""
    used = list(taken)
    candidate = IPv4Network((int(space.broadcast_address), prefix), strict=False)
    while candidate.subnet_of(space):
        overlapping = [network for network in used if network.overlaps(candidate)]
        if not overlapping:
            return candidate
        below = min(int(network.network_address) for network in (*overlapping, candidate)) - 1
        if below < int(space.network_address):
            return None
        candidate = IPv4Network((below, prefix), strict=False)
    return None


def range_faults(space: IPv4Network, subnets: Mapping[str, IPv4Network]) -> list[RangeFault]:
    """Everything that is wrong with an address plan."""
    apart = "ranges do not overlap"
    faults = [
        RangeFault("addressSpace", space, apart, f"overlaps {reserved}, which {user} use inside the clusters")
        for user, reserved in RESERVED.items()
        if space.overlaps(reserved)
    ]
    for name, network in subnets.items():
        if not network.subnet_of(space):
            rule = "a subnet lies inside the address space"
            faults.append(RangeFault(name, network, rule, f"lies outside the address space {space}"))
        if not usable_addresses(network):
            rule = "a subnet has addresses for machines"
            faults.append(RangeFault(name, network, rule, "has none; the platform keeps five of every subnet"))
    faults += [
        RangeFault(second, subnets[second], apart, f"overlaps {first} ({subnets[first]})")
        for first, second in combinations(subnets, 2)
        if subnets[first].overlaps(subnets[second])
    ]
    return faults
