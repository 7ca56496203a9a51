"""One resource of each type that breaks no rule, and ways to break it."""

import base64
from collections.abc import Mapping
from copy import deepcopy
from enum import Enum
from ipaddress import IPv4Network
from typing import Any

from components.roles import DEPLOY_ACTIONS, DEPLOY_NOT_ACTIONS
from policies import kinds
from tests.policies.aws_good import good_in_aws
from tests.policies.harness import UNKNOWN, Seed
from virtci.core.firewall import Rule, rules
from virtci.core.inventory import CLUSTER, MACHINE, NAT_GATEWAY, POOL, PUBLIC_ADDRESS
from virtci.core.manifests import POD_SECURITY
from virtci.core.names import assignment_id

SUBSCRIPTION = "00000000-0000-0000-0000-0000000000a1"
SCOPE = f"/subscriptions/{SUBSCRIPTION}"
VAULT_ID = f"{SCOPE}/resourceGroups/shared-rg/providers/Microsoft.KeyVault/vaults/fleetkv"
TAGS = {
    "owner": "team", "system": "l1vh", "environment": "dev", "lifetime": "on-demand", "stack": "dev", "managed-by": "virt-ci",
}  # fmt: skip


class Absent(Enum):
    """Takes a property away."""

    ABSENT = "absent"


ABSENT = Absent.ABSENT
RANGES = {
    "runners": IPv4Network("10.60.0.0/24"),
    "dev": IPv4Network("10.60.1.0/24"),
    "test-kvm": IPv4Network("10.60.16.0/22"),
}
CONFIG: dict[str, Any] = {
    "quota": {"region": "westus", "limits": {"cores": 64, "standardDSv5Family": 48, "standardDDSv5Family": 16}},
    "tagging": {"allowed": {"owner": ["team"], "system": ["l1vh"], "environment": ["dev", "shared"], "stack": ["dev"]}},
    "cost-budget": {"monthlyUsd": 1000},
    "regions-allowed": {"allowed": ["westus"], "aws": ["us-east-2"]},
    "nsg-no-lateral": {"management": ["10.60.0.0/24"]},
    "kubevirt-gate": {"environment": "dev"},
    "runner-slots": {"regions": {"westus": {"cores": 8, "reserve": 4}}},
}


def built_in(guid: str) -> str:
    """The id of a built-in role."""
    return f"{SCOPE}/providers/Microsoft.Authorization/roleDefinitions/{guid}"


READER = built_in("acdd72a7-3385-48ef-bd42-f606fba81ae7")
OWNER = built_in("8e3af657-a8ff-443c-a75c-2fe8c4bcb635")
CONTRIBUTOR = built_in("b24988ac-6180-42a0-ab88-20f7382dd24c")
RBAC_ADMINISTRATOR = built_in("f58310d9-a9f6-439a-9e8d-f62e7b41a168")
SECRETS_USER = built_in("4633458b-17de-408a-b874-0445c86b69e6")
DEPLOY_ROLE = built_in(assignment_id(SUBSCRIPTION, "virt-ci deploy"))


def encoded(text: str) -> str:
    """A text as boot texts are sent."""
    return base64.b64encode(text.encode()).decode()


def security_rule(rule: Rule) -> dict[str, Any]:
    """A rule in the provider's words."""
    return {
        "name": rule.name,
        "priority": rule.priority,
        "direction": rule.direction,
        "access": rule.access,
        "protocol": rule.protocol,
        "sourceAddressPrefixes": list(rule.sources),
        "destinationAddressPrefixes": list(rule.destinations),
        "destinationPortRanges": list(rule.ports),
    }


def located(**more: Any) -> dict[str, Any]:
    """What every located resource has."""
    return {"resourceGroupName": "dev-rg", "location": "westus", "tags": dict(TAGS), **more}


def pool(**more: Any) -> dict[str, Any]:
    """A node pool."""
    return {
        "vmSize": "Standard_D8s_v5", "count": 1, "minCount": 0, "maxCount": 2, "enableAutoScaling": True, "maxPods": 110,
        "osDiskType": "Managed", "osDiskSizeGB": 128, "type": "VirtualMachineScaleSets", "enableNodePublicIP": False,
        "mode": "User", "upgradeSettings": {"maxSurge": "1"}, "tags": dict(TAGS), **more,
    }  # fmt: skip


