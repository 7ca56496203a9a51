"""Machines: no public address."""

from collections.abc import Iterator

from pulumi_policy import Severity

from policies.common import Fault, Settings, at, each, resource_policy, shown
from policies.kinds import INTERFACE
from virtci.core.inventory import MACHINE, UNKNOWN, Resource

FIX = "remove it; runners reach machines inside the network, and machines get out through the NAT gateway"


def faults(resource: Resource, _: Settings) -> Iterator[Fault]:
    """Protects from machines that the whole Internet can knock at. That there is an address counts, not which."""
    if resource.kind == INTERFACE:
        configurations = [("ipConfigurations", item) for item in each(resource.properties, "ipConfigurations")]
        key = "publicIPAddress"
    else:
        path = "networkProfile.networkInterfaceConfigurations"
        nested = (each(item, "ipConfigurations") for item in each(resource.properties, path))
        configurations = [(path, item) for items in nested for item in items]
        key = "publicIPAddressConfiguration"
    for where, configuration in configurations:
        value = at(configuration, key)
        if value is not None:
            known = "there" if value is not UNKNOWN or configuration is not UNKNOWN else shown(UNKNOWN)
            yield Fault(f"{where}.{key} is {known}", "machines have private addresses only", FIX)


POLICY = resource_policy(
    "vm-no-public-ip",
    "Machines and their network interfaces have no public address.",
    (INTERFACE, MACHINE),
    faults,
    Severity.CRITICAL,
    covers=("Azure.VM.PublicIPAttached", "CKV_AZURE_119", "CKV2_AZURE_39"),
)
