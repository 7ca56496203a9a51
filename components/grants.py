"""Role assignments: who may do what, and where."""

from dataclasses import dataclass

import pulumi
from pulumi_azure_native import authorization

from components.base import Component
from virtci.core.names import assignment_id


@dataclass(frozen=True, kw_only=True, slots=True)
class Grant:
    """A role for a principal on one scope. `condition` narrows what a role that can assign roles may assign."""

    role: str
    role_definition_id: pulumi.Input[str]
    scope: pulumi.Input[str]
    condition: pulumi.Input[str] | None = None


def grant(
    component: Component, suffix: str, principal_id: pulumi.Input[str], given: Grant
) -> authorization.RoleAssignment:
    """Makes one assignment as a child of the component.

    The principal's type is stated, because the directory knows a new identity only after a while and would
    refuse it with PrincipalNotFound.
    """
    name = component.child_name(suffix)
    return authorization.RoleAssignment(
        name,
        role_assignment_name=assignment_id(pulumi.get_stack(), name),
        principal_id=principal_id,
        principal_type=authorization.PrincipalType.SERVICE_PRINCIPAL,
        role_definition_id=given.role_definition_id,
        scope=given.scope,
        condition=given.condition,
        condition_version="2.0" if given.condition is not None else None,
        opts=component.options(),
    )
