"""The custom roles of the fleet: publishing, power, boot tags; and deploying, without anything that reads a secret.

Action names: Azure resource provider operations (azure-docs, role-based-access-control/resource-provider-operations).
"""

from collections.abc import Iterable

from virtci.core.tables import table

PUBLISHER = "virt-ci kubeconfig publisher"
POWER_OPERATOR = "virt-ci power operator"
BOOT_TAGGER = "virt-ci boot tagger"
POWER_ACTIONS = (
    "Microsoft.Compute/virtualMachines/read",
    "Microsoft.Compute/virtualMachines/instanceView/read",
    "Microsoft.Compute/virtualMachines/start/action",
    "Microsoft.Compute/virtualMachines/deallocate/action",
    "Microsoft.ContainerService/managedClusters/read",
    "Microsoft.ContainerService/managedClusters/start/action",
    "Microsoft.ContainerService/managedClusters/stop/action",
)
TAG_ACTIONS = ("Microsoft.Resources/tags/read", "Microsoft.Resources/tags/write")
DEPLOY_ACTIONS = (
    "Microsoft.Resources/subscriptions/resourceGroups/*",
    "Microsoft.Compute/virtualMachines/*",
    "Microsoft.Compute/disks/*",
    "Microsoft.Compute/galleries/images/read",
    "Microsoft.Compute/galleries/images/versions/read",
    "Microsoft.Network/virtualNetworks/*",
    "Microsoft.Network/networkInterfaces/*",
    "Microsoft.Network/networkSecurityGroups/*",
    "Microsoft.Network/natGateways/*",
    "Microsoft.Network/publicIPAddresses/*",
    "Microsoft.KeyVault/vaults/*",
    "Microsoft.KeyVault/checkNameAvailability/read",
    "Microsoft.ManagedIdentity/userAssignedIdentities/*",
    "Microsoft.ContainerService/managedClusters/*",
    "Microsoft.DevTestLab/schedules/*",
    "Microsoft.OperationalInsights/workspaces/*",
    "Microsoft.Insights/diagnosticSettings/*",
    "Microsoft.Consumption/budgets/*",
    "Microsoft.Authorization/roleDefinitions/read",
    "Microsoft.Authorization/roleAssignments/read",
)
DEPLOY_NOT_ACTIONS = (
    "Microsoft.KeyVault/locations/deletedVaults/purge/action",
    "Microsoft.Compute/virtualMachines/runCommand/action",
    "Microsoft.Compute/virtualMachines/runCommands/write",
    "Microsoft.Compute/virtualMachines/extensions/write",
    "Microsoft.ContainerService/managedClusters/listClusterAdminCredential/action",
    "Microsoft.ContainerService/managedClusters/runcommand/action",
)
DELEGATED_ROLES = (
    "Key Vault Secrets User",
    "Network Contributor",
    "Azure Kubernetes Service Cluster User Role",
    "Azure Kubernetes Service RBAC Cluster Admin",
)


def delegation_condition(custom_role_ids: Iterable[str]) -> str:
    """The condition under which the deploy identity may assign roles: these, and to service principals only.

    The built-in ones are `DELEGATED_ROLES`; the custom ones are those that environments and runners get.

    Without it, whoever can assign roles can make himself Owner.
    """
    guids = [table("roles")["roles"][role] for role in DELEGATED_ROLES]
    guids += [role_id.rsplit("/", 1)[-1] for role_id in custom_role_ids]
    return " AND ".join(_restricted(action, attribute, guids) for action, attribute in _ACTIONS)


_ACTIONS = (
    ("Microsoft.Authorization/roleAssignments/write", "@Request"),
    ("Microsoft.Authorization/roleAssignments/delete", "@Resource"),
)


def _restricted(action: str, source: str, guids: list[str]) -> str:
    prefix = f"{source}[Microsoft.Authorization/roleAssignments"
    roles = f"{prefix}:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals {{{', '.join(guids)}}}"
    kinds = f"{prefix}:PrincipalType] ForAnyOfAnyValues:StringEqualsIgnoreCase {{'ServicePrincipal'}}"
    return f"((!(ActionMatches{{'{action}'}})) OR ({roles} AND {kinds}))"
