"""Machines in AWS: one that shuts down is gone."""

from collections.abc import Iterator

from pulumi_policy import Severity

from policies.common import Fault, Settings, must_be, resource_policy
from policies.kinds import INSTANCE, LAUNCH_TEMPLATE
from virtci.core.inventory import Resource


def faults(resource: Resource, _: Settings) -> Iterator[Fault]:
    """Protects from disks of machines that powered themselves off and that nobody looks for: a machine is kept by a call."""
    fix = "set it to terminate; AWS stops machines that shut down"
    yield from must_be(resource.properties, "instanceInitiatedShutdownBehavior", ["terminate"], fix)


POLICY = resource_policy(
    "aws-shutdown-terminates",
    "Machines in AWS terminate when they shut down.",
    (INSTANCE, LAUNCH_TEMPLATE),
    faults,
    Severity.MEDIUM,
)
