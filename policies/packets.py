"""Evaluates the rules of a network security group the way the platform does: by priority, first match decides.

Judged on the safe side: an allowing rule counts when it could touch a packet, a denying one only when it covers all.
Parts that are not known touch everything and cover nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, ip_network
from typing import Any

from policies.common import at, each
from virtci.core.firewall import ANYWHERE, LOAD_BALANCER, VIRTUAL_NETWORK
from virtci.core.inventory import UNKNOWN, Resource

EVERYWHERE = (ANYWHERE, "0.0.0.0/0", "any")
ALL_PORTS = (ANYWHERE, "0-65535")
PRIVATE = tuple(IPv4Network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))
PLATFORM_DEFAULT = "the platform's own rule for the network"


@dataclass(frozen=True, slots=True)
class SecurityRule:
    """One rule; values that are not known are `UNKNOWN` among the others."""

    name: str
    priority: float
    direction: Any
    denies: bool
    protocol: Any
    sources: tuple[Any, ...]
    destinations: tuple[Any, ...]
    ports: tuple[Any, ...]

    def applies_to(self, direction: str) -> bool:
        """Whether the rule may be of a direction."""
        return self.direction is UNKNOWN or self.direction == direction

    def touches(self, source: IPv4Network, destination: IPv4Network, port: int | None) -> bool:
        """Whether some packet of those matches; without a port, any may."""
        return (
            any(_touches(value, source) for value in self.sources)
            and any(_touches(value, destination) for value in self.destinations)
            and (port is None or any(_has_port(value, port) for value in self.ports))
        )

    def covers(self, source: IPv4Network, destination: IPv4Network, port: int | None) -> bool:
        """Whether every packet of those matches."""
        return (
            (self.protocol == ANYWHERE or (port is not None and self.protocol == "Tcp"))
            and self.direction is not UNKNOWN
            and any(_covers(value, source) for value in self.sources)
            and any(_covers(value, destination) for value in self.destinations)
            and any(
                value in ALL_PORTS or (port is not None and _has_port(value, port))
                for value in self.ports
                if value is not UNKNOWN
            )
        )


def rules_of(group: Resource) -> list[SecurityRule]:
    """The rules of a security group, as the platform reads them: the lowest priority number first."""
    found = (_rule(item) for item in each(group.properties, "securityRules"))
    return sorted(found, key=lambda rule: (rule.priority, rule.denies))


def admits(
    rules: Sequence[SecurityRule],
    direction: str,
    source: IPv4Network,
    destination: IPv4Network,
    port: int | None = None,
) -> str | None:
    """The name of the rule that lets some packet through, or nothing. Without a match, the platform's defaults do."""
    for rule in rules:
        if not rule.applies_to(direction):
            continue
        if not rule.denies and rule.touches(source, destination, port):
            return rule.name
        if rule.denies and rule.covers(source, destination, port):
            return None
    return PLATFORM_DEFAULT


def is_inside(value: Any) -> bool:
    """Whether a source is private for certain: a private range, or the probes of the platform's load balancer."""
    if value == LOAD_BALANCER:
        return True
    network = _network(value)
    return network is not None and _is_private(network)


def subnets_of(network: Resource) -> Iterator[tuple[str, Any]]:
    """The subnets inside a virtual network, each with what to call it."""
    for index, subnet in enumerate(each(network.properties, "subnets")):
        name = at(subnet, "name")
        yield (f"subnet {name}" if isinstance(name, str) else f"subnets[{index}]"), subnet


def ranges_of(network: Resource) -> dict[str, IPv4Network]:
    """The address ranges of the subnets by name, as far as they are known."""
    found = {at(subnet, "name"): _network(at(subnet, "addressPrefix")) for _, subnet in subnets_of(network)}
    return {name: value for name, value in found.items() if isinstance(name, str) and value is not None}


def _rule(item: Any) -> SecurityRule:
    priority = at(item, "priority")
    denies = at(item, "access") == "Deny"
    if not isinstance(priority, int):
        priority = float("inf") if denies else 0
    return SecurityRule(
        str(at(item, "name")) if isinstance(item, Mapping) else "a rule that is not known",
        priority,
        at(item, "direction"),
        denies,
        at(item, "protocol"),
        _values(item, "sourceAddressPrefix", "sourceAddressPrefixes", "sourceApplicationSecurityGroups"),
        _values(item, "destinationAddressPrefix", "destinationAddressPrefixes", "destinationApplicationSecurityGroups"),
        _values(item, "destinationPortRange", "destinationPortRanges"),
    )


def _values(item: Any, single: str, several: str, groups: str | None = None) -> tuple[Any, ...]:
    """All values of a side. Application groups are read as not known: their members are elsewhere.

    A preview shows the form that is not in use as not known, so it counts only where the other is absent.
    """
    value, values = at(item, single), each(item, several)
    found = [] if value is None or value is UNKNOWN else [value]
    found += [entry for entry in values if entry is not UNKNOWN or not found]
    if groups and isinstance(at(item, groups), list) and at(item, groups):
        found.append(UNKNOWN)
    return tuple(found) or (UNKNOWN,)


def _network(value: Any) -> IPv4Network | None:
    try:
        network = ip_network(str(value), strict=False)
    except ValueError:
        return None
    return network if isinstance(network, IPv4Network) else None


def _is_private(network: IPv4Network) -> bool:
    return any(network.subnet_of(private) for private in PRIVATE)


def _touches(value: Any, network: IPv4Network) -> bool:
    """Service tags other than the network's own stand for public addresses of the platform."""
    if value is UNKNOWN or value == VIRTUAL_NETWORK or str(value).lower() in EVERYWHERE:
        return True
    found = _network(value)
    return not _is_private(network) if found is None else found.overlaps(network)


def _covers(value: Any, network: IPv4Network) -> bool:
    if value is UNKNOWN:
        return False
    if str(value).lower() in EVERYWHERE or (value == VIRTUAL_NETWORK and _is_private(network)):
        return True
    found = _network(value)
    return found is not None and network.subnet_of(found)


def _has_port(value: Any, port: int) -> bool:
    if value is UNKNOWN or value in ALL_PORTS:
        return True
    low, _, high = str(value).partition("-")
    return low.isdigit() and int(low) <= port <= int(high if high.isdigit() else low)
