"""Who may do what: role assignments and the actions of their roles.

Resource Manager enforces this for managed identities alone: they act with the roles that the project gave them. Everybody
else stands for a person or a login outside the project, whose roles no rehearsal knows. Conditions are not evaluated.

Rules: azure-docs, role-based-access-control (role-definitions.md: wildcards and what is subtracted; troubleshooting.md: up
to ten minutes until an assignment works; resource-provider-operations: names of actions). What a write refers to asks for
an action of its own (LinkedAuthorizationFailed), as seen in Azure/OpenShift#186 and kubernetes#93020 for disks and snapshots,
Azure/aad-pod-identity#550 for subnets.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from virtci.core.tables import table
from virtci.rehearsal.azure import ids
from virtci.rehearsal.azure.authorization import ASSIGNMENTS, DEFINITIONS
from virtci.rehearsal.azure.store import Record, Store
from virtci.rehearsal.bridge import Values
from virtci.rehearsal.journal import CloudError

PROPAGATION_SECONDS = 300.0
"""Simulated seconds until a new assignment works; the platform promises no more than ten minutes."""
_VERBS = {"GET": "read", "HEAD": "read", "PUT": "write", "PATCH": "write", "DELETE": "delete"}
_JOINED = ("networkInterfaces", "networkSecurityGroups", "natGateways", "publicIPAddresses", "virtualNetworks/subnets")
_LINKED = {
    **{f"microsoft.network/{kind.lower()}": f"Microsoft.Network/{kind}/join/action" for kind in _JOINED},
    "microsoft.managedidentity/userassignedidentities": "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action",
    "microsoft.compute/galleries/images/versions": "Microsoft.Compute/galleries/images/versions/read",
}
_COPIED = ("microsoft.compute/disks", "microsoft.compute/snapshots")
_TAGS = re.compile(r"(.+)/providers/Microsoft\.Resources/tags/default", re.IGNORECASE)
_NAME_CHECK = re.compile(r"/subscriptions/[^/]+/providers/([^/]+)/checkNameAvailability", re.IGNORECASE)


def require(store: Store, principal: str, method: str, path: str) -> None:
    """Raises `CloudError` when a managed identity may not send a request to Resource Manager."""
    if principal not in store.principals:
        return
    action, scope = needed(method, path.rstrip("/"))
    if not allows(store, principal, action, scope):
        text = (
            f"The client '{principal}' with object id '{principal}' does not have authorization to perform action "
            f"'{action}' over scope '{scope}' or the scope is invalid. If access was recently granted, please refresh "
            "your credentials."
        )
        raise CloudError(403, "AuthorizationFailed", text)


def require_linked(store: Store, principal: str, method: str, path: str, body: Values) -> None:
    """Raises `CloudError` when a managed identity may not use what a write refers to."""
    if principal not in store.principals or method != "PUT":
        return
    writer = ids.parse(path)
    for target in sorted({*ids.references(body, store.scenario.subscription)}):
        action = _linked(writer.arm.lower(), ids.parse(target).arm.lower())
        inside = ids.is_below(target, writer.id)
        if action and not inside and not allows(store, principal, action, target):
            text = (
                f"The client '{principal}' with object id '{principal}' has permission to perform action "
                f"'{writer.arm}/write' on scope '{path}'; however, it does not have permission to perform action(s) "
                f"'{action}' on the linked scope(s) '{target}' (respectively) or the linked scope(s) are invalid."
            )
            raise CloudError(403, "LinkedAuthorizationFailed", text)


def _linked(writer: str, target: str) -> str | None:
    """The action that a reference asks for; copies of disks are asked for by disks and snapshots alone."""
    if target in _COPIED:
        return "Microsoft.Compute/disks/beginGetAccess/action" if writer in _COPIED else None
    return _LINKED.get(target)


def allows(
    store: Store,
    principal: str,
    action: str,
    scope: str,
    *,
    data: bool = False,
    propagation: float = PROPAGATION_SECONDS,
) -> bool:
    """Whether some assignment lets a principal do an action (`data`: of the data plane) at a scope."""
    return any(
        _permits(permission, action, "dataActions" if data else "actions")
        for assignment in _assignments(store, principal, scope, propagation)
        for permission in _permissions(store, str(assignment.properties["roleDefinitionId"]))
    )


def needed(method: str, path: str) -> tuple[str, str]:
    """The action that a request to Resource Manager is, and the scope that it is judged at."""
    tagged, check = _TAGS.fullmatch(path), _NAME_CHECK.fullmatch(path)
    if tagged:
        return f"Microsoft.Resources/tags/{_VERBS[method]}", tagged.group(1)
    if check:
        return f"{check.group(1)}/checkNameAvailability/read", "/".join(path.split("/")[:3])
    if method == "POST":
        target, _, action = path.rpartition("/")
        return f"{_type(target)}/{action}/action", target
    address = ids.parse(path)
    return f"{_type(path)}/{_VERBS[method]}", path.rpartition("/")[0] if address.is_collection else path


def _type(path: str) -> str:
    address = ids.parse(path)
    if not address.types:
        return "Microsoft.Resources/subscriptions/providers"
    if "/providers/" in path.lower() or address.types == ("subscriptions",):
        return address.arm
    return "/".join(("Microsoft.Resources", "subscriptions", *address.types))


def _assignments(store: Store, principal: str, scope: str, propagation: float) -> Iterator[Record]:
    for record in store.of_type(ASSIGNMENTS):
        theirs = str(record.properties["principalId"]).lower() == principal.lower()
        works = store.clock.seconds - record.created >= propagation
        if theirs and works and ids.is_below(scope, ids.parse(record.id).scope):
            yield record


def _permissions(store: Store, role: str) -> Iterable[Mapping[str, Any]]:
    guid = role.rsplit("/", 1)[-1].lower()
    for definition in store.of_type(DEFINITIONS):
        if definition.name.lower() == guid:
            permissions: list[Values] = definition.properties["permissions"]
            return permissions
    name = next(name for name, known in table("roles")["roles"].items() if known == guid)
    return [table("role-permissions")["roles"][name]]


def _permits(permission: Mapping[str, Any], action: str, kind: str) -> bool:
    excluded = f"not{kind[0].upper()}{kind[1:]}"
    return _matches(permission.get(kind), action) and not _matches(permission.get(excluded), action)


def _matches(patterns: Iterable[str] | None, action: str) -> bool:
    return any(fnmatchcase(action.lower(), pattern.lower()) for pattern in patterns or ())
