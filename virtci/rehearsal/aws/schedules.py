"""EventBridge Scheduler: one-shot schedules that happen, which moto only keeps.

Source: EventBridge Scheduler User Guide (schedule types, `at()`; universal targets; deletion after completion), as of 2026-08.
"""

import json
import re
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from virtci.rehearsal.aws import access, compute
from virtci.rehearsal.aws.access import Need
from virtci.rehearsal.aws.hooks import Hooks
from virtci.rehearsal.aws.wire import Asked
from virtci.rehearsal.journal import CloudError

if TYPE_CHECKING:
    from virtci.rehearsal.aws.cloud import Aws

TERMINATE = "arn:aws:scheduler:::aws-sdk:ec2:terminateInstances"
TARGETS = (TERMINATE,)
ONCE = re.compile(r"at\((\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})\)")
RECURRING = re.compile(r"(rate\(\d+ (minutes?|hours?|days?)\)|cron\(.+\))")
TRUSTED = "scheduler.amazonaws.com"


def judge(aws: "Aws", asked: Asked) -> Asked:
    """Refuses an expression that is none, a group that is not there, and a role that the service cannot assume."""
    wanted = asked.parameters
    expression, group = wanted["ScheduleExpression"], wanted.get("GroupName", "default")
    if not (ONCE.fullmatch(expression) or RECURRING.fullmatch(expression)):
        raise CloudError(400, "ValidationException", f"Invalid Schedule Expression {expression}.")
    if group not in aws.backend("scheduler", asked.region).schedule_groups:
        raise CloudError(404, "ResourceNotFoundException", f"Schedule group {group} does not exist.")
    if (
        wanted["FlexibleTimeWindow"]["Mode"] == "FLEXIBLE"
        and "MaximumWindowInMinutes" not in wanted["FlexibleTimeWindow"]
    ):
        raise CloudError(400, "ValidationException", "A flexible window has a length.")
    if wanted["Target"]["Arn"] not in TARGETS:
        raise CloudError(501, "NotRehearsed", f"The rehearsal does not carry out {wanted['Target']['Arn']}.")
    group_arn = f"arn:aws:scheduler:{asked.region}:{aws.scenario.account}:schedule-group/{group}"
    acting = {"aws:SourceAccount": aws.scenario.account, "aws:SourceArn": group_arn}
    if not access.may_assume(aws, wanted["Target"]["RoleArn"], TRUSTED, acting):
        text = "The execution role you provide must allow AWS EventBridge Scheduler to assume the role."
        raise CloudError(400, "ValidationException", text)
    return asked


def updated(aws: "Aws", asked: Asked) -> None:
    """Moto keeps what was to follow before the update, and takes a state that is not named for none: it is enabled."""
    group = aws.backend("scheduler", asked.region).schedule_groups[asked.parameters.get("GroupName", "default")]
    schedule = group.get_schedule(asked.parameters["Name"])
    schedule.action_after_completion = asked.parameters.get("ActionAfterCompletion")
    schedule.state = asked.parameters.get("State", "ENABLED")


HOOKS = Hooks(
    before={"scheduler:CreateSchedule": judge, "scheduler:UpdateSchedule": judge},
    after={"scheduler:UpdateSchedule": updated},
)


def fire(aws: "Aws") -> None:
    """Lets happen what is scheduled for a moment that is past."""
    for region in aws.regions("scheduler"):
        for group in list(aws.backend("scheduler", region).schedule_groups.values()):
            for schedule in list(group.schedules.values()):
                if schedule.state == "ENABLED" and _is_due(schedule, aws.clock.now):
                    _perform(aws, region, schedule)
                    if schedule.action_after_completion == "DELETE":
                        group.delete_schedule(schedule.name)
                    else:
                        schedule.state = "DISABLED"


def _is_due(schedule: Any, now: datetime) -> bool:
    found = ONCE.fullmatch(schedule.schedule_expression)
    if found is None:
        return False
    zone = ZoneInfo(schedule.schedule_expression_timezone)
    return datetime.fromisoformat(found[1]).replace(tzinfo=zone) <= now


def _perform(aws: "Aws", region: str, schedule: Any) -> None:
    """Terminates what a schedule names, as its role may; a refusal is written down and nobody hears of it."""
    backend, role = aws.backend("ec2", region), schedule.target["RoleArn"].rsplit("/", 1)[-1]
    for instance_id in json.loads(schedule.target["Input"])["InstanceIds"]:
        found = [item for item in backend.all_instances() if item.id == instance_id]
        tags = {f"aws:ResourceTag/{name}": value for name, value in backend.tags.get(instance_id, {}).items()}
        resource = f"arn:aws:ec2:{region}:{aws.scenario.account}:instance/{instance_id}"
        status, code = (200, "") if found else (400, "InvalidInstanceID.NotFound")
        if access.refused(aws, role, [Need("ec2:TerminateInstances", resource, tags)]):
            status, code, found = 403, "UnauthorizedOperation", []
        for instance in found:
            compute.terminate(aws, instance)
        aws.journal.record("aws", f"schedule:{schedule.name}", f"{region}/{instance_id}", status, code)
