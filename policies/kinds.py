"""The resource types that the rules read, and all that a fleet may declare."""

from virtci.core.inventory import (
    AWS_ADDRESS,
    AWS_ENDPOINT,
    AWS_NAT_GATEWAY,
    CLUSTER,
    DISK,
    INSTANCE,
    MACHINE,
    NAT_GATEWAY,
    POOL,
    PROFILE,
    PUBLIC_ADDRESS,
)

__all__ = [
    "AWS_ADDRESS",
    "AWS_ENDPOINT",
    "AWS_NAT_GATEWAY",
    "CLUSTER",
    "DISK",
    "INSTANCE",
    "MACHINE",
    "NAT_GATEWAY",
    "POOL",
    "PROFILE",
    "PUBLIC_ADDRESS",
]

GROUP = "azure-native:resources:ResourceGroup"
WORKSPACE = "azure-native:operationalinsights:Workspace"
NETWORK = "azure-native:network:VirtualNetwork"
SECURITY_GROUP = "azure-native:network:NetworkSecurityGroup"
INTERFACE = "azure-native:network:NetworkInterface"
VAULT = "azure-native:keyvault:Vault"
SECRET = "azure-native:keyvault:Secret"  # noqa: S105  a type, not a secret
DIAGNOSTICS = "azure-native:monitor:DiagnosticSetting"
SCHEDULE = "azure-native:devtestlab:GlobalSchedule"
IDENTITY = "azure-native:managedidentity:UserAssignedIdentity"
CREDENTIAL = "azure-native:managedidentity:FederatedIdentityCredential"
ASSIGNMENT = "azure-native:authorization:RoleAssignment"
ROLE = "azure-native:authorization:RoleDefinition"
BUDGET = "azure-native:consumption:Budget"
STORAGE_ACCOUNT = "azure-native:storage:StorageAccount"
BLOB_SERVICE = "azure-native:storage:BlobServiceProperties"
BLOB_CONTAINER = "azure-native:storage:BlobContainer"
STORAGE_LIFECYCLE = "azure-native:storage:ManagementPolicy"
GALLERY = "azure-native:compute:Gallery"
GALLERY_IMAGE = "azure-native:compute:GalleryImage"
GITHUB_ENVIRONMENT = "github:index/repositoryEnvironment:RepositoryEnvironment"
GITHUB_BRANCHES = "github:index/repositoryEnvironmentDeploymentPolicy:RepositoryEnvironmentDeploymentPolicy"
GITHUB_VARIABLE = "github:index/actionsEnvironmentVariable:ActionsEnvironmentVariable"
GITHUB_SECRET = "github:index/actionsEnvironmentSecret:ActionsEnvironmentSecret"  # noqa: S105  a type, not a secret
KEY_PAIR = "tls:index/privateKey:PrivateKey"

AWS_NETWORK = "aws:ec2/vpc:Vpc"
AWS_SUBNET = "aws:ec2/subnet:Subnet"
AWS_INTERNET_GATEWAY = "aws:ec2/internetGateway:InternetGateway"
AWS_ROUTES = "aws:ec2/routeTable:RouteTable"
AWS_ROUTES_OF_SUBNET = "aws:ec2/routeTableAssociation:RouteTableAssociation"
AWS_FIREWALL = "aws:ec2/securityGroup:SecurityGroup"
LAUNCH_TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"
AWS_ROLE = "aws:iam/role:Role"
AWS_RIGHTS = "aws:iam/rolePolicy:RolePolicy"
AWS_ISSUER = "aws:iam/openIdConnectProvider:OpenIdConnectProvider"
AWS_PARAMETER = "aws:ssm/parameter:Parameter"
BACKSTOPS = "aws:scheduler/scheduleGroup:ScheduleGroup"
BACKSTOP = "aws:scheduler/schedule:Schedule"
AWS_REGIONAL = (
    AWS_NETWORK, AWS_SUBNET, AWS_INTERNET_GATEWAY, AWS_ADDRESS, AWS_NAT_GATEWAY, AWS_ROUTES, AWS_FIREWALL, AWS_ENDPOINT,
    LAUNCH_TEMPLATE, INSTANCE, BACKSTOPS, AWS_PARAMETER,
)  # fmt: skip
"""Types of AWS that have tags and a region; IAM is the same everywhere."""

RBAC = "kubernetes:rbac.authorization.k8s.io/v1"
ADMISSION = "kubernetes:admissionregistration.k8s.io/v1"
NAMESPACE = "kubernetes:core/v1:Namespace"
NAMESPACE_PATCH = "kubernetes:core/v1:NamespacePatch"
CONFIG_MAP = "kubernetes:core/v1:ConfigMap"
SERVICE = "kubernetes:core/v1:Service"
SERVICE_ACCOUNT = "kubernetes:core/v1:ServiceAccount"
DEPLOYMENT = "kubernetes:apps/v1:Deployment"
DEFINITION = "kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition"
PRIORITY_CLASS = "kubernetes:scheduling.k8s.io/v1:PriorityClass"
CLUSTER_ROLE = f"{RBAC}:ClusterRole"
CLUSTER_ROLE_BINDING = f"{RBAC}:ClusterRoleBinding"
NAMESPACE_ROLE = f"{RBAC}:Role"
ROLE_BINDING = f"{RBAC}:RoleBinding"
ADMISSION_POLICY = f"{ADMISSION}:ValidatingAdmissionPolicy"
ADMISSION_BINDING = f"{ADMISSION}:ValidatingAdmissionPolicyBinding"
KUBEVIRT = "kubernetes:kubevirt.io/v1:KubeVirt"
NAMESPACED = (CONFIG_MAP, SERVICE, SERVICE_ACCOUNT, DEPLOYMENT, NAMESPACE_ROLE, ROLE_BINDING, KUBEVIRT)
IN_CLUSTERS = (
    *NAMESPACED, NAMESPACE, NAMESPACE_PATCH, DEFINITION, PRIORITY_CLASS, CLUSTER_ROLE, CLUSTER_ROLE_BINDING,
    ADMISSION_POLICY, ADMISSION_BINDING,
)  # fmt: skip
"""Every type that is declared inside a cluster. Pods come from Deployments only: other kinds that make them would have
to be read by the rules on pods first."""

TAGGABLE = (
    GROUP, WORKSPACE, NETWORK, SECURITY_GROUP, INTERFACE, NAT_GATEWAY, PUBLIC_ADDRESS, VAULT, SECRET, MACHINE, DISK, SCHEDULE,
    IDENTITY, CLUSTER, POOL, STORAGE_ACCOUNT, GALLERY, GALLERY_IMAGE, *AWS_REGIONAL, AWS_ROLE, PROFILE, AWS_ISSUER,
)  # fmt: skip
KNOWN = (
    *TAGGABLE, DIAGNOSTICS, CREDENTIAL, ASSIGNMENT, ROLE, BUDGET, GITHUB_ENVIRONMENT, GITHUB_BRANCHES, GITHUB_VARIABLE,
    GITHUB_SECRET, KEY_PAIR, BLOB_SERVICE, BLOB_CONTAINER, STORAGE_LIFECYCLE, AWS_ROUTES_OF_SUBNET, AWS_RIGHTS, BACKSTOP,
    *IN_CLUSTERS,
)  # fmt: skip
"""Every type that a fleet declares; disks of new machines are part of them."""
ENGINE_PREFIXES = ("pulumi:", "virt-ci:")
"""The engine's own resources and our components: they hold no properties of a cloud."""
