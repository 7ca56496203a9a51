"""Roles of the project's own."""

from dataclasses import dataclass

from pulumi_azure_native import authorization

from components.base import Component
from virtci.core.names import assignment_id, named


@dataclass(frozen=True, kw_only=True, slots=True)
class CustomRole:
    """What a role is called in the whole tenant, and what it allows. Its id follows from its name."""

    name: str
    description: str
    actions: tuple[str, ...] = ()
    not_actions: tuple[str, ...] = ()
    data_actions: tuple[str, ...] = ()

    @property
    def short(self) -> str:
        """The last words of the name, for logical names."""
        return self.name.removeprefix("virt-ci ").replace(" ", "-")


def custom_role(component: Component, suffix: str, subscription: str, role: CustomRole) -> authorization.RoleDefinition:
    """Makes the role, assignable in one subscription, as a child of the component."""
    scope = f"/subscriptions/{subscription}"
    permission: authorization.PermissionArgsDict = {"actions": list(role.actions)}
    if role.not_actions:
        permission["not_actions"] = list(role.not_actions)
    if role.data_actions:
        permission["data_actions"] = list(role.data_actions)
    return authorization.RoleDefinition(
        component.child_name(suffix),
        role_definition_id=assignment_id(subscription, role.name),
        role_name=named("role", role.name),
        description=role.description,
        role_type="CustomRole",
        permissions=[permission],
        scope=scope,
        assignable_scopes=[scope],
        opts=component.options(),
    )
