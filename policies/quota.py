"""Quota: what the stack can need at once fits into its share, in the total and in each VM family."""

from collections import defaultdict
from collections.abc import Iterator

from pulumi_policy import Severity

from policies.common import Fault, Fleet, Settings, stack_policy
from virtci.core.inventory import COMPUTE_KINDS, UndeterminedError, demands_of
from virtci.core.problems import Refusal
from virtci.core.quota import REGIONAL, Demand, held_against

RULE = "every vCPU of the stack is counted before anything is created"


def faults(fleet: Fleet, settings: Settings) -> Iterator[Fault]:
    """Protects from a deployment that stops half-way with QuotaExceeded, or takes another stack's share.

    A size that is missing, unknown in preview or not in the table is a fault: it could be any number of vCPU.
    """
    found: list[Demand] = []
    for resource in fleet.of(*COMPUTE_KINDS):
        try:
            found += demands_of(resource, fleet.resources)
        except UndeterminedError as error:
            fix = "write sizes, counts and the region into the stack file"
            yield Fault(f"{error.prop} {error.why}", RULE, fix, resource)
        except Refusal as refusal:
            yield Fault(f"its demand cannot be counted: {refusal.consequence}", refusal.rule, refusal.fix, resource)
    region = str(settings["region"])
    for demand in found:
        if demand.region != region:
            yield Fault(
                f"{demand.what} needs {demand.vcpus} vCPU in {demand.region}", f"the share is for {region} only",
                f"move it to {region}, or give the stack a share there",
            )  # fmt: skip
    limits = {str(name): int(limit) for name, limit in settings["limits"].items()}
    for line in held_against((item for item in found if item.region == region), limits, int(settings["reserve"])):
        if line.exceeded:
            kind = "vCPU in total" if line.family == REGIONAL else f"vCPU of {line.family}"
            kept = f" and {line.reserve} are kept free" if line.reserve else ""
            yield Fault(
                f"{line.needed} {kind} can run at once in {region}{kept} ({_largest(found, line.family)})",
                f"the limit is {'not declared' if line.limit is None else line.limit}; {line.missing} are missing",
                "choose smaller sizes or fewer nodes, or raise the share after the subscription's quota allows it",
            )  # fmt: skip


def _largest(demands: list[Demand], family: str) -> str:
    """Who needs it, the largest first."""
    needs: dict[str, int] = defaultdict(int)
    for demand in demands:
        if family in (REGIONAL, demand.family) or family.lower() == demand.family.lower():
            needs[demand.what] += demand.vcpus
    return ", ".join(f"{what} {vcpus}" for what, vcpus in sorted(needs.items(), key=lambda item: (-item[1], item[0])))


POLICY = stack_policy(
    "quota",
    "All that can run at once fits into the stack's share of the vCPU quota.",
    faults,
    Severity.CRITICAL,
    covers=("Azure.VM.BasicSku", "Azure.VM.PromoSku"),
    settings={
        "region": {"type": "string"},
        "limits": {"type": "object", "additionalProperties": {"type": "number"}, "required": ["cores"]},
        "reserve": {"type": "number", "default": 0},
    },
)
