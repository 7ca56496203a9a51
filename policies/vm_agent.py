"""Machines: the platform's agent reports how they are."""

from collections.abc import Iterator

from pulumi_policy import Severity

from policies.common import Fault, Settings, must_be, resource_policy
from virtci.core.inventory import MACHINE, Resource


def faults(resource: Resource, _: Settings) -> Iterator[Fault]:
    """Protects from machines of which the platform cannot tell whether they ever finished booting."""
    path = "osProfile.linuxConfiguration.provisionVMAgent"
    yield from must_be(resource.properties, path, [True, None], "leave the agent on; it takes no extensions")


POLICY = resource_policy(
    "vm-agent",
    "Machines run the platform's agent.",
    (MACHINE,),
    faults,
    Severity.LOW,
    covers=("Azure.VM.Agent", "CKV_AZURE_179"),
)
