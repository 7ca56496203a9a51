"""Lifetime: a shutdown schedule has the one name under which the platform looks for it."""

from collections.abc import Iterator

from pulumi_policy import Severity

from policies.common import Fault, Settings, at, must_be, resource_policy, shown
from policies.kinds import SCHEDULE
from virtci.core.inventory import UNKNOWN, Resource
from virtci.core.names import shutdown_schedule


def faults(resource: Resource, _: Settings) -> Iterator[Fault]:
    """Protects from a schedule that exists and never fires.

    The machine's id is made in the deployment; until then only the form of the name is judged.
    """
    name, machine = at(resource.properties, "name"), at(resource.properties, "targetResourceId")
    start = shutdown_schedule("")
    fits = isinstance(name, str) and name.startswith(start) and len(name) > len(start)
    if machine is not UNKNOWN and fits:
        fits = name == shutdown_schedule(str(machine).rsplit("/", 1)[-1])
    if not fits:
        yield Fault(
            f"name is {shown(name)}, its machine {shown(machine)}", f"the name is {start}<name of the machine>",
            "build it with virtci.core.names.shutdown_schedule()",
        )  # fmt: skip
    yield from must_be(resource.properties, "taskType", ["ComputeVmShutdownTask"], "it only shuts machines down")


POLICY = resource_policy(
    "shutdown-schedule-name",
    "Shutdown schedules have the name that the platform looks for.",
    (SCHEDULE,),
    faults,
    Severity.MEDIUM,
)