SYSTEM_POOL = pool(
    name="agentpool", vmSize="Standard_D4ds_v5", count=2, enableAutoScaling=False, osDiskType="Ephemeral", mode="System",
    minCount=None, maxCount=None, nodeTaints=["CriticalAddonsOnly=true:NoSchedule"],
)  # fmt: skip

GOOD: dict[str, dict[str, Any]] = {
    kinds.GROUP: located(resourceGroupName="dev-rg"),
    kinds.WORKSPACE: located(workspaceName="fleet-logs"),
    kinds.NETWORK: located(
        virtualNetworkName="fleet-vnet",
        subnets=[
            {
                "name": name,
                "addressPrefix": str(network),
                "defaultOutboundAccess": False,
                "natGateway": {"id": UNKNOWN},
                "networkSecurityGroup": {"id": UNKNOWN},
            }
            for name, network in RANGES.items()
        ],
    ),
    kinds.SECURITY_GROUP: located(
        networkSecurityGroupName="dev-nsg", securityRules=[security_rule(rule) for rule in rules("dev", RANGES, "runners")]
    ),
    kinds.INTERFACE: located(
        networkInterfaceName="dev-vm-nic",
        enableIPForwarding=False,
        enableAcceleratedNetworking=True,
        ipConfigurations=[{"name": "private", "subnet": {"id": UNKNOWN}}],
    ),
    NAT_GATEWAY: located(natGatewayName="fleet-egress", publicIpAddresses=[{"id": "/ids/address"}]),
    PUBLIC_ADDRESS: located(publicIpAddressName="fleet-ip", sku={"name": "Standard"}, publicIPAllocationMethod="Static"),
    kinds.VAULT: located(
        vaultName="fleetkv",
        properties={
            "enableRbacAuthorization": True,
            "enablePurgeProtection": True,
            "enableSoftDelete": True,
            "softDeleteRetentionInDays": 90,
            "networkAcls": {"defaultAction": "Deny", "bypass": "None", "ipRules": [], "virtualNetworkRules": [{"id": UNKNOWN}]},
        },
    ),
    kinds.SECRET: {
        "secretName": "dev-kubeconfig", "vaultName": "fleetkv", "tags": dict(TAGS),
        "properties": {"value": "kind: Config", "contentType": "application/yaml"},
    },
    MACHINE: located(
        vmName="dev-vm",
        hardwareProfile={"vmSize": "Standard_D8s_v5"},
        identity={"type": "UserAssigned", "userAssignedIdentities": [UNKNOWN]},
        networkProfile={"networkInterfaces": [{"id": UNKNOWN, "primary": True, "deleteOption": "Detach"}]},
        osProfile={
            "computerName": "dev-vm",
            "adminUsername": "azureuser",
            "allowExtensionOperations": False,
            "customData": encoded("#cloud-config\nssh_pwauth: false\n"),
            "linuxConfiguration": {
                "disablePasswordAuthentication": True,
                "provisionVMAgent": True,
                "ssh": {"publicKeys": [{"path": "/home/azureuser/.ssh/authorized_keys", "keyData": UNKNOWN}]},
            },
        },
        storageProfile={
            "imageReference": {"id": f"{SCOPE}/resourceGroups/l1vh/providers/Microsoft.Compute/galleries/images/images/dom0"},
            "osDisk": {
                "name": "dev-vm-os", "caching": "ReadWrite", "createOption": "FromImage", "diskSizeGB": 128,
                "deleteOption": "Delete", "managedDisk": {"storageAccountType": "Premium_LRS"},
            },
        },
        diagnosticsProfile={"bootDiagnostics": {"enabled": True}},
    ),
    kinds.DISK: located(
        diskName="dev-vm-os",
        sku={"name": "Premium_LRS"},
        diskSizeGB=128,
        creationData={"createOption": "Copy", "sourceResourceId": f"{SCOPE}/resourceGroups/kept/snapshots/dev-vm"},
        networkAccessPolicy="DenyAll",
        publicNetworkAccess="Disabled",
    ),
    kinds.SCHEDULE: located(
        name="shutdown-computevm-dev-vm", status="Enabled", taskType="ComputeVmShutdownTask", targetResourceId=UNKNOWN
    ),
    kinds.IDENTITY: located(resourceName="dev-identity"),
    kinds.CREDENTIAL: {
        "federatedIdentityCredentialResourceName": "classic", "resourceName": "dev-identity", "resourceGroupName": "dev-rg",
        "issuer": "https://token.actions.githubusercontent.com", "audiences": ["api://AzureADTokenExchange"],
        "subject": "repo:owner/name:environment:dev",
    },
    kinds.ASSIGNMENT: {
        "principalId": UNKNOWN, "principalType": "ServicePrincipal", "roleDefinitionId": SECRETS_USER,
        "scope": f"{VAULT_ID}/secrets/dev-kubeconfig",
    },
    kinds.ROLE: {
        "roleName": "virt-ci deploy", "assignableScopes": [SCOPE],
        "permissions": [{"actions": list(DEPLOY_ACTIONS), "notActions": list(DEPLOY_NOT_ACTIONS)}],
    },
    CLUSTER: located(
        resourceName="test-aks",
        dnsPrefix="test-aks",
        sku={"name": "Base", "tier": "Free"},
        identity={"type": "UserAssigned", "userAssignedIdentities": [UNKNOWN]},
        kubernetesVersion="1.34",
        enableRBAC=True,
        disableLocalAccounts=True,
        aadProfile={"managed": True, "enableAzureRBAC": True},
        apiServerAccessProfile={"enablePrivateCluster": True, "enablePrivateClusterPublicFQDN": False, "disableRunCommand": True},
        autoUpgradeProfile={"nodeOSUpgradeChannel": "NodeImage", "upgradeChannel": "patch"},
        networkProfile={
            "networkPlugin": "azure", "networkPolicy": "calico", "outboundType": "userAssignedNATGateway", "loadBalancerSku": "standard",
        },
        agentPoolProfiles=[SYSTEM_POOL],
    ),
    POOL: pool(agentPoolName="workers", resourceName="test-aks"),
    kinds.DIAGNOSTICS: {
        "name": "audit", "resourceUri": "/ids/vault", "workspaceId": UNKNOWN, "logs": [{"categoryGroup": "audit", "enabled": True}],
    },
    kinds.STORAGE_ACCOUNT: located(
        accountName="fleetstate", kind="StorageV2", sku={"name": "Standard_GRS"}, allowSharedKeyAccess=False, allowBlobPublicAccess=False,
        allowCrossTenantReplication=False, allowedCopyScope="AAD", enableHttpsTrafficOnly=True, minimumTlsVersion="TLS1_2",
        isLocalUserEnabled=False, sasPolicy={"expirationAction": "Block", "sasExpirationPeriod": "00.01:00:00"},
        networkRuleSet={"defaultAction": "Deny", "bypass": "None"},
    ),
    kinds.BLOB_SERVICE: {
        "accountName": "fleetstate", "blobServicesName": "default", "isVersioningEnabled": True,
        "deleteRetentionPolicy": {"enabled": True, "days": 14}, "containerDeleteRetentionPolicy": {"enabled": True, "days": 14},
    },
    kinds.BLOB_CONTAINER: {"accountName": "fleetstate", "containerName": "records", "publicAccess": "None"},
    kinds.STORAGE_LIFECYCLE: {
        "accountName": "fleetstate", "managementPolicyName": "default",
        "policy": {"rules": [{"name": "old", "type": "Lifecycle", "enabled": True, "definition": {
            "actions": {"version": {"delete": {"daysAfterCreationGreaterThan": 14}}}}}]},
    },
    kinds.GALLERY: located(galleryName="fleet_images"),
    kinds.GALLERY_IMAGE: located(
        galleryName="fleet_images", galleryImageName="L0BaseImage", osType="Linux", osState="Generalized", hyperVGeneration="V2"
    ),
    kinds.BUDGET: {"budgetName": "fleet-dev", "amount": 1000, "scope": SCOPE},
    kinds.GITHUB_ENVIRONMENT: {
        "repository": "name", "environment": "dev", "reviewers": [{"users": [5001]}], "preventSelfReview": True,
        "canAdminsBypass": False, "deploymentBranchPolicy": {"protectedBranches": False, "customBranchPolicies": True},
    },
    kinds.GITHUB_BRANCHES: {"repository": "name", "environment": "dev", "branchPattern": "release/*"},
    kinds.GITHUB_VARIABLE: {"repository": "name", "environment": "dev", "variableName": "TEST_FOCUS", "value": "(l1hv-new)"},
    kinds.GITHUB_SECRET: {"repository": "name", "environment": "dev", "secretName": "SSH_PRIVATE_KEY", "plaintextValue": UNKNOWN},
    kinds.KEY_PAIR: {"algorithm": "ED25519"},
    kinds.NAMESPACE: {"metadata": {"name": "kubevirt", "labels": {POD_SECURITY: "privileged"}}},
    kinds.NAMESPACE_PATCH: {"metadata": {"name": "virt-ci", "labels": {POD_SECURITY: "privileged"}}},
    kinds.CONFIG_MAP: {"metadata": {"name": "settings", "namespace": "virt-ci"}, "data": {"rules.yaml": "groups: []"}},
    kinds.SERVICE: {
        "metadata": {"name": "prometheus", "namespace": "virt-ci"},
        "spec": {"type": "ClusterIP", "selector": {"app": "prometheus"}, "ports": [{"port": 9090}]},
    },
    kinds.SERVICE_ACCOUNT: {"metadata": {"name": "tests", "namespace": "virt-ci"}, "automountServiceAccountToken": False},
    kinds.DEPLOYMENT: {
        "metadata": {"name": "prometheus", "namespace": "virt-ci"},
        "spec": {"template": {"spec": {
            "serviceAccountName": "prometheus",
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{
                "name": "prometheus", "image": f"registry.example/prometheus@sha256:{'a' * 64}",
                "env": [{"name": "VIRT_API_IMAGE", "value": f"registry.example/virt-api@sha256:{'b' * 64}"}],
                "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}},
                "readinessProbe": {"httpGet": {"path": "/", "port": "web"}},
                "livenessProbe": {"httpGet": {"path": "/", "port": "web"}},
                "ports": [{"name": "web", "containerPort": 9090}],
                "securityContext": {
                    "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
                },
            }],
            "volumes": [{"name": "data", "emptyDir": {}}],
        }}},
    },
    kinds.DEFINITION: {"metadata": {"name": "kubevirts.kubevirt.io"}, "spec": {"group": "kubevirt.io"}},
    kinds.PRIORITY_CLASS: {"metadata": {"name": "critical"}, "value": 1000000000},
    kinds.CLUSTER_ROLE: {
        "metadata": {"name": "virt-ci-tests"}, "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}],
    },
    kinds.NAMESPACE_ROLE: {
        "metadata": {"name": "virt-ci-prometheus", "namespace": "kubevirt"},
        "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}],
    },
    kinds.CLUSTER_ROLE_BINDING: {
        "metadata": {"name": "virt-ci-tests"}, "roleRef": {"kind": "ClusterRole", "name": "virt-ci-tests"},
        "subjects": [{"kind": "ServiceAccount", "name": "tests", "namespace": "virt-ci"}],
    },
    kinds.ROLE_BINDING: {
        "metadata": {"name": "virt-ci-prometheus", "namespace": "kubevirt"},
        "roleRef": {"kind": "Role", "name": "virt-ci-prometheus"},
        "subjects": [{"kind": "ServiceAccount", "name": "prometheus", "namespace": "virt-ci"}],
    },
    kinds.ADMISSION_POLICY: {"metadata": {"name": "virt-ci-tests"}, "spec": {"failurePolicy": "Fail"}},
    kinds.ADMISSION_BINDING: {"metadata": {"name": "virt-ci-tests"}, "spec": {"policyName": "virt-ci-tests"}},
    kinds.KUBEVIRT: {
        "metadata": {"name": "kubevirt", "namespace": "kubevirt"},
        "spec": {"configuration": {"developerConfiguration": {"featureGates": ["HyperVL1VH"]}}},
    },
    **good_in_aws(TAGS),
}  # fmt: skip


