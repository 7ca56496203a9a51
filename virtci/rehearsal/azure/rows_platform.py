"""Rows of the services that every system uses: groups, logs, vaults, identities, roles, schedules, budgets.

Durations are typical ones seen in deployments, in simulated seconds. What a change replaces follows the
force-new list of the azure-native provider (provider/pkg/gen/replacement.go).
"""

from virtci.rehearsal.azure.resource_types import GROUP, NameRule, ResourceType, Seconds

GUID = r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
GUID_NAME = NameRule(GUID, "The ID must be a GUID.", "InvalidRoleAssignmentId")

ROWS: tuple[ResourceType, ...] = (
    ResourceType(
        kind="azure-native:resources:ResourceGroup",
        path=GROUP,
        module="azure.mgmt.resource.resources.models",
        model="ResourceGroup",
        name=NameRule(
            r"[\w().-]{0,89}[\w()-]",
            "The name can only be a letter, digit, '-', '.', '(', ')' or '_', and cannot end with a period.",
            "InvalidResourceGroup",
        ),
        seconds=Seconds(2, 1, 15),
        hooks="group",
    ),
    ResourceType(
        kind="azure-native:operationalinsights:Workspace",
        path=f"{GROUP}/providers/Microsoft.OperationalInsights/workspaces/{{workspaceName}}",
        module="azure.mgmt.loganalytics.models",
        model="Workspace",
        name=NameRule(
            r"[A-Za-z0-9][A-Za-z0-9-]{2,61}[A-Za-z0-9]",
            "It must be 4-63 letters, digits and hyphens, and begin and end with a letter or digit.",
        ),
        seconds=Seconds(30, 5, 5),
        hooks="workspace",
    ),
    ResourceType(
        kind="azure-native:keyvault:Vault",
        path=f"{GROUP}/providers/Microsoft.KeyVault/vaults/{{vaultName}}",
        module="azure.mgmt.keyvault.models",
        model="Vault",
        request_model="VaultCreateOrUpdateParameters",
        name=NameRule(
            r"(?!.*--)[A-Za-z][A-Za-z0-9-]{1,22}[A-Za-z0-9]",
            "A vault's name must be between 3-24 alphanumeric characters. The name must begin with a letter, end with "
            "a letter or digit, and not contain consecutive hyphens.",
            "VaultNameNotValid",
        ),
        seconds=Seconds(25, 8, 10),
        hooks="vault",
    ),
    ResourceType(
        kind="azure-native:keyvault:Secret",
        path=f"{GROUP}/providers/Microsoft.KeyVault/vaults/{{vaultName}}/secrets/{{secretName}}",
        module="azure.mgmt.keyvault.models",
        model="Secret",
        request_model="SecretCreateOrUpdateParameters",
        name=NameRule(r"[A-Za-z0-9-]{1,127}", "It must be 1-127 letters, digits and hyphens.", "BadRequest"),
        seconds=Seconds(2, 2, 1),
        hooks="secret",
        stateful=False,
    ),
    ResourceType(
        kind="azure-native:monitor:DiagnosticSetting",
        path="/{resourceUri}/providers/Microsoft.Insights/diagnosticSettings/{name}",
        module="azure.mgmt.monitor.v2021_05_01_preview.models",
        model="DiagnosticSettingsResource",
        name=NameRule(r"[^*<>%&:\\?+/]{1,260}", "It must be 1-260 characters without *<>%&:\\?+/."),
        seconds=Seconds(3, 3, 2),
        hooks="diagnostic_setting",
        stateful=False,
    ),
    ResourceType(
        kind="azure-native:managedidentity:UserAssignedIdentity",
        path=f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{{resourceName}}",
        module="azure.mgmt.msi.v2024_11_30.models",
        model="Identity",
        name=NameRule(
            r"[A-Za-z0-9][A-Za-z0-9_-]{2,127}",
            "It must be 3-128 letters, digits, hyphens and underscores, and begin with a letter or digit.",
        ),
        seconds=Seconds(3, 2, 2),
        hooks="identity",
        stateful=False,
    ),
    ResourceType(
        kind="azure-native:managedidentity:FederatedIdentityCredential",
        path=f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{{resourceName}}"
        "/federatedIdentityCredentials/{federatedIdentityCredentialResourceName}",
        module="azure.mgmt.msi.v2024_11_30.models",
        model="FederatedIdentityCredential",
        name=NameRule(
            r"[A-Za-z0-9][A-Za-z0-9_-]{2,119}",
            "It must be 3-120 letters, digits, hyphens and underscores, and begin with a letter or digit.",
        ),
        seconds=Seconds(4, 4, 4),
        hooks="federated_credential",
        stateful=False,
    ),
    ResourceType(
        kind="azure-native:authorization:RoleAssignment",
        path="/{scope}/providers/Microsoft.Authorization/roleAssignments/{roleAssignmentName}",
        module="azure.mgmt.authorization.v2022_04_01.models",
        model="RoleAssignment",
        request_model="RoleAssignmentCreateParameters",
        name=GUID_NAME,
        replaced=("principalId",),
        seconds=Seconds(2, 2, 2),
        hooks="role_assignment",
        stateful=False,
    ),
    ResourceType(
        kind="azure-native:authorization:RoleDefinition",
        path="/{scope}/providers/Microsoft.Authorization/roleDefinitions/{roleDefinitionId}",
        module="azure.mgmt.authorization.v2022_04_01.models",
        model="RoleDefinition",
        name=NameRule(GUID, "The ID must be a GUID.", "InvalidRoleDefinitionId"),
        seconds=Seconds(2, 2, 2),
        hooks="role_definition",
        stateful=False,
    ),
    ResourceType(
        kind="azure-native:devtestlab:GlobalSchedule",
        path=f"{GROUP}/providers/Microsoft.DevTestLab/schedules/{{name}}",
        module="azure.mgmt.devtestlabs.models",
        model="Schedule",
        name=NameRule(r"[A-Za-z0-9_.-]{1,260}", "It must be 1-260 letters, digits, '.', '_' and '-'."),
        seconds=Seconds(3, 3, 2),
        hooks="schedule",
    ),
    ResourceType(
        kind="azure-native:consumption:Budget",
        path="/{scope}/providers/Microsoft.Consumption/budgets/{budgetName}",
        module="azure.mgmt.consumption.models",
        model="Budget",
        name=NameRule(r"[A-Za-z0-9_-]{1,63}", "It must be 1-63 letters, digits, hyphens and underscores.", "400"),
        seconds=Seconds(2, 2, 1),
        hooks="budget",
        stateful=False,
    ),
)
