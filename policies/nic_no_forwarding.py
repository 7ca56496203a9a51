"""Network interfaces: no forwarding of foreign packets."""

from collections.abc import Iterator

from pulumi_policy import Severity

from policies.common import Fault, Settings, must_be, resource_policy
from policies.kinds import INTERFACE
from virtci.core.inventory import Resource


def faults(resource: Resource, _: Settings) -> Iterator[Fault]:
    """Protects from a machine that carries packets past the security groups."""
    fix = "leave it out; guests of the machine use its own address"
    yield from must_be(resource.properties, "enableIPForwarding", [False, None], fix)


POLICY = resource_policy(
    "nic-no-forwarding",
    "Network interfaces do not forward packets.",
    (INTERFACE,),
    faults,
    Severity.MEDIUM,
    covers=("CKV_AZURE_118",),
)
