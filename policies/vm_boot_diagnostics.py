"""Machines: boot diagnostics in managed storage."""

from collections.abc import Iterator

from pulumi_policy import Severity

from policies.common import Fault, Settings, must_be, resource_policy
from virtci.core.inventory import MACHINE, Resource


def faults(resource: Resource, _: Settings) -> Iterator[Fault]:
    """Protects from machines that do not boot and do not say why; a special kernel needs its serial log."""
    path = "diagnosticsProfile.bootDiagnostics"
    yield from must_be(resource.properties, f"{path}.enabled", [True], "enable it")
    fix = "leave it out; managed storage needs no account and no key"
    yield from must_be(resource.properties, f"{path}.storageUri", [None], fix)


POLICY = resource_policy(
    "vm-boot-diagnostics",
    "Machines keep their boot log, in managed storage.",
    (MACHINE,),
    faults,
    Severity.LOW,
)
