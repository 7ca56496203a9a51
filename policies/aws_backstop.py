"""Machines in AWS: each has a schedule that terminates it, whatever else happens."""

from collections.abc import Iterator

from pulumi_policy import Severity

from policies.common import Fault, Fleet, Settings, at, shown, stack_policy
from policies.kinds import BACKSTOP, INSTANCE
from virtci.core.runners.aws import SCHEDULE_GROUP, TERMINATE

WANTED = (
    ("target.arn", (TERMINATE,)),
    ("groupName", (SCHEDULE_GROUP,)),
    ("state", ("ENABLED", None)),
    ("actionAfterCompletion", ("DELETE",)),
)
FIX = "declare it with components.aws_runner.AwsRunner"


def faults(fleet: Fleet, _: Settings) -> Iterator[Fault]:
    """Protects from machines that run, and cost, until somebody notices: whoever made them can die before they end."""
    for machine in fleet.of(INSTANCE):
        if not fleet.users(machine, "target", BACKSTOP):
            rule = "every machine has a one-shot schedule that terminates it"
            yield Fault("nothing terminates it", rule, FIX, machine)
    for schedule in fleet.of(BACKSTOP):
        moment = at(schedule.properties, "scheduleExpression")
        if not (isinstance(moment, str) and moment.startswith("at(")):
            yield Fault(f"scheduleExpression is {shown(moment)}", "it happens once, `at(…)`", FIX, schedule)
        for path, right in WANTED:
            value = at(schedule.properties, path)
            if value not in right:
                rule = f"{path} is {' or '.join(map(shown, right))}"
                yield Fault(f"{path} is {shown(value)}", rule, FIX, schedule)


POLICY = stack_policy(
    "aws-backstop",
    "Machines in AWS have a schedule that terminates them after their deadline.",
    faults,
    Severity.HIGH,
)
