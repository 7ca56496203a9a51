"""Role assignments and role definitions."""

import re

from virtci.rehearsal.azure import errors, tables
from virtci.rehearsal.azure.store import Hooks, Record, Store, Write

ASSIGNMENTS = "Microsoft.Authorization/roleAssignments"
DEFINITIONS = "Microsoft.Authorization/roleDefinitions"
REPLICATION_SECONDS = 120  # until every part of Entra knows a new principal
_ROLE = re.compile(r"/providers/Microsoft\.Authorization/roleDefinitions/([^/]+)$", re.IGNORECASE)


def _check_assignment(write: Write) -> None:
    asked = write.properties
    _check_role(write, str(asked["roleDefinitionId"]))
    if write.old:
        _check_update(write, write.old)
    else:
        _check_principal(write, str(asked["principalId"]), str(asked.get("principalType") or ""))
        _check_duplicate(write)
    if bool(asked.get("condition")) != bool(asked.get("conditionVersion")) or asked.get("conditionVersion") not in (
        None,
        "2.0",
    ):
        text = "A condition of a role assignment needs the condition version '2.0'."
        raise errors.bad("InvalidConditionVersion", text)


def _check_role(write: Write, role: str) -> None:
    found = _ROLE.search(role)
    guid = found.group(1).lower() if found else ""
    custom = {item.name.lower() for item in write.store.of_type(DEFINITIONS)}
    if guid not in custom and guid not in {item.lower() for item in tables.role_ids()}:
        text = f"The specified role definition with ID '{guid or role}' does not exist."
        raise errors.bad("RoleDefinitionDoesNotExist", text)


def _check_update(write: Write, old: Record) -> None:
    for name in ("principalId", "roleDefinitionId"):
        if str(write.properties[name]).lower() != str(old.properties[name]).lower():
            text = f"The {name} of a role assignment is not allowed to be updated."
            raise errors.bad("RoleAssignmentUpdateNotPermitted", text)


def _check_principal(write: Write, principal: str, kind: str) -> None:
    """Without its type, a principal is looked up in a directory that may not know it yet."""
    store = write.store
    since = store.principals.get(principal)
    known = since is not None or principal in store.scenario.principals or principal == store.scenario.deployer
    young = since is not None and store.clock.seconds - since < REPLICATION_SECONDS
    if not known or (young and not kind):
        text = (
            f"Principal {principal.replace('-', '')} does not exist in the directory {store.scenario.tenant}. Check "
            "that you have the correct principal ID. If you are creating this principal and then immediately assigning "
            "a role, this error might be related to a replication delay. In this case, set the role assignment "
            "principalType property to a value, such as ServicePrincipal, User, or Group. See "
            "https://aka.ms/docs-principaltype"
        )
        raise errors.bad("PrincipalNotFound", text)


def _check_duplicate(write: Write) -> None:
    for other in write.store.of_type(ASSIGNMENTS):
        same_scope = _scope(other.id) == _scope(write.address.id)
        same = all(
            str(other.properties.get(name)).lower() == str(write.properties.get(name)).lower()
            for name in ("principalId", "roleDefinitionId")
        )
        if same_scope and same:
            text = f"The role assignment already exists. The ID of the conflicting role assignment is {other.name}."
            raise errors.conflict("RoleAssignmentExists", text)


def _scope(assignment: str) -> str:
    return assignment.lower().rsplit("/providers/", 1)[0]


def _complete_assignment(write: Write, record: Record) -> None:
    record.properties |= {
        "scope": write.address.scope,
        "createdOn": write.first_made,
        "updatedOn": write.store.clock.now.isoformat(),
        "createdBy": write.principal,
        "updatedBy": write.principal,
    }
    record.properties.setdefault("principalType", "ServicePrincipal")


def _check_definition(write: Write) -> None:
    asked = write.properties
    if not asked.get("roleName") or not asked.get("permissions") or not asked.get("assignableScopes"):
        text = f"Role definition '{write.address.name}' needs a role name, permissions and assignable scopes."
        raise errors.bad("InvalidRoleDefinition", text)
    for other in write.store.of_type(DEFINITIONS):
        if other is not write.old and other.properties.get("roleName") == asked["roleName"]:
            text = f"A custom role with the same name already exists in this directory: '{asked['roleName']}'."
            raise errors.conflict("RoleDefinitionWithSameNameExists", text)


def _complete_definition(write: Write, record: Record) -> None:
    record.properties.setdefault("type", "CustomRole")
    record.properties |= {"createdOn": write.first_made, "updatedOn": write.store.clock.now.isoformat()}


def _refuse_assigned_definition(store: Store, record: Record) -> None:
    users = [
        item
        for item in store.of_type(ASSIGNMENTS)
        if str(item.properties.get("roleDefinitionId")).lower().endswith(record.name.lower())
    ]
    if users:
        text = f"There are existing role assignments referencing role (code: {record.name}): {users[0].id}."
        raise errors.bad("RoleDefinitionHasAssignments", text)


HOOKS = {
    "role_assignment": Hooks(check=_check_assignment, complete=_complete_assignment),
    "role_definition": Hooks(_check_definition, _complete_definition, before_delete=_refuse_assigned_definition),
}
