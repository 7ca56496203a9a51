"""Security groups: nobody from outside gets in."""

from collections.abc import Iterator

from pulumi_policy import Severity

from policies.common import Fault, Settings, resource_policy, shown
from policies.kinds import SECURITY_GROUP
from policies.packets import is_inside, rules_of
from virtci.core.inventory import Resource

RULE = "inbound traffic is allowed from named private ranges only"


def faults(resource: Resource, _: Settings) -> Iterator[Fault]:
    """Protects from open ports: a source is a private range by number, never any, the Internet or a whole network."""
    for rule in rules_of(resource):
        if rule.denies or not rule.applies_to("Inbound"):
            continue
        for source in rule.sources:
            if not is_inside(source):
                fix = "name the subnet of the runners, as virtci.core.firewall does"
                yield Fault(f"rule {rule.name} lets in {shown(source)}", RULE, fix)


POLICY = resource_policy(
    "nsg-no-any-inbound",
    "No security rule lets anybody in from any source.",
    (SECURITY_GROUP,),
    faults,
    Severity.CRITICAL,
    covers=("Azure.NSG.AnyInboundSource", "CKV_AZURE_9", "CKV_AZURE_10", "CKV_AZURE_77", "CKV_AZURE_160"),
)
