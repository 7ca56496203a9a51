"""Environments: none reaches another."""

from collections.abc import Iterator
from ipaddress import IPv4Network
from itertools import permutations

from pulumi_policy import Severity

from policies.common import Fault, Fleet, Settings, stack_policy
from policies.kinds import NETWORK, SECURITY_GROUP
from policies.packets import admits, ranges_of, rules_of, subnets_of


def faults(fleet: Fleet, settings: Settings) -> Iterator[Fault]:
    """Protects test results and credentials of one environment from code that runs in another.

    Which group a subnet uses is not known in a first preview. So every group has to deny every way from an
    environment to another subnet, the runners' included; that also holds after a group is moved.
    """
    shared = frozenset(settings["shared"])
    ranges: dict[str, IPv4Network] = {}
    for network in fleet.of(NETWORK):
        found = ranges_of(network)
        ranges |= found
        if len(found) != len(list(subnets_of(network))):
            fix = "write names and ranges into the stack file"
            yield Fault("the range of a subnet is not known", "ranges are known before the deployment", fix, network)
    for group in fleet.of(SECURITY_GROUP):
        rules = rules_of(group)
        for source, target in permutations(ranges, 2):
            for direction in ("Inbound", "Outbound") if source not in shared else ():
                if name := admits(rules, direction, ranges[source], ranges[target]):
                    yield Fault(
                        f"{name} lets {source} reach {target} ({direction.lower()})",
                        "an environment reaches no other subnet",
                        "build the rules with virtci.core.firewall.rules()",
                        group,
                    )


POLICY = stack_policy(
    "environments-isolated",
    "No security group lets an environment reach another subnet.",
    faults,
    Severity.CRITICAL,
    settings={"shared": {"type": "array", "items": {"type": "string"}, "default": ["runners"]}},
)
