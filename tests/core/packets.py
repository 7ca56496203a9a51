"""A small judge of packets: network security groups as the platform evaluates them.

A connection passes the outbound rules of its sender's subnet and the inbound rules of its receiver's; the first rule
by priority decides, and answers need no rule. Three rules of the platform stand behind ours.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from virtci.core.firewall import Rule, rules
from virtci.core.networks import AKS_POD_RANGE

INTERNET = IPv4Address("198.51.100.7")
PROBE = IPv4Address("168.63.129.16")
PLATFORM = (
    Rule(name="AllowVnetInBound", priority=65000, direction="Inbound", access="Allow",
         sources=("VirtualNetwork",), destinations=("VirtualNetwork",), why="platform"),
    Rule(name="AllowAzureLoadBalancerInBound", priority=65001, direction="Inbound", access="Allow",
         sources=("AzureLoadBalancer",), why="platform"),
    Rule(name="DenyAllInBound", priority=65500, direction="Inbound", access="Deny", why="platform"),
    Rule(name="AllowVnetOutBound", priority=65000, direction="Outbound", access="Allow",
         sources=("VirtualNetwork",), destinations=("VirtualNetwork",), why="platform"),
    Rule(name="AllowInternetOutBound", priority=65001, direction="Outbound", access="Allow",
         destinations=("Internet",), why="platform"),
    Rule(name="DenyAllOutBound", priority=65500, direction="Outbound", access="Deny", why="platform"),
)  # fmt: skip


@dataclass(frozen=True)
class Packet:
    """The first packet of a connection."""

    source: IPv4Address
    destination: IPv4Address
    port: int
    protocol: str = "Tcp"


class Plan:
    """An address plan with the security group of each subnet."""

    def __init__(
        self, subnets: Mapping[str, IPv4Network], runners: str = "runners", entry: IPv4Network | None = None
    ) -> None:
        self.subnets = subnets
        self.groups = {name: rules(name, subnets, runners, entry) for name in subnets}

    def passes(self, packet: Packet) -> bool:
        """Whether the connection is made."""
        return self._side(packet, packet.source, "Outbound") and self._side(packet, packet.destination, "Inbound")

    def _side(self, packet: Packet, address: IPv4Address, direction: str) -> bool:
        subnet = next((name for name, network in self.subnets.items() if address in network), None)
        return subnet is None or self._decided(self.groups[subnet], packet, direction)

    def _decided(self, group: Sequence[Rule], packet: Packet, direction: str) -> bool:
        for rule in sorted((*group, *PLATFORM), key=lambda item: item.priority):
            if rule.direction == direction and self._matches(rule, packet):
                return rule.access == "Allow"
        raise AssertionError(packet)

    def _matches(self, rule: Rule, packet: Packet) -> bool:
        return (
            rule.protocol in ("*", packet.protocol)
            and ("*" in rule.ports or str(packet.port) in rule.ports)
            and any(self._covers(prefix, packet.source) for prefix in rule.sources)
            and any(self._covers(prefix, packet.destination) for prefix in rule.destinations)
        )

    def _covers(self, prefix: str, address: IPv4Address) -> bool:
        inside = any(address in network for network in self.subnets.values()) or address in AKS_POD_RANGE
        tags = {"*": True, "VirtualNetwork": inside, "AzureLoadBalancer": address == PROBE, "Internet": not inside}
        return tags[prefix] if prefix in tags else address in IPv4Network(prefix)
