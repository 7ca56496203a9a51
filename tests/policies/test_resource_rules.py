"""Rules on single resources: a table of what each finds, and what it lets pass."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
from pulumi_policy import ResourceValidationPolicy

from policies.kinds import (
    ASSIGNMENT,
    BUDGET,
    CLUSTER_ROLE,
    CLUSTER_ROLE_BINDING,
    CONFIG_MAP,
    CREDENTIAL,
    DEPLOYMENT,
    GITHUB_ENVIRONMENT,
    GITHUB_VARIABLE,
    GROUP,
    INTERFACE,
    KNOWN,
    KUBEVIRT,
    NAMESPACE,
    NAMESPACE_PATCH,
    NAMESPACE_ROLE,
    NETWORK,
    ROLE,
    ROLE_BINDING,
    SCHEDULE,
    SECRET,
    SECURITY_GROUP,
    SERVICE,
    SERVICE_ACCOUNT,
    TAGGABLE,
    VAULT,
)
from tests.policies.good import (
    ABSENT,
    CONFIG,
    CONTRIBUTOR,
    DEPLOY_ROLE,
    OWNER,
    RBAC_ADMINISTRATOR,
    READER,
    SCOPE,
    VAULT_ID,
    encoded,
    good,
    title,
)
from tests.policies.harness import UNKNOWN, Seed, all_policies, judge_one
from virtci.core.inventory import CLUSTER, MACHINE, POOL, PUBLIC_ADDRESS
from virtci.core.manifests import POD_SECURITY

State = Literal["pass", "fail", "missing", "unknown", "configuration"]


@dataclass(frozen=True)
class Row:
    """A change to a good resource, and what the rule says about it; nothing means that it passes."""

    policy: str
    kind: str
    state: State
    changes: Mapping[str, Any]
    says: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.policy} {self.state} {self.kind.rsplit(':', 1)[-1]} {title(self.changes) or self.config}"


INBOUND = {"name": "in", "priority": 90, "direction": "Inbound", "access": "Allow", "protocol": "Tcp",
           "sourceAddressPrefix": "*", "destinationAddressPrefix": "*", "destinationPortRange": "22"}  # fmt: skip
OUTBOUND = {"name": "out", "priority": 90, "direction": "Outbound", "access": "Allow", "protocol": "Tcp",
            "sourceAddressPrefix": "10.60.1.0/24", "destinationAddressPrefix": "10.60.2.0/24", "destinationPortRange": "22"}  # fmt: skip
FIRST = "securityRules.0"
LINUX = "osProfile.linuxConfiguration"
OS_DISK = "storageProfile.osDisk"
API = "apiServerAccessProfile"
VPROPS = "properties"
PERMISSION = "permissions.0"
POD = "spec.template.spec"
BOX = f"{POD}.containers.0"
SECURITY = f"{BOX}.securityContext"
DEVELOPER = "spec.configuration.developerConfiguration"
GATES = f"{DEVELOPER}.featureGates"
SYSTEM = "agentPoolProfiles.0"
KEY_HEAD = "-----BEGIN OPENSSH PRIVATE " + "KEY-----"
GITHUB_TOKEN = "ghp_" + "a1B2c3D4e5" * 4


def nsg(rule: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """The first rule of a group replaced."""
    changed = {**rule, **more}
    return {FIRST: {key: value for key, value in changed.items() if value is not ABSENT}}


ROWS = [
    # Tagging
    Row("tagging", GROUP, "fail", {"tags.owner": "Team!"}, "tag `owner` is `Team!`; allowed: team"),
    Row("tagging", GROUP, "fail", {"tags.lifetime": "forever"}, "tag `lifetime` is `forever`"),
    Row("tagging", GROUP, "fail", {"tags.stack": "other"}, "tag `stack` is `other`; allowed: dev"),
    Row("tagging", SECRET, "missing", {"tags": ABSENT}, "required tag `owner` is missing"),
    Row("tagging", GROUP, "missing", {"tags.environment": ABSENT}, "required tag `environment` is missing"),
    Row("tagging", CLUSTER, "missing", {f"{SYSTEM}.tags": ABSENT}, "agentPoolProfiles[0]: required tag"),
    Row("tagging", GROUP, "unknown", {"tags": UNKNOWN}, "tags is not known before the deployment"),
    Row("tagging", GROUP, "unknown", {"tags.owner": UNKNOWN}, "tags is not known before the deployment"),
    Row("tagging", GROUP, "pass", {"tags.extra": "more"}),
    Row("tagging", BUDGET, "pass", {}),
    Row("tagging", GROUP, "configuration", {}, "tag `owner` is `team`; allowed: others",
        {"allowed": {"owner": ["others"], "system": ["l1vh"], "environment": ["dev"], "stack": ["dev"]}}),
    # Machines
    Row("vm-no-public-ip", INTERFACE, "fail", {"ipConfigurations.0.publicIPAddress": {"id": "x"}}, "publicIPAddress is there"),
    Row("vm-no-public-ip", INTERFACE, "fail", {"ipConfigurations.0.publicIPAddress": UNKNOWN}, "publicIPAddress is there"),
    Row("vm-no-public-ip", INTERFACE, "unknown", {"ipConfigurations": UNKNOWN}, "not known before the deployment"),
    Row("vm-no-public-ip", INTERFACE, "missing", {"ipConfigurations": ABSENT}),
    Row("vm-no-public-ip", MACHINE, "fail", {
        "networkProfile.networkInterfaceConfigurations": [{"ipConfigurations": [{"publicIPAddressConfiguration": {"name": "p"}}]}]},
        "publicIPAddressConfiguration is there"),
    Row("vm-no-public-ip", MACHINE, "pass", {}),
    Row("vm-ssh-keys-only", MACHINE, "fail", {f"{LINUX}.disablePasswordAuthentication": False}, "disablePasswordAuthentication is false"),
    Row("vm-ssh-keys-only", MACHINE, "fail", {"osProfile.adminPassword": "x"}, "adminPassword is there"),
    Row("vm-ssh-keys-only", MACHINE, "fail", {"osProfile.windowsConfiguration": {}}, "windowsConfiguration is `{}`"),
    Row("vm-ssh-keys-only", MACHINE, "missing", {f"{LINUX}.disablePasswordAuthentication": ABSENT}, "is absent"),
    Row("vm-ssh-keys-only", MACHINE, "missing", {f"{LINUX}.ssh": ABSENT}, "it has no SSH key"),
    Row("vm-ssh-keys-only", MACHINE, "missing", {"osProfile": ABSENT}, "it has no SSH key"),
    Row("vm-ssh-keys-only", MACHINE, "unknown", {f"{LINUX}.disablePasswordAuthentication": UNKNOWN}, "not known"),
    Row("vm-ssh-keys-only", MACHINE, "unknown", {"osProfile.adminPassword": UNKNOWN}, "adminPassword is there"),
    Row("vm-ssh-keys-only", MACHINE, "unknown", {f"{LINUX}.ssh.publicKeys": UNKNOWN}),
    Row("vm-no-security-profile", MACHINE, "fail", {"securityProfile": {"securityType": "TrustedLaunch"}}, "securityProfile is"),
    Row("vm-no-security-profile", MACHINE, "missing", {"storageProfile.imageReference": ABSENT}),
    Row("vm-no-security-profile", MACHINE, "pass", {
        "storageProfile.imageReference": {"publisher": "Canonical"}, "securityProfile": {"securityType": "TrustedLaunch"}}),
    Row("vm-no-security-profile", MACHINE, "unknown", {"securityProfile": UNKNOWN}, "securityProfile is not known"),
    Row("vm-managed-identity", MACHINE, "fail", {"identity.type": "SystemAssigned"}, "identity.type is `SystemAssigned`"),
    Row("vm-managed-identity", MACHINE, "missing", {"identity": ABSENT}, "it names no identity"),
    Row("vm-managed-identity", MACHINE, "unknown", {"identity.type": UNKNOWN}, "identity.type is not known"),
    Row("vm-managed-identity", MACHINE, "unknown", {"identity.userAssignedIdentities": UNKNOWN}),
    Row("vm-boot-diagnostics", MACHINE, "fail", {"diagnosticsProfile.bootDiagnostics.storageUri": "https://x"}, "storageUri is"),
    Row("vm-boot-diagnostics", MACHINE, "missing", {"diagnosticsProfile": ABSENT}, "enabled is absent"),
    Row("vm-boot-diagnostics", MACHINE, "unknown", {"diagnosticsProfile": UNKNOWN}, "enabled is not known"),
    Row("vm-delete-with-machine", MACHINE, "fail", {f"{OS_DISK}.deleteOption": "Detach"}, "deleteOption is `Detach`"),
    Row("vm-delete-with-machine", MACHINE, "missing", {"networkProfile.networkInterfaces.0.deleteOption": ABSENT},
        "networkProfile.networkInterfaces[0].deleteOption is absent"),
    Row("vm-delete-with-machine", MACHINE, "fail", {"storageProfile.dataDisks": [{"lun": 0}]}, "storageProfile.dataDisks[0]"),
    Row("vm-delete-with-machine", MACHINE, "fail", {"networkProfile.networkInterfaces.0.deleteOption": "Delete"},
        "networkProfile.networkInterfaces[0].deleteOption is `Delete`"),
    Row("vm-delete-with-machine", MACHINE, "unknown", {"networkProfile.networkInterfaces": UNKNOWN}, "not known"),
    Row("vm-no-extensions", MACHINE, "fail", {"osProfile.allowExtensionOperations": True}, "allowExtensionOperations is true"),
    Row("vm-no-extensions", MACHINE, "missing", {"osProfile.allowExtensionOperations": ABSENT}, "is absent"),
    Row("vm-no-extensions", MACHINE, "unknown", {"osProfile.allowExtensionOperations": UNKNOWN}, "is not known"),
    Row("vm-agent", MACHINE, "fail", {f"{LINUX}.provisionVMAgent": False}, "provisionVMAgent is false"),
    Row("vm-agent", MACHINE, "missing", {f"{LINUX}.provisionVMAgent": ABSENT}),
    Row("vm-agent", MACHINE, "unknown", {f"{LINUX}.provisionVMAgent": UNKNOWN}, "provisionVMAgent is not known"),
    Row("vm-managed-disk-premium", MACHINE, "fail", {f"{OS_DISK}.managedDisk.storageAccountType": "Standard_LRS"}, "`Standard_LRS`"),
    Row("vm-managed-disk-premium", MACHINE, "fail", {f"{OS_DISK}.diskSizeGB": 100}, "osDisk.diskSizeGB is `100`"),
    Row("vm-managed-disk-premium", MACHINE, "fail", {f"{OS_DISK}.vhd": {"uri": "x"}}, "osDisk.vhd is"),
    Row("vm-managed-disk-premium", MACHINE, "fail", {f"{OS_DISK}.caching": "None"}, "osDisk.caching is `None`"),
    Row("vm-managed-disk-premium", MACHINE, "fail", {"storageProfile.dataDisks": [{"diskSizeGB": 64}]}, "dataDisks[0].managedDisk"),
    Row("vm-managed-disk-premium", MACHINE, "missing", {f"{OS_DISK}.managedDisk": ABSENT}, "storageAccountType is absent"),
    Row("vm-managed-disk-premium", MACHINE, "unknown", {f"{OS_DISK}.diskSizeGB": UNKNOWN}, "diskSizeGB is not known"),
    Row("vm-managed-disk-premium", MACHINE, "configuration", {f"{OS_DISK}.managedDisk.storageAccountType": "PremiumV2_LRS"}, "",
        {"types": ["PremiumV2_LRS"]}),
    Row("vm-boot-text", MACHINE, "fail", {"osProfile.customData": encoded(KEY_HEAD)}, "customData holds a private key"),
    Row("vm-boot-text", MACHINE, "fail", {"userData": encoded(f"export T={GITHUB_TOKEN}")}, "userData holds a GitHub token"),
    Row("vm-boot-text", MACHINE, "fail", {"osProfile.customData": encoded(f"content: {encoded(f'{KEY_HEAD} and so on')}")}, "a private key"),
    Row("vm-boot-text", MACHINE, "fail", {"osProfile.customData": "#cloud-config"}, "customData is not base64"),
    Row("vm-boot-text", MACHINE, "fail", {"osProfile.customData": encoded(" " * 65536)}, "customData has 65536 bytes"),
    Row("vm-boot-text", MACHINE, "pass", {"osProfile.customData": encoded(" " * 65535)}),
    Row("vm-boot-text", MACHINE, "missing", {"osProfile.customData": ABSENT}),
    Row("vm-boot-text", MACHINE, "unknown", {"osProfile.customData": UNKNOWN}),
    # Network
    Row("nic-no-forwarding", INTERFACE, "fail", {"enableIPForwarding": True}, "enableIPForwarding is true"),
    Row("nic-no-forwarding", INTERFACE, "missing", {"enableIPForwarding": ABSENT}),
    Row("nic-no-forwarding", INTERFACE, "unknown", {"enableIPForwarding": UNKNOWN}, "is not known"),
    Row("public-ip-standard", PUBLIC_ADDRESS, "fail", {"sku.name": "Basic"}, "sku.name is `Basic`"),
    Row("public-ip-standard", PUBLIC_ADDRESS, "fail", {"publicIPAllocationMethod": "Dynamic"}, "is `Dynamic`"),
    Row("public-ip-standard", PUBLIC_ADDRESS, "missing", {"sku": ABSENT}, "sku.name is absent"),
    Row("public-ip-standard", PUBLIC_ADDRESS, "unknown", {"sku": UNKNOWN}, "sku.name is not known"),
    Row("nsg-no-any-inbound", SECURITY_GROUP, "fail", nsg(INBOUND), "rule in lets in `*`"),
    Row("nsg-no-any-inbound", SECURITY_GROUP, "fail", nsg(INBOUND, sourceAddressPrefix="Internet"), "lets in `Internet`"),
    Row("nsg-no-any-inbound", SECURITY_GROUP, "fail", nsg(INBOUND, sourceAddressPrefix="VirtualNetwork"), "lets in `VirtualNetwork`"),
    Row("nsg-no-any-inbound", SECURITY_GROUP, "fail", nsg(INBOUND, sourceAddressPrefix="0.0.0.0/0"), "lets in `0.0.0.0/0`"),
    Row("nsg-no-any-inbound", SECURITY_GROUP, "fail", nsg(INBOUND, sourceAddressPrefix="203.0.113.7"), "lets in `203.0.113.7`"),
    Row("nsg-no-any-inbound", SECURITY_GROUP, "fail", nsg(
        INBOUND, sourceAddressPrefix=ABSENT, sourceAddressPrefixes=["10.60.0.0/24", "::/0"]), "lets in `::/0`"),
    Row("nsg-no-any-inbound", SECURITY_GROUP, "pass", nsg(INBOUND, sourceAddressPrefix="10.60.0.4")),
    Row("nsg-no-any-inbound", SECURITY_GROUP, "pass", nsg(INBOUND, sourceAddressPrefix="AzureLoadBalancer")),
    Row("nsg-no-any-inbound", SECURITY_GROUP, "pass", nsg(INBOUND, access="Deny")),
    Row("nsg-no-any-inbound", SECURITY_GROUP, "missing", nsg(INBOUND, sourceAddressPrefix=ABSENT), "rule in lets in"),
    Row("nsg-no-any-inbound", SECURITY_GROUP, "unknown", nsg(INBOUND, sourceAddressPrefix=UNKNOWN), "rule in lets in not known"),
    Row("nsg-no-any-inbound", SECURITY_GROUP, "unknown", nsg(INBOUND, access=UNKNOWN), "rule in lets in `*`"),
    Row("nsg-no-any-inbound", SECURITY_GROUP, "unknown", nsg(INBOUND, direction=UNKNOWN), "rule in lets in `*`"),
    Row("nsg-no-any-inbound", SECURITY_GROUP, "unknown", {"securityRules": UNKNOWN}, "not known before the deployment"),
    Row("nsg-deny-all-inbound", SECURITY_GROUP, "missing", {"securityRules": ABSENT}, "no rule denies all other inbound traffic"),
    Row("nsg-deny-all-inbound", SECURITY_GROUP, "fail", {"securityRules": [{**INBOUND, "access": "Deny"}]}, "no rule denies"),
    Row("nsg-deny-all-inbound", SECURITY_GROUP, "fail", {"securityRules": [
        {**INBOUND, "access": "Deny", "protocol": "*", "sourceAddressPrefix": "VirtualNetwork", "destinationPortRange": "*"}]}, "no rule denies"),
    Row("nsg-deny-all-inbound", SECURITY_GROUP, "unknown", {"securityRules": UNKNOWN}, "no rule denies"),
    Row("nsg-deny-all-inbound", SECURITY_GROUP, "unknown", {"securityRules.2.access": UNKNOWN}),
    Row("nsg-deny-all-inbound", SECURITY_GROUP, "unknown", {"securityRules.3.access": UNKNOWN}, "no rule denies"),
    Row("nsg-no-lateral", SECURITY_GROUP, "fail", nsg(OUTBOUND), "rule out lets port 22 out"),
    Row("nsg-no-lateral", SECURITY_GROUP, "fail", nsg(OUTBOUND, destinationPortRange="3000-4000"), "rule out lets port 3389 out"),
    Row("nsg-no-lateral", SECURITY_GROUP, "fail", nsg(OUTBOUND, destinationAddressPrefix="AzureCloud"), "lets port 22 out"),
    Row("nsg-no-lateral", SECURITY_GROUP, "pass", nsg(OUTBOUND, priority=4050)),
    Row("nsg-no-lateral", SECURITY_GROUP, "pass", nsg(OUTBOUND, destinationPortRange="443")),
    Row("nsg-no-lateral", SECURITY_GROUP, "pass", nsg(OUTBOUND, destinationAddressPrefix="10.60.1.0/24")),
    Row("nsg-no-lateral", SECURITY_GROUP, "missing", {"securityRules": []}, "no rule denies outbound port 22"),
    Row("nsg-no-lateral", SECURITY_GROUP, "unknown", nsg(OUTBOUND, destinationPortRange=UNKNOWN), "lets port 22 out"),
    Row("nsg-no-lateral", SECURITY_GROUP, "unknown", nsg(OUTBOUND, sourceAddressPrefix=UNKNOWN), "lets port 22 out"),
    Row("nsg-no-lateral", SECURITY_GROUP, "configuration", nsg(OUTBOUND), "", {"management": ["10.60.1.0/24"]}),
    Row("subnet-nsg", NETWORK, "missing", {"subnets.1.networkSecurityGroup": ABSENT}, "subnet dev has no security group"),
    Row("subnet-nsg", NETWORK, "fail", {"subnets.0.networkSecurityGroup": {}}, "subnet runners has no security group"),
    Row("subnet-nsg", NETWORK, "unknown", {"subnets.0.networkSecurityGroup": UNKNOWN}),
    Row("subnet-private", NETWORK, "fail", {"subnets.1.defaultOutboundAccess": True}, "subnet dev: defaultOutboundAccess is true"),
    Row("subnet-private", NETWORK, "missing", {"subnets.1.defaultOutboundAccess": ABSENT}, "defaultOutboundAccess is absent"),
    Row("subnet-private", NETWORK, "unknown", {"subnets": UNKNOWN}, "subnets[0]: defaultOutboundAccess is not known"),
    Row("subnet-egress", NETWORK, "missing", {"subnets.1.natGateway": ABSENT}, "subnet dev has no NAT gateway"),
    Row("subnet-egress", NETWORK, "fail", {"subnets.1.natGateway": {"id": ""}}, "subnet dev has no NAT gateway"),
    Row("subnet-egress", NETWORK, "unknown", {"subnets.1.natGateway.id": UNKNOWN}),
    # Vault
    Row("keyvault-closed", VAULT, "fail", {f"{VPROPS}.enableRbacAuthorization": False}, "enableRbacAuthorization is false"),
    Row("keyvault-closed", VAULT, "fail", {f"{VPROPS}.networkAcls.defaultAction": "Allow"}, "defaultAction is `Allow`"),
    Row("keyvault-closed", VAULT, "fail", {f"{VPROPS}.networkAcls.bypass": "AzureServices"}, "bypass is `AzureServices`"),
    Row("keyvault-closed", VAULT, "fail", {f"{VPROPS}.networkAcls.ipRules": [{"value": "203.0.113.1"}]}, "ipRules is"),
    Row("keyvault-closed", VAULT, "fail", {f"{VPROPS}.accessPolicies": [{"objectId": "x"}]}, "accessPolicies is"),
    Row("keyvault-closed", VAULT, "fail", {f"{VPROPS}.softDeleteRetentionInDays": 6}, "softDeleteRetentionInDays is `6`"),
    Row("keyvault-closed", VAULT, "pass", {f"{VPROPS}.softDeleteRetentionInDays": 7}),
    Row("keyvault-closed", VAULT, "missing", {f"{VPROPS}.enablePurgeProtection": ABSENT}, "enablePurgeProtection is absent"),
    Row("keyvault-closed", VAULT, "missing", {f"{VPROPS}.networkAcls": ABSENT}, "defaultAction is absent"),
    Row("keyvault-closed", VAULT, "unknown", {f"{VPROPS}.networkAcls": UNKNOWN}, "defaultAction is not known"),
    Row("keyvault-closed", VAULT, "unknown", {f"{VPROPS}.softDeleteRetentionInDays": UNKNOWN}, "softDeleteRetentionInDays is not known"),
    Row("keyvault-closed", VAULT, "configuration", {f"{VPROPS}.softDeleteRetentionInDays": 29}, "at least 30 days", {"softDeleteDays": 30}),
    Row("secret-content-type", SECRET, "fail", {f"{VPROPS}.contentType": " "}, "contentType is ` `"),
    Row("secret-content-type", SECRET, "missing", {f"{VPROPS}.contentType": ABSENT}, "contentType is absent"),
    Row("secret-content-type", SECRET, "unknown", {f"{VPROPS}.contentType": UNKNOWN}, "contentType is not known"),
    # Clusters
    Row("aks-private-or-authorised", CLUSTER, "fail", {f"{API}.enablePrivateCluster": False}, "enablePrivateCluster is false"),
    Row("aks-private-or-authorised", CLUSTER, "fail", {f"{API}": {"authorizedIPRanges": ["0.0.0.0/0"]}}, "authorizedIPRanges"),
    Row("aks-private-or-authorised", CLUSTER, "fail", {f"{API}.enablePrivateClusterPublicFQDN": True}, "a private API has no public name"),
    Row("aks-private-or-authorised", CLUSTER, "pass", {f"{API}": {"authorizedIPRanges": ["203.0.113.0/28"]}}),
    Row("aks-private-or-authorised", CLUSTER, "missing", {API: ABSENT}, "enablePrivateCluster is absent"),
    Row("aks-private-or-authorised", CLUSTER, "unknown", {API: UNKNOWN}, "enablePrivateCluster is not known"),
    Row("aks-no-local-accounts", CLUSTER, "fail", {"disableLocalAccounts": False}, "disableLocalAccounts is false"),
    Row("aks-no-local-accounts", CLUSTER, "missing", {"disableLocalAccounts": ABSENT}, "disableLocalAccounts is absent"),
    Row("aks-no-local-accounts", CLUSTER, "unknown", {"disableLocalAccounts": UNKNOWN}, "disableLocalAccounts is not known"),
    Row("aks-entra-rbac", CLUSTER, "fail", {"aadProfile.enableAzureRBAC": False}, "enableAzureRBAC is false"),
    Row("aks-entra-rbac", CLUSTER, "missing", {"aadProfile": ABSENT}, "aadProfile.managed is absent"),
    Row("aks-entra-rbac", CLUSTER, "unknown", {"enableRBAC": UNKNOWN}, "enableRBAC is not known"),
    Row("aks-network-policy", CLUSTER, "fail", {"networkProfile.networkPlugin": "kubenet"}, "networkPlugin is `kubenet`"),
    Row("aks-network-policy", CLUSTER, "missing", {"networkProfile.networkPolicy": ABSENT}, "networkPolicy is absent"),
    Row("aks-network-policy", CLUSTER, "unknown", {"networkProfile.networkPolicy": UNKNOWN}, "networkPolicy is not known"),
    Row("aks-node-os-channel", CLUSTER, "fail", {"autoUpgradeProfile.nodeOSUpgradeChannel": "None"}, "nodeOSUpgradeChannel is `None`"),
    Row("aks-node-os-channel", CLUSTER, "missing", {"autoUpgradeProfile": ABSENT}, "upgradeChannel is absent"),
    Row("aks-node-os-channel", CLUSTER, "unknown", {"autoUpgradeProfile.upgradeChannel": UNKNOWN}, "upgradeChannel is not known"),
    Row("aks-node-os-channel", CLUSTER, "configuration", {}, "upgradeChannel is `patch`", {"channels": ["stable"]}),
    Row("aks-managed-identity", CLUSTER, "fail", {"identity.type": "SystemAssigned"}, "identity.type is `SystemAssigned`"),
    Row("aks-managed-identity", CLUSTER, "fail", {"servicePrincipalProfile": {"clientId": "x"}}, "servicePrincipalProfile is"),
    Row("aks-managed-identity", CLUSTER, "missing", {"identity": ABSENT}, "it names no identity"),
    Row("aks-managed-identity", CLUSTER, "unknown", {"identity.type": UNKNOWN}, "identity.type is not known"),
    Row("aks-managed-identity", CLUSTER, "unknown", {"identity.userAssignedIdentities": UNKNOWN}),
    Row("aks-autoscaling-bounds", POOL, "fail", {"minCount": 3}, "minCount is `3`, count `1`, maxCount `2`"),
    Row("aks-autoscaling-bounds", POOL, "fail", {"maxCount": 11}, "0 <= minCount <= maxCount <= 10"),
    Row("aks-autoscaling-bounds", POOL, "fail", {"enableAutoScaling": False}, "worker pools scale"),
    Row("aks-autoscaling-bounds", CLUSTER, "fail", {f"{SYSTEM}.count": 0}, "a system pool keeps 1 nodes or more"),
    Row("aks-autoscaling-bounds", CLUSTER, "pass", {f"{SYSTEM}.count": 1}),
    Row("aks-autoscaling-bounds", POOL, "missing", {"maxCount": ABSENT}, "maxCount absent"),
    Row("aks-autoscaling-bounds", POOL, "missing", {"enableAutoScaling": ABSENT, "count": ABSENT}, "count absent"),
    Row("aks-autoscaling-bounds", POOL, "unknown", {"maxCount": UNKNOWN}, "maxCount not known"),
    Row("aks-autoscaling-bounds", CLUSTER, "unknown", {SYSTEM: UNKNOWN}, "not known"),
    Row("aks-autoscaling-bounds", POOL, "configuration", {}, "<= 1", {"maximumNodes": 1}),
    Row("aks-node-min-pods", POOL, "fail", {"maxPods": 49}, "maxPods is `49`"),
    Row("aks-node-min-pods", POOL, "pass", {"maxPods": 50}),
    Row("aks-node-min-pods", CLUSTER, "missing", {f"{SYSTEM}.maxPods": ABSENT}, "agentPoolProfiles[0].maxPods is absent"),
    Row("aks-node-min-pods", POOL, "unknown", {"maxPods": UNKNOWN}, "maxPods is not known"),
    Row("aks-node-min-pods", POOL, "configuration", {}, "at least 111", {"pods": 111}),
    Row("aks-no-node-public-ip", POOL, "fail", {"enableNodePublicIP": True}, "enableNodePublicIP is true"),
    Row("aks-no-node-public-ip", CLUSTER, "fail", {"networkProfile.outboundType": "loadBalancer"}, "outboundType is `loadBalancer`"),
    Row("aks-no-node-public-ip", CLUSTER, "missing", {"networkProfile.outboundType": ABSENT}, "outboundType is absent"),
    Row("aks-no-node-public-ip", POOL, "unknown", {"enableNodePublicIP": UNKNOWN}, "enableNodePublicIP is not known"),
    Row("aks-run-command-off", CLUSTER, "fail", {f"{API}.disableRunCommand": False}, "disableRunCommand is false"),
    Row("aks-run-command-off", CLUSTER, "missing", {f"{API}.disableRunCommand": ABSENT}, "disableRunCommand is absent"),
    Row("aks-run-command-off", CLUSTER, "unknown", {f"{API}.disableRunCommand": UNKNOWN}, "disableRunCommand is not known"),
    Row("aks-addons-off", CLUSTER, "fail", {"addonProfiles.httpApplicationRouting.enabled": True}, "httpApplicationRouting.enabled is true"),
    Row("aks-addons-off", CLUSTER, "fail", {"addonProfiles.kubeDashboard.enabled": True}, "kubeDashboard.enabled is true"),
    Row("aks-addons-off", CLUSTER, "missing", {"addonProfiles": ABSENT}),
    Row("aks-addons-off", CLUSTER, "unknown", {"addonProfiles": UNKNOWN}, "addonProfiles is not known"),
    Row("aks-scale-sets", POOL, "fail", {"type": "AvailabilitySet"}, "type is `AvailabilitySet`"),
    Row("aks-scale-sets", CLUSTER, "missing", {"networkProfile.loadBalancerSku": ABSENT}, "loadBalancerSku is absent"),
    Row("aks-scale-sets", POOL, "unknown", {"type": UNKNOWN}, "type is not known"),
    Row("aks-ephemeral-disk", CLUSTER, "fail", {f"{SYSTEM}.osDiskType": "Managed"}, "osDiskType is `Managed`"),
    Row("aks-ephemeral-disk", POOL, "fail", {"osDiskType": "Ephemeral"}, "osDiskType is `Ephemeral`"),
    Row("aks-ephemeral-disk", CLUSTER, "missing", {f"{SYSTEM}.osDiskType": ABSENT}, "osDiskType is absent"),
    Row("aks-ephemeral-disk", POOL, "unknown", {"osDiskType": UNKNOWN}, "osDiskType is not known"),
    Row("aks-ephemeral-disk", POOL, "unknown", {"vmSize": UNKNOWN}),
    Row("aks-system-pool-reserved", CLUSTER, "fail", {f"{SYSTEM}.nodeTaints": ["a=b:NoSchedule"]}, "nodeTaints lacks"),
    Row("aks-system-pool-reserved", CLUSTER, "missing", {f"{SYSTEM}.nodeTaints": ABSENT}, "nodeTaints lacks"),
    Row("aks-system-pool-reserved", CLUSTER, "unknown", {f"{SYSTEM}.nodeTaints": UNKNOWN}, "nodeTaints lacks"),
    Row("aks-version", CLUSTER, "fail", {"kubernetesVersion": "1.9"}, "kubernetesVersion is `1.9`"),
    Row("aks-version", POOL, "fail", {"orchestratorVersion": "1.30.1"}, "orchestratorVersion is `1.30.1`"),
    Row("aks-version", POOL, "missing", {"orchestratorVersion": ABSENT}),
    Row("aks-version", CLUSTER, "missing", {"kubernetesVersion": ABSENT}, "kubernetesVersion is absent"),
    Row("aks-version", CLUSTER, "unknown", {"kubernetesVersion": UNKNOWN}, "kubernetesVersion is not known"),
    Row("aks-version", CLUSTER, "configuration", {}, "1.35 or newer", {"minimum": "1.35"}),
    # Roles and identities
    Row("role-assignment-principal-type", ASSIGNMENT, "fail", {"principalType": "User"}, "principalType is `User`"),
    Row("role-assignment-principal-type", ASSIGNMENT, "missing", {"principalType": ABSENT}, "principalType is absent"),
    Row("role-assignment-principal-type", ASSIGNMENT, "unknown", {"principalType": UNKNOWN}, "principalType is not known"),
    Row("role-assignment-least-privilege", ASSIGNMENT, "fail", {"roleDefinitionId": OWNER}, "it gives Owner"),
    Row("role-assignment-least-privilege", ASSIGNMENT, "fail", {"roleDefinitionId": CONTRIBUTOR}, "it gives Contributor"),
    Row("role-assignment-least-privilege", ASSIGNMENT, "fail", {"roleDefinitionId": READER[:-3] + "fff"}, "it gives `/subscriptions"),
    Row("role-assignment-least-privilege", ASSIGNMENT, "fail", {"scope": VAULT_ID}, "vault roles are given on one secret"),
    Row("role-assignment-least-privilege", ASSIGNMENT, "fail", {"scope": SCOPE}, "vault roles are given on one secret"),
    Row("role-assignment-least-privilege", ASSIGNMENT, "fail", {"roleDefinitionId": RBAC_ADMINISTRATOR, "scope": SCOPE}, "without a condition"),
    Row("role-assignment-least-privilege", ASSIGNMENT, "fail", {
        "roleDefinitionId": READER, "scope": "/providers/Microsoft.Management/managementGroups/all"}, "it gives Reader on"),
    Row("role-assignment-least-privilege", ASSIGNMENT, "pass", {
        "roleDefinitionId": RBAC_ADMINISTRATOR, "scope": SCOPE, "condition": "(…)", "conditionVersion": "2.0"}),
    Row("role-assignment-least-privilege", ASSIGNMENT, "pass", {"roleDefinitionId": READER, "scope": SCOPE}),
    Row("role-assignment-least-privilege", ASSIGNMENT, "pass", {"roleDefinitionId": DEPLOY_ROLE, "scope": SCOPE}),
    Row("role-assignment-least-privilege", ASSIGNMENT, "missing", {"roleDefinitionId": ABSENT}, "it gives absent"),
    Row("role-assignment-least-privilege", ASSIGNMENT, "missing", {"scope": ABSENT}, "it gives Key Vault Secrets User on absent"),
    Row("role-assignment-least-privilege", ASSIGNMENT, "unknown", {"scope": UNKNOWN}),
    Row("role-assignment-least-privilege", ASSIGNMENT, "unknown", {"roleDefinitionId": UNKNOWN}),
    Row("role-assignment-least-privilege", ASSIGNMENT, "unknown", {
        "roleDefinitionId": RBAC_ADMINISTRATOR, "scope": SCOPE, "condition": UNKNOWN, "conditionVersion": "2.0"}),
    Row("role-assignment-least-privilege", ASSIGNMENT, "configuration", {}, "it gives Key Vault Secrets User", {"roles": ["Reader"]}),
    Row("custom-role-narrow", ROLE, "fail", {f"{PERMISSION}.actions": ["*"]}, "it allows `*`"),
    Row("custom-role-narrow", ROLE, "fail", {f"{PERMISSION}.actions": ["*/write"]}, "it allows `*/write`"),
    Row("custom-role-narrow", ROLE, "fail", {f"{PERMISSION}.actions": ["Microsoft.Authorization/*"]},
        "it allows Microsoft.Authorization/roleAssignments/write"),
    Row("custom-role-narrow", ROLE, "fail", {f"{PERMISSION}.notActions": []}, "virtualMachines/runCommand/action"),
    Row("custom-role-narrow", ROLE, "fail", {f"{PERMISSION}.dataActions": ["Microsoft.KeyVault/vaults/secrets/*"]}, "on data"),
    Row("custom-role-narrow", ROLE, "fail", {"assignableScopes": ["/"]}, "it can be assigned at `/`"),
    Row("custom-role-narrow", ROLE, "pass", {f"{PERMISSION}": {"dataActions": ["Microsoft.KeyVault/vaults/secrets/setSecret/action"]}}),
    Row("custom-role-narrow", ROLE, "missing", {f"{PERMISSION}.actions": ABSENT}),
    Row("custom-role-narrow", ROLE, "unknown", {"permissions": UNKNOWN}, "it allows not known before the deployment"),
    Row("custom-role-narrow", ROLE, "unknown", {f"{PERMISSION}.actions": [UNKNOWN]}, "it allows not known before the deployment"),
    Row("federated-credential", CREDENTIAL, "fail", {"issuer": "https://evil.example"}, "issuer is `https://evil.example`"),
    Row("federated-credential", CREDENTIAL, "fail", {"audiences": ["api://AzureADTokenExchange", "other"]}, "audiences is"),
    Row("federated-credential", CREDENTIAL, "fail", {"subject": "repo:owner/name:ref:refs/heads/main"}, "subject is `repo:"),
    Row("federated-credential", CREDENTIAL, "fail", {"subject": "repo:owner/*:environment:dev"}, "subject is `repo:owner/*"),
    Row("federated-credential", CREDENTIAL, "fail", {"subject": "repo:owner/name:environment:"}, "subject is `repo:"),
    Row("federated-credential", CREDENTIAL, "pass", {"subject": "repo:owner/name:pull_request"}),
    Row("federated-credential", CREDENTIAL, "pass", {"subject": "repo:owner@1/name@2:environment:dev"}),
    Row("federated-credential", CREDENTIAL, "missing", {"subject": ABSENT}, "subject is absent"),
    Row("federated-credential", CREDENTIAL, "unknown", {"subject": UNKNOWN}, "subject is not known"),
    # Names, places, types
    Row("names-legal", VAULT, "fail", {"vaultName": "1vault"}, "vaultName is `1vault`"),
    Row("names-legal", POOL, "fail", {"agentPoolName": "Workers"}, "agentPoolName is `Workers`"),
    Row("names-legal", NETWORK, "fail", {"subnets.0.name": "runners-"}, "subnets[0].name is `runners-`"),
    Row("names-legal", CLUSTER, "fail", {"dnsPrefix": "a_b"}, "dnsPrefix is `a_b`"),
    Row("names-legal", GITHUB_VARIABLE, "fail", {"variableName": "GITHUB_X"}, "variableName is `GITHUB_X`"),
    Row("names-legal", MACHINE, "missing", {"vmName": ABSENT}, "vmName is absent"),
    Row("names-legal", GROUP, "unknown", {"resourceGroupName": UNKNOWN}, "resourceGroupName is not known"),
    Row("regions-allowed", GROUP, "fail", {"location": "eastus"}, "location is `eastus`"),
    Row("regions-allowed", GROUP, "pass", {"location": "West US"}),
    Row("regions-allowed", MACHINE, "missing", {"location": ABSENT}, "location is absent"),
    Row("regions-allowed", MACHINE, "unknown", {"location": UNKNOWN}, "location is not known"),
    Row("regions-allowed", GROUP, "configuration", {}, "one of eastus, northeurope", {"allowed": ["eastus", "northeurope"]}),
    Row("shutdown-schedule-name", SCHEDULE, "fail", {"name": "shutdown"}, "name is `shutdown`"),
    Row("shutdown-schedule-name", SCHEDULE, "fail", {"targetResourceId": "/x/virtualMachines/other"}, "its machine `/x/"),
    Row("shutdown-schedule-name", SCHEDULE, "fail", {"taskType": "LabVmsShutdownTask"}, "taskType is"),
    Row("shutdown-schedule-name", SCHEDULE, "pass", {"targetResourceId": "/x/virtualMachines/dev-vm"}),
    Row("shutdown-schedule-name", SCHEDULE, "missing", {"name": ABSENT}, "name is absent"),
    Row("shutdown-schedule-name", SCHEDULE, "unknown", {"name": UNKNOWN}, "name is not known"),
    Row("shutdown-schedule-name", SCHEDULE, "unknown", {"targetResourceId": UNKNOWN}),
    # GitHub
    Row("github-protection", GITHUB_ENVIRONMENT, "fail", {"preventSelfReview": False}, "preventSelfReview is false"),
    Row("github-protection", GITHUB_ENVIRONMENT, "fail", {"canAdminsBypass": True}, "canAdminsBypass is true"),
    Row("github-protection", GITHUB_ENVIRONMENT, "fail", {"deploymentBranchPolicy.protectedBranches": True}, "are true and true"),
    Row("github-protection", GITHUB_ENVIRONMENT, "fail", {"reviewers": [{"users": [], "teams": []}]}, "it has 0 known reviewers"),
    Row("github-protection", GITHUB_ENVIRONMENT, "missing", {"reviewers": ABSENT}, "it has 0 known reviewers"),
    Row("github-protection", GITHUB_ENVIRONMENT, "missing", {"deploymentBranchPolicy": ABSENT}, "are absent and absent"),
    Row("github-protection", GITHUB_ENVIRONMENT, "missing", {"canAdminsBypass": ABSENT}, "canAdminsBypass is absent"),
    Row("github-protection", GITHUB_ENVIRONMENT, "unknown", {"preventSelfReview": UNKNOWN}, "preventSelfReview is not known"),
    Row("github-protection", GITHUB_ENVIRONMENT, "unknown", {"reviewers": UNKNOWN}, "it has 0 known reviewers"),
    Row("github-protection", GITHUB_ENVIRONMENT, "configuration", {}, "at least 2", {"reviewers": 2}),
    Row("github-protection", GITHUB_ENVIRONMENT, "pass", {"environment": "drift", "reviewers": ABSENT, "preventSelfReview": False}),
    Row("github-protection", GITHUB_ENVIRONMENT, "fail", {"environment": "drift", "canAdminsBypass": True}, "is true"),
    Row("github-no-plain-secret", GITHUB_VARIABLE, "fail", {"value": GITHUB_TOKEN}, "its value holds a GitHub token"),
    Row("github-no-plain-secret", GITHUB_VARIABLE, "fail", {"value": f"{KEY_HEAD}\n…"}, "its value holds a private key"),
    Row("github-no-plain-secret", GITHUB_VARIABLE, "fail", {"value": "AccountKey=" + "a" * 40 + "=="}, "a storage key"),
    Row("github-no-plain-secret", GITHUB_VARIABLE, "fail", {"value": "users:\n- user:\n    client-key-data: LS0tLS1CRUdJTg=="},
        "a key of a kubeconfig"),
    Row("github-no-plain-secret", GITHUB_VARIABLE, "missing", {"value": ABSENT}),
    Row("github-no-plain-secret", GITHUB_VARIABLE, "unknown", {"value": UNKNOWN}),
    # Inside clusters: images
    Row("kubernetes-images", DEPLOYMENT, "fail", {f"{BOX}.image": "registry.example/prometheus:v3"}, "container prometheus: image is `registry.example/prometheus:v3`"),
    Row("kubernetes-images", DEPLOYMENT, "fail", {f"{BOX}.env.0.value": "registry.example/virt-api:v1"}, "VIRT_API_IMAGE is"),
    Row("kubernetes-images", DEPLOYMENT, "fail", {f"{POD}.initContainers": [{"name": "first", "image": "busybox"}]}, "container first: image is `busybox`"),
    Row("kubernetes-images", DEPLOYMENT, "missing", {f"{BOX}.image": ABSENT}, "image is absent"),
    Row("kubernetes-images", DEPLOYMENT, "unknown", {f"{BOX}.image": UNKNOWN}, "not known before the deployment"),
    Row("kubernetes-images", DEPLOYMENT, "unknown", {f"{POD}.containers": UNKNOWN}, "containers[0].image is not known"),
    Row("kubernetes-images", DEPLOYMENT, "pass", {f"{BOX}.env": ABSENT}),
    Row("kubernetes-images", DEPLOYMENT, "configuration", {}, "images come from elsewhere/", {"registries": ["elsewhere/"]}),
    # Inside clusters: pods
    Row("kubernetes-pods-restricted", DEPLOYMENT, "fail", {f"{POD}.hostNetwork": True}, "hostNetwork is true"),
    Row("kubernetes-pods-restricted", DEPLOYMENT, "fail", {f"{POD}.volumes.0": {"name": "dev", "hostPath": {"path": "/dev"}}}, "volumes[0] is of the node"),
    Row("kubernetes-pods-restricted", DEPLOYMENT, "fail", {f"{POD}.serviceAccountName": "default"}, "serviceAccountName is `default`"),
    Row("kubernetes-pods-restricted", DEPLOYMENT, "fail", {f"{SECURITY}.privileged": True}, "privileged is true"),
    Row("kubernetes-pods-restricted", DEPLOYMENT, "fail", {f"{SECURITY}.allowPrivilegeEscalation": True}, "allowPrivilegeEscalation is true"),
    Row("kubernetes-pods-restricted", DEPLOYMENT, "fail", {f"{SECURITY}.readOnlyRootFilesystem": False}, "readOnlyRootFilesystem is false"),
    Row("kubernetes-pods-restricted", DEPLOYMENT, "fail", {f"{SECURITY}.runAsNonRoot": False}, "runAsNonRoot is false"),
    Row("kubernetes-pods-restricted", DEPLOYMENT, "fail", {f"{SECURITY}.capabilities.add": ["NET_RAW"]}, "capabilities.add is"),
    Row("kubernetes-pods-restricted", DEPLOYMENT, "fail", {f"{BOX}.ports.0.hostPort": 9090}, "a port is of the node"),
    Row("kubernetes-pods-restricted", DEPLOYMENT, "missing", {SECURITY: ABSENT}, "capabilities.drop is absent"),
    Row("kubernetes-pods-restricted", DEPLOYMENT, "missing", {f"{POD}.securityContext": ABSENT}, "seccompProfile.type is absent"),
    Row("kubernetes-pods-restricted", DEPLOYMENT, "missing", {f"{POD}.serviceAccountName": ABSENT}, "serviceAccountName is absent"),
    Row("kubernetes-pods-restricted", DEPLOYMENT, "unknown", {POD: UNKNOWN}, "hostNetwork is not known"),
    Row("kubernetes-pods-restricted", DEPLOYMENT, "unknown", {f"{POD}.volumes": UNKNOWN}, "or not known"),
    Row("kubernetes-pods-restricted", DEPLOYMENT, "unknown", {f"{BOX}.ports": UNKNOWN}, "a port is of the node, or not known"),
    Row("kubernetes-pods-restricted", DEPLOYMENT, "configuration", {f"{SECURITY}.readOnlyRootFilesystem": ABSENT}, "", {"writableRoot": ["prometheus"]}),
    Row("kubernetes-pods-steady", DEPLOYMENT, "fail", {f"{POD}.containers": []}, "it has no container"),
    Row("kubernetes-pods-steady", DEPLOYMENT, "missing", {f"{BOX}.livenessProbe": ABSENT}, "livenessProbe is absent"),
    Row("kubernetes-pods-steady", DEPLOYMENT, "missing", {f"{BOX}.resources.requests.memory": ABSENT}, "requests.memory is absent"),
    Row("kubernetes-pods-steady", DEPLOYMENT, "unknown", {f"{BOX}.resources": UNKNOWN}),
    # Inside clusters: rights
    Row("kubernetes-rbac-narrow", CLUSTER_ROLE, "fail", {"rules.0.verbs": ["*"]}, "rules[0].verbs has a wildcard"),
    Row("kubernetes-rbac-narrow", CLUSTER_ROLE, "fail", {"rules.0.resources": ["*"]}, "rules[0].resources has a wildcard"),
    Row("kubernetes-rbac-narrow", CLUSTER_ROLE, "fail", {"rules.0.verbs": ["bind"]}, "rules[0] allows `bind`"),
    Row("kubernetes-rbac-narrow", CLUSTER_ROLE, "fail", {"rules.0.resources": ["secrets"]}, "allows get, list of secrets"),
    Row("kubernetes-rbac-narrow", CLUSTER_ROLE, "pass", {"rules.0.resources": ["secrets"], "rules.0.verbs": ["create", "delete"]}),
    Row("kubernetes-rbac-narrow", NAMESPACE_ROLE, "fail", {"rules.0": {"apiGroups": ["kubevirt.io"], "resources": ["kubevirts"], "verbs": ["get", "patch"]}}, "allows patch of kubevirts"),
    Row("kubernetes-rbac-narrow", CLUSTER_ROLE, "pass", {"rules.0": {"nonResourceURLs": ["/metrics"], "verbs": ["get"]}}),
    Row("kubernetes-rbac-narrow", CLUSTER_ROLE_BINDING, "fail", {"roleRef.name": "cluster-admin"}, "roleRef.name is `cluster-admin`"),
    Row("kubernetes-rbac-narrow", ROLE_BINDING, "fail", {"subjects.0": {"kind": "Group", "name": "system:authenticated"}}, "its subject is `Group`"),
    Row("kubernetes-rbac-narrow", ROLE_BINDING, "fail", {"subjects.0.name": "default"}, "its subject is `ServiceAccount` `default`"),
    Row("kubernetes-rbac-narrow", CLUSTER_ROLE, "missing", {"rules.0.verbs": ABSENT}, "rules[0].verbs is absent"),
    Row("kubernetes-rbac-narrow", ROLE_BINDING, "missing", {"subjects": ABSENT}, "it has no subject"),
    Row("kubernetes-rbac-narrow", CLUSTER_ROLE, "unknown", {"rules": UNKNOWN}, "rules[0].verbs is not known"),
    Row("kubernetes-rbac-narrow", CLUSTER_ROLE, "fail", {"rules.0": {"nonResourceURLs": ["/*"], "verbs": ["get"]}}, "nonResourceURLs has a wildcard"),
    Row("kubernetes-rbac-narrow", CLUSTER_ROLE, "unknown", {"rules.0.verbs": [UNKNOWN]}, "verbs is"),
    Row("kubernetes-rbac-narrow", ROLE_BINDING, "unknown", {"roleRef.name": UNKNOWN}, "roleRef.name is not known"),
    Row("kubernetes-rbac-narrow", CLUSTER_ROLE, "configuration", {"rules.0.verbs": ["*"]}, "", {"release": ["virt-ci-tests"]}),
    # Inside clusters: namespaces, credentials, services
    Row("kubernetes-namespaces", CONFIG_MAP, "fail", {"metadata.namespace": "kube-system"}, "metadata.namespace is `kube-system`"),
    Row("kubernetes-namespaces", NAMESPACE, "fail", {"metadata.labels": {POD_SECURITY: "none"}}, "is `none`"),
    Row("kubernetes-namespaces", NAMESPACE, "fail", {"metadata.name": "default"}, "metadata.name is `default`"),
    Row("kubernetes-namespaces", SERVICE_ACCOUNT, "missing", {"metadata.namespace": ABSENT}, "metadata.namespace is absent"),
    Row("kubernetes-namespaces", NAMESPACE_PATCH, "missing", {"metadata.labels": ABSENT}, "is absent"),
    Row("kubernetes-namespaces", DEPLOYMENT, "unknown", {"metadata": UNKNOWN}, "metadata.namespace is not known"),
    Row("kubernetes-namespaces", NAMESPACE, "unknown", {"metadata.labels": UNKNOWN}, "is not known"),
    Row("kubernetes-namespaces", NAMESPACE, "configuration", {}, "one of ours-only", {"allowed": ["ours-only"]}),
    Row("kubernetes-no-plain-secret", CONFIG_MAP, "fail", {"data.key": KEY_HEAD}, "data.key holds a private key"),
    Row("kubernetes-no-plain-secret", DEPLOYMENT, "fail", {f"{BOX}.args": [f"--password={GITHUB_TOKEN}"]}, "args holds a GitHub token"),
    Row("kubernetes-no-plain-secret", DEPLOYMENT, "fail", {f"{BOX}.env.0": {"name": "A", "valueFrom": {"secretKeyRef": {"name": "s"}}}}, "env takes a secret"),
    Row("kubernetes-no-plain-secret", CONFIG_MAP, "missing", {"data": ABSENT}),
    Row("kubernetes-no-plain-secret", CONFIG_MAP, "unknown", {"data": UNKNOWN}),
    Row("kubernetes-services-inside", SERVICE, "fail", {"spec.type": "LoadBalancer"}, "spec.type is `LoadBalancer`"),
    Row("kubernetes-services-inside", SERVICE, "fail", {"spec.externalIPs": ["203.0.113.1"]}, "spec.externalIPs is"),
    Row("kubernetes-services-inside", SERVICE, "missing", {"spec.type": ABSENT}),
    Row("kubernetes-services-inside", SERVICE, "unknown", {"spec": UNKNOWN}, "spec.type is not known"),
    # KubeVirt
    Row("kubevirt-gate", KUBEVIRT, "fail", {f"{GATES}": ["HyperVL1Vh"]}, "did you mean `HyperVL1VH`"),
    Row("kubevirt-gate", KUBEVIRT, "fail", {f"{GATES}": ["ConfigurableHypervisor"]}, "hypervisors is absent"),
    Row("kubevirt-gate", KUBEVIRT, "fail", {"spec.configuration.hypervisors": [{"name": "kvm"}]}, "hypervisors is"),
    Row("kubevirt-gate", KUBEVIRT, "fail", {f"{DEVELOPER}.useEmulation": True}, "useEmulation is true"),
    Row("kubevirt-gate", KUBEVIRT, "fail", {"spec.imageTag": "v1"}, "spec.imageTag is set"),
    Row("kubevirt-gate", KUBEVIRT, "missing", {GATES: ABSENT}, "featureGates is absent"),
    Row("kubevirt-gate", KUBEVIRT, "unknown", {"spec": UNKNOWN}, "featureGates is not known"),
    Row("kubevirt-gate", KUBEVIRT, "pass", {GATES: []}),
    Row("kubevirt-gate", KUBEVIRT, "pass", {GATES: ["ConfigurableHypervisor"], "spec.configuration.hypervisors": [{"name": "hyperv-direct"}]}),
    Row("kubevirt-gate", KUBEVIRT, "configuration", {}, "test-kvm runs with the gate off", {"environment": "test-kvm"}),
    Row("kubevirt-gate", KUBEVIRT, "configuration", {GATES: []}, "emulation is on in test-emulation", {"environment": "test-emulation"}),
    Row("kubevirt-gate", KUBEVIRT, "configuration", {}, "policy `kubevirt-gate` is for `nowhere`", {"environment": "nowhere"}),
]  # fmt: skip
UNREAD = "azure-native:compute:VirtualMachineScaleSet"


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_rule_says_what_the_table_says(row: Row) -> None:
    found = judge_one(row.policy, [good(row.kind, "it", row.changes)], row.config or CONFIG.get(row.policy, {}))
    if row.says:
        assert any(row.says in message for _, _, message in found), found
    else:
        assert found == []


@pytest.mark.parametrize("kind", KNOWN)
def test_a_good_resource_passes_every_rule(kind: str) -> None:
    policies = [name for name, policy in all_policies().items() if isinstance(policy, ResourceValidationPolicy)]
    assert [found for name in policies for found in judge_one(name, [good(kind)], CONFIG.get(name, {}))] == []


@pytest.mark.parametrize("kind", TAGGABLE)
def test_tags_are_asked_of_every_type_that_can_have_them(kind: str) -> None:
    assert judge_one("tagging", [good(kind, "it", {"tags": ABSENT})], CONFIG["tagging"])


def test_a_rule_reads_types_with_an_api_version_as_well() -> None:
    kind = GROUP.replace(":resources:", ":resources/v20240301:")
    assert judge_one("tagging", [Seed("it", kind, {"location": "westus"})], CONFIG["tagging"])


@pytest.mark.parametrize(
    "kind", [UNREAD, "azure-native:network:SecurityRule", "github:index/actionsSecret:ActionsSecret"]
)
def test_a_type_that_no_rule_reads_is_refused(kind: str) -> None:
    (found,) = judge_one("fleet-known-types", [Seed("it", kind, {})], {})
    assert kind in found[2]
    assert judge_one("fleet-known-types", [Seed("it", kind, {})], {"more": [kind]}) == []


@pytest.mark.parametrize("kind", ["virt-ci:network:Network", "pulumi:pulumi:Stack", "pulumi:providers:azure-native"])
def test_components_and_the_engines_own_resources_are_no_matter_of_rules(kind: str) -> None:
    assert judge_one("fleet-known-types", [Seed("it", kind, {})], {}) == []


def test_extensions_and_run_commands_are_refused_as_resources() -> None:
    for kind in ("VirtualMachineExtension", "VirtualMachineRunCommandByVirtualMachine"):
        (found,) = judge_one("vm-no-extensions", [Seed("it", f"azure-native:compute:{kind}", {})], {})
        assert "runs code on a machine from outside" in found[2]


@pytest.mark.parametrize("name", sorted(
    name for name, policy in all_policies().items() if isinstance(policy, ResourceValidationPolicy) and name != "fleet-known-types"
))  # fmt: skip
def test_the_table_has_every_state_of_every_rule(name: str) -> None:
    states = {row.state for row in ROWS if row.policy == name}
    assert {"fail", "missing", "unknown"} <= states
    policy = all_policies()[name]
    assert ("configuration" in states) == (policy.config_schema is not None)
