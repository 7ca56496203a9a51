"""The generic rules that every write and deletion meets before the type's own."""

import re

from virtci.rehearsal.azure import errors, ids
from virtci.rehearsal.azure.behaviours import hooks_of
from virtci.rehearsal.azure.bodies import judge
from virtci.rehearsal.azure.resource_types import ResourceType
from virtci.rehearsal.azure.store import Record, Store, Write
from virtci.rehearsal.journal import CloudError


def check_write(write: Write) -> None:
    """Name, parents, model, place, references, then what the type itself asks for."""
    check_name(write.row, write.address.name)
    check_parents(write.store, write.address)
    _check_group_stays(write.store, write.address.id)
    if write.address.id.lower() in write.store.busy:
        raise errors.another_operation(write.address.id)
    _check_model(write)
    _check_location(write)
    _check_references(write)
    check = hooks_of(write.row).check
    if check:
        check(write)


def check_name(row: ResourceType, name: str) -> None:
    """Refuses a name that the service would refuse."""
    if not re.fullmatch(row.name.pattern, name):
        raise CloudError(row.name.status, row.name.code, f"Resource name {name} is invalid. {row.name.text}")


def check_parents(store: Store, address: ids.Address) -> None:
    """The group, and the resource above or in scope, must exist."""
    group = ids.group_id(address.id)
    if group and group.lower() != address.id.lower() and store.get(group) is None:
        raise errors.group_not_found(ids.group_of(address.id))
    if address.scope and not store.exists(address.parent):
        if len(address.names) > 1:
            raise errors.parent_not_found(address.parent)
        raise errors.resource_not_found(ids.parse(address.parent))


def _check_group_stays(store: Store, resource_id: str) -> None:
    group = store.get(ids.group_id(resource_id))
    if group is not None and group.state == "Deleting":
        text = f"The resource group '{group.name}' is in deprovisioning state and cannot perform this operation."
        raise errors.conflict("ResourceGroupBeingDeleted", text)


def _check_model(write: Write) -> None:
    problems = judge(write.row.request, write.body)
    if problems:
        listed = "; ".join(f"'{item.property}' {item.reason}" for item in problems)
        raise errors.bad("InvalidRequestContent", f"The request content was invalid: {listed}.")


def _check_location(write: Write) -> None:
    if write.old and write.old.location and write.location.lower() != write.old.location.lower():
        text = (
            f"The resource '{write.address.name}' already exists in location '{write.old.location}' in resource "
            f"group '{ids.group_of(write.address.id)}'. A resource with the same name cannot be created in "
            f"location '{write.location}'. Please select a new resource name."
        )
        raise errors.conflict("InvalidResourceLocation", text)


def _check_references(write: Write) -> None:
    source = write.address.id
    for target in ids.references(write.body, write.store.scenario.subscription):
        elsewhere = any(part in target.lower() for part in errors.CHECKED_ELSEWHERE)
        if not elsewhere and not ids.is_below(target, source) and not write.store.exists(target):
            raise errors.reference_not_found(write.address.namespace, target, source)


def check_deletion(store: Store, record: Record) -> None:
    """Refuses while another operation runs, while the type objects, and while others refer to the resource."""
    if record.id.lower() in store.busy:
        raise errors.another_operation(record.id)
    before = hooks_of(record.row).before_delete
    if before:
        before(store, record)
    rule = record.row.in_use
    users = store.users(record) if rule else []
    if users and rule:
        text = rule.message.format(id=record.id, name=record.name, users=", ".join(item.id for item in users))
        raise CloudError(rule.status, rule.code, text)
