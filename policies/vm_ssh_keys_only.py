"""Machines: SSH keys are the only way in."""

from collections.abc import Iterator

from pulumi_policy import Severity

from policies.common import Fault, Settings, at, is_around_a_disk, is_filled, must_be, resource_policy
from virtci.core.inventory import MACHINE, Resource


def faults(resource: Resource, _: Settings) -> Iterator[Fault]:
    """Protects from guessed and shared passwords. The key itself is made in the deployment and may be unknown.

    A machine around a disk that exists brings neither: who logs in to it, and how, is on the disk, which is a copy of that
    of a machine that had to keep this rule.
    """
    found = resource.properties
    if is_around_a_disk(found):
        yield from must_be(
            found, "osProfile", [None], "leave it out; the platform refuses it around a disk that exists"
        )
        return
    fix = "declare osProfile.linuxConfiguration with a key of the machine's own"
    yield from must_be(found, "osProfile.linuxConfiguration.disablePasswordAuthentication", [True], fix)
    yield from must_be(found, "osProfile.windowsConfiguration", [None], "machines of this fleet run Linux")
    if at(found, "osProfile.adminPassword") is not None:
        yield Fault("osProfile.adminPassword is there", "machines have no password", "remove it")
    if not is_filled(at(found, "osProfile.linuxConfiguration.ssh.publicKeys")):
        yield Fault("it has no SSH key", "every machine has a key of its own", fix)


POLICY = resource_policy(
    "vm-ssh-keys-only",
    "Machines take SSH keys and no password.",
    (MACHINE,),
    faults,
    Severity.HIGH,
    covers=("Azure.VM.PublicKey", "CKV_AZURE_1", "CKV_AZURE_149", "CKV_AZURE_178"),
)
