"""Machines: no extensions."""

from collections.abc import Iterator

from pulumi_policy import Severity

from policies.common import Fault, Settings, is_around_a_disk, must_be, resource_policy
from virtci.core.inventory import MACHINE, Resource

KINDS = (
    "azure-native:compute:VirtualMachineExtension",
    "azure-native:compute:VirtualMachineRunCommandByVirtualMachine",
)


def faults(resource: Resource, _: Settings) -> Iterator[Fault]:
    """Protects from a second way to run code as root, outside review and outside the boot text.

    A machine around a disk that exists has no profile to say so in; extensions and run-commands are refused all the same.
    """
    fix = "say it in the boot text or in the image"
    if resource.kind in KINDS:
        yield Fault("it runs code on a machine from outside", "machines take no extensions", fix)
    elif not is_around_a_disk(resource.properties):
        yield from must_be(resource.properties, "osProfile.allowExtensionOperations", [False], fix)


POLICY = resource_policy(
    "vm-no-extensions",
    "Machines take no extensions and no run-commands.",
    (MACHINE, *KINDS),
    faults,
    Severity.HIGH,
    covers=("CKV_AZURE_50", "Azure.VM.ScriptExtensions"),
)
