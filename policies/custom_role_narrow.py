"""Custom roles: no wildcard over everything, no way to more rights."""

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

from pulumi_policy import Severity

from policies.common import Fault, Settings, each, resource_policy, shown
from policies.kinds import ROLE
from virtci.core.inventory import UNKNOWN, Resource

FORBIDDEN = (
    "Microsoft.Authorization/elevateAccess/action",
    "Microsoft.Authorization/roleAssignments/delete",
    "Microsoft.Authorization/roleAssignments/write",
    "Microsoft.Authorization/roleDefinitions/write",
    "Microsoft.Compute/virtualMachines/runCommand/action",
    "Microsoft.Compute/virtualMachines/runCommands/write",
    "Microsoft.ContainerService/managedClusters/listClusterAdminCredential/action",
    "Microsoft.ContainerService/managedClusters/runcommand/action",
    "Microsoft.KeyVault/locations/deletedVaults/purge/action",
)
"""Each of them is a way to rights that no assignment shows, or to a loss that nothing brings back."""


def faults(resource: Resource, _: Settings) -> Iterator[Fault]:
    """Protects from a role that is Owner by another name."""
    for permission in each(resource.properties, "permissions"):
        actions, less, data = (each(permission, key) for key in ("actions", "notActions", "dataActions"))
        for action in [item for item in (*actions, *data) if item is UNKNOWN or item.startswith("*")]:
            yield Fault(f"it allows {shown(action)}", "actions name a provider and a type", "list what is needed")
        for action in [item for item in data if item is not UNKNOWN and "*" in item]:
            yield Fault(
                f"it allows {shown(action)} on data", "data actions are listed one by one", "list what is needed"
            )
        for forbidden in FORBIDDEN:
            if _matches(forbidden, actions) and not _matches(forbidden, less):
                yield Fault(
                    f"it allows {forbidden}", "no role of ours does", "add it to notActions, or narrow the actions"
                )
    for scope in each(resource.properties, "assignableScopes"):
        if not str(scope).startswith("/subscriptions/"):
            yield Fault(f"it can be assigned at {shown(scope)}", "one subscription at most", "name the subscription")


def _matches(action: str, patterns: list[Any]) -> bool:
    return any(item is not UNKNOWN and fnmatchcase(action.lower(), item.lower()) for item in patterns)


POLICY = resource_policy(
    "custom-role-narrow",
    "Custom roles have no wildcard over everything and no way to more rights.",
    (ROLE,),
    faults,
    Severity.CRITICAL,
    covers=("CKV_AZURE_39",),
)
