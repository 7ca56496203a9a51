"""Role assignments: named roles only, as narrow as they can be."""

from collections.abc import Iterator
from typing import Any

from pulumi_policy import Severity

from policies.common import Fault, Settings, at, is_filled, resource_policy, shown
from policies.kinds import ASSIGNMENT
from virtci.core.inventory import UNKNOWN, Resource
from virtci.core.names import assignment_id
from virtci.core.tables import table

CAN_ASSIGN = "Role Based Access Control Administrator"
TOO_MUCH = ("Owner", "Contributor", "User Access Administrator")
FIX = "give the narrowest role on the one resource that needs it"


def faults(resource: Resource, settings: Settings) -> Iterator[Fault]:
    """Protects the subscription from its own identities.

    Scopes, conditions and ids of custom roles that are made in the deployment are unknown in a first preview; they
    are judged in the update, before the assignment is made.
    """
    role_id, scope = at(resource.properties, "roleDefinitionId"), at(resource.properties, "scope")
    if role_id is UNKNOWN:
        return
    role = _name(str(role_id), settings["customRoles"])
    if role is None or role in TOO_MUCH or role not in (*settings["roles"], *settings["customRoles"]):
        yield Fault(f"it gives {role or shown(role_id)}", "only roles of the policy's list are given", FIX)
        return
    condition = is_filled(at(resource.properties, "condition"))
    if role == CAN_ASSIGN and not (condition and at(resource.properties, "conditionVersion") == "2.0"):
        yield Fault(
            f"it gives {role} without a condition", "who assigns roles may assign named ones only", "add the condition"
        )
    if scope is not UNKNOWN:
        yield from _scope(role, scope, settings["subscriptionRoles"])


def _scope(role: str, scope: Any, subscription_roles: list[str]) -> Iterator[Fault]:
    parts = str(scope).strip("/").split("/")
    if role.startswith("Key Vault") and "secrets" not in parts:
        yield Fault(f"it gives {role} on {shown(scope)}", "vault roles are given on one secret", FIX)
    elif parts[0] != "subscriptions" or (len(parts) == 2 and role not in subscription_roles):
        yield Fault(
            f"it gives {role} on {shown(scope)}", f"only {', '.join(subscription_roles)} are for a subscription", FIX
        )


def _name(role_id: str, custom: list[str]) -> str | None:
    """The name of a role: of the table, or one of the custom ones, whose ids follow from their names."""
    parts = role_id.strip("/").split("/")
    own = {assignment_id(parts[1], name): name for name in custom} if len(parts) > 1 else {}
    known = {guid: name for name, guid in table("roles")["roles"].items()} | own
    return known.get(parts[-1].lower())


POLICY = resource_policy(
    "role-assignment-least-privilege",
    "Only named, narrow roles are given, vault roles on single secrets only.",
    (ASSIGNMENT,),
    faults,
    Severity.CRITICAL,
    covers=("Azure.RBAC.LimitOwner", "Azure.RBAC.UseRGDelegation", "Azure.RBAC.LimitMGDelegation"),
    settings={
        "roles": {
            "type": "array",
            "items": {"type": "string"},
            "default": [
                "Reader", CAN_ASSIGN, "Key Vault Secrets User", "Network Contributor",
                "Azure Kubernetes Service Cluster User Role", "Azure Kubernetes Service RBAC Cluster Admin",
            ],
        },
        "customRoles": {"type": "array", "items": {"type": "string"}, "default": [
            "virt-ci deploy", "virt-ci kubeconfig publisher", "virt-ci power operator", "virt-ci boot tagger",
        ]},
        "subscriptionRoles": {"type": "array", "items": {"type": "string"}, "default": ["Reader", CAN_ASSIGN, "virt-ci deploy"]},
    },
)  # fmt: skip
