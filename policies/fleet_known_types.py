"""Fleet: only resource types that the rules read."""

from collections.abc import Iterator

from pulumi_policy import Severity

from policies.common import Fault, Settings, resource_policy
from policies.kinds import KNOWN
from virtci.core.inventory import Resource


def faults(resource: Resource, settings: Settings) -> Iterator[Fault]:
    """Protects the other rules: a separate security rule, a scale set or a repository secret would pass them by."""
    if resource.kind not in (*KNOWN, *settings["more"]):
        yield Fault(
            f"no rule reads the type {resource.kind}",
            "a fleet declares the types of policies/kinds.py only",
            "declare it as part of a type that is read, or write its rules first and add it there",
        )


POLICY = resource_policy(
    "fleet-known-types",
    "Every resource has a type that the rules of this pack read.",
    (),
    faults,
    Severity.HIGH,
    settings={"more": {"type": "array", "items": {"type": "string"}, "default": []}},
)
