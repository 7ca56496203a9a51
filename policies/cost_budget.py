"""Cost: the expected month stays inside the stack's budget, and the budget is declared."""

from collections.abc import Iterator

from pulumi_policy import Severity

from policies.common import Fault, Fleet, Settings, at, shown, stack_policy
from policies.kinds import BUDGET
from virtci.core.inventory import bill
from virtci.core.prices import total

FIX = "choose smaller sizes, fewer nodes or a shorter lifetime class, or raise budget.monthlyUsd in the stack file"


def faults(fleet: Fleet, settings: Settings) -> Iterator[Fault]:
    """Protects from a bill that is seen at the end of the month. What has no price is a fault, never free."""
    limit = float(settings["monthlyUsd"])
    found = bill(fleet.resources)
    for entry in found.unpriced:
        yield Fault(
            f"no price for {entry}", "everything billable has a price before it is made", "state it, or add its price"
        )
    _, expected = total(found.costs)
    if expected > limit:
        largest = sorted(found.costs, key=lambda cost: -cost.expected)[:3]
        shares = ", ".join(f"{cost.what} {cost.expected:.0f}" for cost in largest)
        yield Fault(f"USD {expected:.2f} are expected a month ({shares}, …)", f"USD {limit:.0f} a month", FIX)
    budgets = fleet.of(BUDGET)
    if not budgets and (found.costs or found.by_usage or found.unpriced):
        rule = "every stack that costs something has one that warns"
        yield Fault("it declares no budget", rule, "declare components.budget.Budget")
    for budget in budgets:
        amount = at(budget.properties, "amount")
        if amount != limit:
            fix = "take both from budget.monthlyUsd of the stack file"
            yield Fault(f"amount is {shown(amount)}", f"it equals the limit of the policy, {limit:.0f}", fix, budget)


POLICY = stack_policy(
    "cost-budget",
    "The expected monthly cost stays inside the declared budget.",
    faults,
    Severity.HIGH,
    settings={"monthlyUsd": {"type": "number", "minimum": 1}},
)
