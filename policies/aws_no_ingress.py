"""Security groups in AWS: nobody gets in, and every rule says what it is for."""

from collections.abc import Iterator

from pulumi_policy import Severity

from policies.common import Fault, Settings, at, each, is_filled, must_be, resource_policy
from policies.kinds import AWS_FIREWALL
from virtci.core.inventory import Resource

OPENED = "Managed by Pulumi"
"""What the provider writes where nothing is said."""


def faults(resource: Resource, _: Settings) -> Iterator[Fault]:
    """Protects machines that run anybody's code from each other and from everybody else.

    An empty list is not the same as none: rules that are left out may be added by hand without being seen.
    """
    yield from must_be(resource.properties, "ingress", [[]], "say that there is none: `ingress=[]`")
    for where, holder in (("", resource.properties), *_rules(resource)):
        text = at(holder, "description")
        if not is_filled(text) or text == OPENED:
            yield Fault(f"{where}description is empty", "groups and rules say what they are for", "describe it")


def _rules(resource: Resource) -> Iterator[tuple[str, object]]:
    for index, rule in enumerate(each(resource.properties, "egress")):
        yield f"egress[{index}].", rule


POLICY = resource_policy(
    "aws-no-ingress",
    "Security groups in AWS let nobody in.",
    (AWS_FIREWALL,),
    faults,
    Severity.CRITICAL,
    covers=("CKV_AWS_23", "CKV_AWS_24", "CKV_AWS_25", "CKV_AWS_260", "CKV_AWS_277"),
)
