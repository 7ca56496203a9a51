"""Resource groups, log workspaces, diagnostic settings, shutdown schedules, budgets."""

import re
from datetime import datetime

from virtci.rehearsal.azure import errors, ids, tables
from virtci.rehearsal.azure.store import Hooks, Record, Store, Write, stable_uuid

SHUTDOWN = "shutdown-computevm-"
MOST_SETTINGS = 5


def _check_group(write: Write) -> None:
    if write.location.lower() not in tables.regions():
        text = f"The provided location '{write.location}' is not available for resource group. "
        listed = ", ".join(sorted(tables.regions()))
        raise errors.bad("LocationNotAvailableForResourceGroup", f"{text}List of available regions: {listed}.")


def _refuse_while_used_outside(store: Store, record: Record) -> None:
    inside = store.below(record.id)
    blocked = [item for item in inside if item.row.in_use and _users_outside(store, item, record)]
    if blocked:
        names = ", ".join(item.id for item in blocked)
        text = (
            f"Deletion of resource group '{record.name}' failed as resources with identifiers '{names}' could not be "
            "deleted. The provisioning state of the resource group will be rolled back."
        )
        raise errors.conflict("ResourceGroupDeletionBlocked", text)


def _users_outside(store: Store, item: Record, group: Record) -> list[Record]:
    return [user for user in store.users(item) if not ids.is_below(user.id, group.id)]


def _complete_workspace(write: Write, record: Record) -> None:
    properties = record.properties
    properties["customerId"] = stable_uuid("workspace", record.guid)
    properties.setdefault("sku", {"name": "PerGB2018"})
    properties.setdefault("retentionInDays", 30)
    properties["createdDate"] = write.first_made
    properties["modifiedDate"] = write.store.clock.now.isoformat()


def _check_setting(write: Write) -> None:
    sinks = ("workspaceId", "storageAccountId", "eventHubAuthorizationRuleId", "marketplacePartnerId")
    if not any(write.properties.get(name) for name in sinks):
        raise errors.bad("BadRequest", "At least one data sink needs to be specified.")
    if not write.properties.get("logs") and not write.properties.get("metrics"):
        raise errors.bad("BadRequest", f"Diagnostic setting '{write.address.name}' names no log and no metric.")
    others = [item for item in write.store.of_type(write.row.arm, write.address.scope) if item is not write.old]
    if len(others) >= MOST_SETTINGS:
        text = f"Resource {write.address.scope} has {MOST_SETTINGS} diagnostic settings already; it can have no more."
        raise errors.conflict("Conflict", text)


def _check_schedule(write: Write) -> None:
    machine = str(write.properties.get("targetResourceId") or "")
    wanted = SHUTDOWN + machine.rsplit("/", 1)[-1]
    if "/virtualmachines/" not in machine.lower():
        text = f"Schedule '{write.address.name}' has no virtual machine as its target."
        raise errors.bad("InvalidScheduleTarget", text)
    if write.address.name.lower() != wanted.lower():
        text = f"The schedule of virtual machine {machine} must be named '{wanted}', not '{write.address.name}'."
        raise errors.bad("InvalidScheduleName", text)
    if write.properties.get("taskType") != "ComputeVmShutdownTask":
        text = f"Schedule '{write.address.name}' must have the task type 'ComputeVmShutdownTask'."
        raise errors.bad("InvalidScheduleTaskType", text)
    time = str((write.properties.get("dailyRecurrence") or {}).get("time"))
    if not re.fullmatch(r"([01]\d|2[0-3])[0-5]\d", time):
        raise errors.bad("InvalidScheduleTime", f"The time '{time}' of schedule '{write.address.name}' is not HHMM.")


def _complete_schedule(write: Write, record: Record) -> None:
    record.properties["createdDate"] = write.first_made
    record.properties["uniqueIdentifier"] = record.guid
    record.properties.setdefault("status", "Enabled")
    record.properties.setdefault("timeZoneId", "UTC")


def _check_budget(write: Write) -> None:
    properties = write.properties
    if float(properties["amount"]) <= 0:
        raise errors.bad("400", f"The amount of budget '{write.address.name}' must be greater than zero.")
    start = _date(write, str(properties["timePeriod"].get("startDate")))
    if start.day != 1:
        raise errors.bad("400", f"The start date {start:%Y-%m-%d} of a budget must be the first of a month.")
    end = properties["timePeriod"].get("endDate")
    if end and _date(write, str(end)) <= start:
        raise errors.bad("400", f"The end date of budget '{write.address.name}' must be after its start date.")
    for name, notification in (properties.get("notifications") or {}).items():
        if not any(notification.get(key) for key in ("contactEmails", "contactRoles", "contactGroups")):
            raise errors.bad("400", f"Notification '{name}' names no contact email, role or group.")


def _date(write: Write, text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise errors.bad("400", f"'{text}' in budget '{write.address.name}' is not a date.") from None


def _complete_budget(_: Write, record: Record) -> None:
    record.properties["currentSpend"] = {"amount": 0.0, "unit": "USD"}
    record.body["eTag"] = f'"{record.guid}"'


HOOKS = {
    "group": Hooks(check=_check_group, before_delete=_refuse_while_used_outside),
    "workspace": Hooks(complete=_complete_workspace),
    "diagnostic_setting": Hooks(check=_check_setting),
    "schedule": Hooks(check=_check_schedule, complete=_complete_schedule),
    "budget": Hooks(check=_check_budget, complete=_complete_budget),
}
