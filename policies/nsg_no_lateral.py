"""Security groups: a taken machine does not log in elsewhere."""

from collections.abc import Iterator
from ipaddress import IPv4Network

from pulumi_policy import Severity

from policies.common import Fault, Settings, resource_policy
from policies.kinds import SECURITY_GROUP
from policies.packets import SecurityRule, rules_of
from virtci.core.firewall import RDP_PORT
from virtci.core.inventory import Resource
from virtci.core.networks import SSH_PORT

ALL = IPv4Network("0.0.0.0/0")


def faults(resource: Resource, settings: Settings) -> Iterator[Fault]:
    """Protects the other machines: SSH and RDP go out from the management ranges only, or stay in one group.

    A group whose rules allow neither still has to deny both, because the platform allows everything out.
    """
    management = frozenset(map(str, settings["management"]))
    for port in (SSH_PORT, RDP_PORT):
        for rule in rules_of(resource):
            if not rule.applies_to("Outbound"):
                continue
            if rule.denies and rule.covers(ALL, ALL, port):
                break
            if not rule.denies and rule.touches(ALL, ALL, port) and not _is_fine(rule, management):
                fix = "allow it from the runners' subnet only"
                yield Fault(f"rule {rule.name} lets port {port} out", "only management logs in elsewhere", fix)
        else:
            fix = "add the rule deny-lateral of virtci.core.firewall"
            yield Fault(f"no rule denies outbound port {port}", "logging in elsewhere is denied", fix)


def _is_fine(rule: SecurityRule, management: frozenset[str]) -> bool:
    sources, destinations = set(rule.sources), set(rule.destinations)
    return all(isinstance(source, str) for source in sources) and (
        sources <= management
        or (destinations <= sources and "*" not in destinations and "VirtualNetwork" not in destinations)
    )


POLICY = resource_policy(
    "nsg-no-lateral",
    "SSH and RDP leave a subnet only from the management ranges.",
    (SECURITY_GROUP,),
    faults,
    Severity.HIGH,
    covers=("Azure.NSG.LateralTraversal",),
    settings={"management": {"type": "array", "items": {"type": "string"}, "default": []}},
)
