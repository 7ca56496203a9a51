"""Vault secrets: each says what it is."""

from collections.abc import Iterator

from pulumi_policy import Severity

from policies.common import Fault, Settings, at, resource_policy, shown
from policies.kinds import SECRET
from virtci.core.inventory import Resource


def faults(resource: Resource, _: Settings) -> Iterator[Fault]:
    """Protects from secrets that nobody dares to rotate, because nobody knows what they are."""
    found = at(resource.properties, "properties.contentType")
    if not (isinstance(found, str) and found.strip()):
        fix = "name its media type, for example application/yaml"
        yield Fault(f"properties.contentType is {shown(found)}", "a secret says what it holds", fix)


POLICY = resource_policy(
    "secret-content-type",
    "Every vault secret has a content type.",
    (SECRET,),
    faults,
    Severity.LOW,
    covers=("CKV_AZURE_114",),
)
