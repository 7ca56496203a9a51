"""The resource types of EventBridge Scheduler."""

from datetime import datetime
from typing import Any

from virtci.rehearsal.aws.calls import Calls
from virtci.rehearsal.aws.rows import (
    Row,
    camel,
    changed_tags,
    like,
    pascal,
    removed,
    tag_list,
    tags_of,
    unless_gone,
    words,
)
from virtci.rehearsal.bridge import Values

PLAIN = words("actionAfterCompletion description name groupName scheduleExpression scheduleExpressionTimezone state")
BLOCKS = words("flexibleTimeWindow target")


def make_group(calls: Calls, region: str, inputs: Values) -> str:
    """Makes a group of schedules."""
    calls("scheduler", region, "create_schedule_group", Name=inputs["name"], Tags=tag_list(inputs.get("tags")))
    return str(inputs["name"])


def read_group(calls: Calls, region: str, group: str, _: Values) -> Values | None:
    """A group and its tags."""
    live = unless_gone(lambda: calls("scheduler", region, "get_schedule_group", Name=group))
    if live is None or live["State"] == "DELETING":
        return None
    tags = calls("scheduler", region, "list_tags_for_resource", ResourceArn=live["Arn"])
    return {"name": live["Name"], "arn": live["Arn"], "state": live["State"], **tags_of(tags)}


def update_group(calls: Calls, region: str, _group: str, new: Values, old: Values) -> None:
    """Changes tags, which are all that can change."""
    gone, fresh = changed_tags(new, old)
    if gone:
        calls("scheduler", region, "untag_resource", ResourceArn=old["arn"], TagKeys=gone)
    if fresh:
        calls("scheduler", region, "tag_resource", ResourceArn=old["arn"], Tags=fresh)


def make_schedule(calls: Calls, region: str, inputs: Values) -> str:
    """Makes a schedule."""
    calls("scheduler", region, "create_schedule", **_sent(inputs))
    return f"{inputs.get('groupName', 'default')}/{inputs['name']}"


def read_schedule(calls: Calls, region: str, schedule: str, state: Values) -> Values | None:
    """A schedule that is still to happen; one that deletes itself is gone when it did."""
    group, name = schedule.split("/", 1)
    live = unless_gone(lambda: calls("scheduler", region, "get_schedule", GroupName=group, Name=name))
    if live is None:
        return None
    told = camel({key: value for key, value in live.items() if not isinstance(value, datetime)})
    plain = {name: told.get(name) for name in PLAIN}
    return {**plain, **{name: like(state.get(name, {}), told[name]) for name in BLOCKS}, "arn": live["Arn"]}


def update_schedule(calls: Calls, region: str, _schedule: str, new: Values, _old: Values) -> None:
    """Writes the whole schedule again."""
    calls("scheduler", region, "update_schedule", **_sent(new))


def delete_schedule(calls: Calls, region: str, schedule: str, _: Values) -> None:
    """Deletes a schedule."""
    group, name = schedule.split("/", 1)
    removed(lambda: calls("scheduler", region, "delete_schedule", GroupName=group, Name=name))


ROWS: dict[str, Row] = {
    "aws:scheduler/scheduleGroup:ScheduleGroup": Row(
        knows=words("name tags region"),
        replaces=words("name region"),
        computed=("arn", "state", "tagsAll"),
        create=make_group,
        read=read_group,
        update=update_group,
        delete=lambda calls, region, group, _: removed(
            lambda: calls("scheduler", region, "delete_schedule_group", Name=group)
        ),
    ),
    "aws:scheduler/schedule:Schedule": Row(
        knows=PLAIN | BLOCKS | words("region"),
        replaces=words("name groupName region"),
        computed=("arn",),
        create=make_schedule,
        read=read_schedule,
        update=update_schedule,
        delete=delete_schedule,
        defaults={"scheduleExpressionTimezone": "UTC", "state": "ENABLED"},
    ),
}


def _sent(inputs: Values) -> dict[str, Any]:
    sent: Values = pascal({name: inputs[name] for name in PLAIN | BLOCKS if inputs.get(name) is not None})
    return sent
