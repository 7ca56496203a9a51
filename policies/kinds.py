"""The resource types that the rules read, and all that a fleet may declare."""

from virtci.core.inventory import CLUSTER, MACHINE, NAT_GATEWAY, POOL, PUBLIC_ADDRESS

__all__ = ["CLUSTER", "MACHINE", "NAT_GATEWAY", "POOL", "PUBLIC_ADDRESS"]

GROUP = "azure-native:resources:ResourceGroup"
WORKSPACE = "azure-native:operationalinsights:Workspace"
NETWORK = "azure-native:network:VirtualNetwork"
SECURITY_GROUP = "azure-native:network:NetworkSecurityGroup"
INTERFACE = "azure-native:network:NetworkInterface"
DISK = "azure-native:compute:Disk"
VAULT = "azure-native:keyvault:Vault"
SECRET = "azure-native:keyvault:Secret"  # noqa: S105  a type, not a secret
DIAGNOSTICS = "azure-native:monitor:DiagnosticSetting"
SCHEDULE = "azure-native:devtestlab:GlobalSchedule"
IDENTITY = "azure-native:managedidentity:UserAssignedIdentity"
CREDENTIAL = "azure-native:managedidentity:FederatedIdentityCredential"
ASSIGNMENT = "azure-native:authorization:RoleAssignment"
ROLE = "azure-native:authorization:RoleDefinition"
BUDGET = "azure-native:consumption:Budget"
GITHUB_ENVIRONMENT = "github:index/repositoryEnvironment:RepositoryEnvironment"
GITHUB_BRANCHES = "github:index/repositoryEnvironmentDeploymentPolicy:RepositoryEnvironmentDeploymentPolicy"
GITHUB_VARIABLE = "github:index/actionsEnvironmentVariable:ActionsEnvironmentVariable"
GITHUB_SECRET = "github:index/actionsEnvironmentSecret:ActionsEnvironmentSecret"  # noqa: S105  a type, not a secret
KEY_PAIR = "tls:index/privateKey:PrivateKey"

TAGGABLE = (
    GROUP, WORKSPACE, NETWORK, SECURITY_GROUP, INTERFACE, NAT_GATEWAY, PUBLIC_ADDRESS, VAULT, SECRET, MACHINE, SCHEDULE,
    IDENTITY, CLUSTER, POOL,
)  # fmt: skip
KNOWN = (
    *TAGGABLE, DIAGNOSTICS, CREDENTIAL, ASSIGNMENT, ROLE, BUDGET, GITHUB_ENVIRONMENT, GITHUB_BRANCHES, GITHUB_VARIABLE,
    GITHUB_SECRET, KEY_PAIR,
)  # fmt: skip
"""Every type that a fleet declares; disks are part of their machines."""
ENGINE_PREFIXES = ("pulumi:", "virt-ci:")
"""The engine's own resources and our components: they hold no properties of a cloud."""
