"""Lifetime: every machine and cluster says how long it runs, and is shut down or taken down where it says so."""

from collections.abc import Iterator

from pulumi_policy import Severity

from policies.common import Fault, Fleet, Settings, at, shown, stack_policy
from policies.kinds import SCHEDULE
from virtci.core.inventory import COMPUTE_KINDS, INSTANCE, MACHINE, lifetime_of
from virtci.core.lifetimes import COMPUTE, SCHEDULES, Lifetime


def faults(fleet: Fleet, settings: Settings) -> Iterator[Fault]:
    """Protects from compute that runs day and night because nobody said otherwise."""
    classes = settings["classes"]
    for resource in fleet.of(*COMPUTE_KINDS, INSTANCE):
        lifetime = lifetime_of(resource)
        if lifetime not in classes:
            found, fix = shown(at(resource.properties, "tags.lifetime")), "set `lifetime` in the stack file"
            yield Fault(f"tag lifetime is {found}", f"compute is one of {', '.join(classes)}", fix, resource)
        elif lifetime is Lifetime.RUN_SCOPED:
            deadline = at(resource.properties, "tags.deadline")
            if not isinstance(deadline, str):
                fix = "tag it with virtci.core.runners.tags.run_tags()"
                yield Fault(
                    f"tag deadline is {shown(deadline)}", "what lives for one run says until when", fix, resource
                )
        elif lifetime and SCHEDULES[lifetime].daily_shutdown and resource.kind == MACHINE:
            schedules = fleet.users(resource, "targetResourceId", SCHEDULE)
            if not any(at(item.properties, "status") == "Enabled" for item in schedules):
                yield Fault(
                    f"it is {lifetime} and has no enabled shutdown schedule",
                    "machines of this class are shut down every evening",
                    "declare a GlobalSchedule for it, as components.machine does",
                    resource,
                )


POLICY = stack_policy(
    "lifetime-class",
    "Compute has a lifetime class, and a daily shutdown where its class asks for one.",
    faults,
    Severity.HIGH,
    settings={"classes": {"type": "array", "items": {"type": "string"}, "default": [item.value for item in COMPUTE]}},
)