def good(kind: str, name: str = "it", changes: Mapping[str, Any] | None = None, **refers: list[str]) -> Seed:
    """A resource of a type, with values at dotted paths changed or taken away."""
    props = deepcopy(GOOD[kind])
    for path, value in (changes or {}).items():
        change(props, path, value)
    return Seed(name, kind, props, refers)


AROUND_A_DISK: dict[str, Any] = {
    "osProfile": ABSENT, "identity": ABSENT, "storageProfile.imageReference": ABSENT,
    "storageProfile.osDisk": {
        "createOption": "Attach", "osType": "Linux", "caching": "ReadWrite", "deleteOption": "Delete",
        "managedDisk": {"id": UNKNOWN},
    },
}  # fmt: skip
"""What makes a good machine one that came back from its disk."""


def title(changes: Mapping[str, Any]) -> str:
    """A change in a few words."""
    words = {ABSENT: "absent", UNKNOWN: "unknown"}
    return ", ".join(f"{path}={words.get(value) if isinstance(value, Absent | str) and value in words else str(value)[:40]}"
                     for path, value in changes.items())  # fmt: skip


def change(props: dict[str, Any], path: str, value: Any) -> None:
    """Sets the value at a dotted path, with numbers for items of lists, or takes it away."""
    *parents, last = path.split(".")
    here: Any = props
    for part in parents:
        here = here[int(part)] if isinstance(here, list) else here.setdefault(part, {})
    if value is ABSENT:
        here.pop(last, None)
    elif isinstance(here, list):
        here[int(last)] = value
    else:
        here[last] = value


