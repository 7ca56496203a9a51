"""Machines: boot texts are small and hold no credential."""

from collections.abc import Iterator

from pulumi_policy import Severity

from policies.common import Fault, Settings, at, resource_policy
from policies.kinds import LAUNCH_TEMPLATE
from virtci.core.credentials import credentials_in, decoded, readable
from virtci.core.inventory import INSTANCE, MACHINE, UNKNOWN, Resource

LIMIT = 65_535
AWS_LIMIT = 16_384
PATHS = ("osProfile.customData", "userData", "userDataBase64")


def faults(resource: Resource, _: Settings) -> Iterator[Fault]:
    """Protects from secrets that every process of the machine, and every reader of the resource, can see.

    A text that holds a key made in the deployment is unknown in preview; it is judged in the update.
    """
    for path in PATHS:
        value = at(resource.properties, path)
        if value is None or value is UNKNOWN:
            continue
        content = decoded(str(value))
        if content is None:
            yield Fault(f"{path} is not base64", "the platform takes boot texts in base64", "encode it")
            continue
        limit = LIMIT if resource.kind == MACHINE else AWS_LIMIT
        if len(content) > limit:
            yield Fault(f"{path} has {len(content)} bytes", f"at most {limit}", "move files into the image")
        for kind in sorted(set(credentials_in(readable(content)))):
            fix = "let the machine fetch it from the vault as its identity"
            yield Fault(f"{path} holds {kind}", "boot texts hold no credential", fix)


POLICY = resource_policy(
    "vm-boot-text",
    "Boot texts of machines hold no credential and fit the platform's limit.",
    (MACHINE, INSTANCE, LAUNCH_TEMPLATE),
    faults,
    Severity.CRITICAL,
    covers=("CKV_AZURE_45", "CKV_AWS_46"),
)
