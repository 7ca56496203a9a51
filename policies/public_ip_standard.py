"""Public addresses: Standard and static."""

from collections.abc import Iterator

from pulumi_policy import Severity

from policies.common import Fault, Settings, must_be, resource_policy
from virtci.core.inventory import PUBLIC_ADDRESS, Resource


def faults(resource: Resource, _: Settings) -> Iterator[Fault]:
    """Protects from the Basic SKU, which is retired and open by default, and from egress that changes its address."""
    yield from must_be(resource.properties, "sku.name", ["Standard"], "use the Standard SKU")
    yield from must_be(resource.properties, "publicIPAllocationMethod", ["Static"], "allocate it statically")


POLICY = resource_policy(
    "public-ip-standard",
    "Public addresses have the Standard SKU and are static.",
    (PUBLIC_ADDRESS,),
    faults,
    Severity.MEDIUM,
    covers=("Azure.PublicIP.StandardSKU", "Azure.PublicIP.MigrateStandard"),
)
