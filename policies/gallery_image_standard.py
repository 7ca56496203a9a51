"""Image definitions: generalized Linux of generation 2, without a security type."""

from collections.abc import Iterator

from pulumi_policy import Severity

from policies.common import Fault, Settings, at, each, must_be, resource_policy, shown
from policies.kinds import GALLERY_IMAGE
from virtci.core.inventory import Resource

SECURITY = "SecurityType"


def faults(resource: Resource, _: Settings) -> Iterator[Fault]:
    """Protects the hypervisor: a machine gets its boot security from the definition, and Trusted Launch takes it away.

    A specialized image would give all machines the keys and the identity of one.
    """
    yield from must_be(resource.properties, "osType", ["Linux"], "machines of this fleet run Linux")
    yield from must_be(resource.properties, "osState", ["Generalized"], "let waagent generalize the image")
    yield from must_be(resource.properties, "hyperVGeneration", ["V2"], "build the image for generation 2")
    for feature in each(resource.properties, "features"):
        name, value = at(feature, "name"), at(feature, "value")
        if not isinstance(name, str) or (name == SECURITY and value != "Standard"):
            fix = "leave it out: a definition without one makes standard machines"
            yield Fault(f"feature {shown(name)} is {shown(value)}", "no security type but Standard", fix)


POLICY = resource_policy(
    "gallery-image-standard",
    "Images of machines are generalized Linux of generation 2, without Trusted Launch.",
    (GALLERY_IMAGE,),
    faults,
    Severity.HIGH,
)