def small_fleet() -> list[Seed]:
    """A stack with one of everything, connected; no rule finds anything in it."""
    machine_tags = dict(TAGS)
    return [
        good(kinds.GROUP, "group"),
        good(kinds.WORKSPACE, "logs"),
        good(kinds.NETWORK, "network", {}, subnets=["group-of-subnet", "egress"]),
        good(kinds.SECURITY_GROUP, "group-of-subnet"),
        good(NAT_GATEWAY, "egress"),
        good(PUBLIC_ADDRESS, "address"),
        good(kinds.VAULT, "vault"),
        good(kinds.DIAGNOSTICS, "vault-logs"),
        good(kinds.SECRET, "kubeconfig"),
        good(kinds.KEY_PAIR, "key"),
        good(kinds.INTERFACE, "nic"),
        good(MACHINE, "machine", {"tags": machine_tags}, networkProfile=["nic"]),
        good(kinds.SCHEDULE, "shutdown", {}, targetResourceId=["machine"]),
        good(kinds.IDENTITY, "identity"),
        good(kinds.CREDENTIAL, "trust", {}, resourceName=["identity"]),
        good(kinds.ASSIGNMENT, "reads", {}, principalId=["identity"]),
        good(kinds.ROLE, "deploy-role"),
        good(CLUSTER, "cluster"),
        good(POOL, "workers"),
        good(
            kinds.DIAGNOSTICS,
            "cluster-logs",
            {
                "resourceUri": "/ids/cluster",
                "logs": [{"category": name, "enabled": True} for name in ("kube-audit-admin", "guard")],
            },
        ),
        good(kinds.STORAGE_ACCOUNT, "account"),
        good(kinds.BLOB_SERVICE, "versions", {}, accountName=["account"]),
        good(kinds.BLOB_CONTAINER, "records", {}, accountName=["account"]),
        good(kinds.STORAGE_LIFECYCLE, "lifecycle", {}, accountName=["account"]),
        good(kinds.GALLERY, "images"),
        good(kinds.GALLERY_IMAGE, "image", {}, galleryName=["images"]),
        good(kinds.GROUP, "slot", {"resourceGroupName": "auto-runner-westus-01"}),
        good(kinds.BUDGET, "budget"),
        good(kinds.GITHUB_ENVIRONMENT, "github"),
        good(kinds.GITHUB_BRANCHES, "branch", {}, environment=["github"]),
        *(
            good(kinds.GITHUB_VARIABLE, name, {"variableName": name, "value": "text"}, environment=["github"])
            for name in ("TEST_FOCUS", "EMULATION", "HYPERVISOR", "TESTS_ENABLED")
        ),
        good(kinds.GITHUB_SECRET, "secret", {}, environment=["github"]),
        good(kinds.INSTANCE, "instance"),
        good(kinds.BACKSTOP, "backstop", {}, target=["instance"]),
    ]


def replaced(fleet: list[Seed], name: str, changes: Mapping[str, Any]) -> list[Seed]:
    """A fleet in which one resource is changed."""
    found = []
    for seed in fleet:
        if seed.name == name:
            props = deepcopy(dict(seed.props))
            for path, value in changes.items():
                change(props, path, value)
            found.append(Seed(seed.name, seed.type, props, seed.refers))
        else:
            found.append(seed)
    return found


def without(fleet: list[Seed], *names: str) -> list[Seed]:
    """A fleet without some resources."""
    return [seed for seed in fleet if seed.name not in names]
