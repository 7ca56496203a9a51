"""On-demand runners: the slots of a region fit into its quota."""

from collections.abc import Iterator

from pulumi_policy import Severity

from policies.common import Fault, Fleet, Settings, stack_policy
from virtci.core.inventory import slot_demands
from virtci.core.quota import held_against


def faults(fleet: Fleet, settings: Settings) -> Iterator[Fault]:
    """Protects from leases that the platform does not honour: who holds a slot takes its vCPU without asking again."""
    found = list(slot_demands(fleet.resources))
    for region in sorted({demand.region for demand in found}):
        place = settings["regions"].get(region)
        if place is None:
            yield Fault(
                f"there are slots in {region}", "a region with slots has a quota", "configure its cores and reserve"
            )
            continue
        own = [demand for demand in found if demand.region == region]
        for line in held_against(own, {"cores": int(place["cores"])}, int(place["reserve"])):
            if line.exceeded:
                yield Fault(
                    f"{len(own)} slots in {region} take {line.needed} vCPU, and {line.reserve} are kept free",
                    f"the limit is {line.limit}; {line.missing} are missing",
                    "lower the number of cores in the stack file, or raise the quota first",
                )  # fmt: skip


POLICY = stack_policy(
    "runner-slots",
    "All slots of on-demand runners can be in use at once, beside what is kept free.",
    faults,
    Severity.CRITICAL,
    settings={
        "regions": {
            "type": "object",
            "additionalProperties": {"type": "object", "required": ["cores", "reserve"]},
            "default": {},
        }
    },
)
