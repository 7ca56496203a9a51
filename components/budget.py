"""The cost guard of a stack."""

from collections.abc import Sequence
from typing import TypedDict

import pulumi
from pulumi_azure_native import consumption

from components.base import Component
from virtci.core.names import named

ALERTS = (("actual-80", "Actual", 80), ("actual-100", "Actual", 100), ("forecast-110", "Forecasted", 110))


class BudgetArgs(TypedDict):
    """Arguments of `Budget`."""

    budget_name: str
    """Name in Azure. Must not be an Output."""
    subscription_id: pulumi.Input[str]
    tag: tuple[str, str]
    """Name and value of the tag whose resources count."""
    monthly_usd: int
    start: str
    """First day of the month from which it counts, YYYY-MM-01."""
    contacts: Sequence[str]


class Budget(Component):
    """A monthly budget for everything that carries a tag, with alerts by mail.

    Resources: one `Budget` on the subscription, filtered by tag, so that it covers every resource group.

    Refuses: nothing is stopped when the budget is used up; the platform can only tell. What a change would cost is
    held against the budget before the deployment, by policy.
    """

    TYPE = "virt-ci:cost:Budget"
    ARGUMENTS = BudgetArgs

    def __init__(self, name: str, args: BudgetArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)
        tag, value = args["tag"]
        consumption.Budget(
            self.child_name(),
            budget_name=named("budget", args["budget_name"]),
            scope=pulumi.Output.concat("/subscriptions/", args["subscription_id"]),
            amount=args["monthly_usd"],
            category="Cost",
            time_grain="Monthly",
            time_period={"start_date": f"{args['start']}T00:00:00Z"},
            filter={"tags": {"name": tag, "operator": "In", "values": [value]}},
            notifications={
                alert: {
                    "enabled": True,
                    "operator": "GreaterThanOrEqualTo",
                    "threshold": percent,
                    "threshold_type": kind,
                    "contact_emails": list(args["contacts"]),
                }
                for alert, kind, percent in ALERTS
            },
            opts=self.options(),
        )
        self.register_outputs({})
