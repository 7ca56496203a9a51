"""Program and policies against each other: the committed fleet is clean, and each seeded fault is caught by its rule."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from tests.committed import CLUSTER_STACKS, RUNNER_STACKS, STACKS, fleet
from tests.policies.harness import Seed, all_policies, configuration, judge

Change = Callable[[dict[str, Any]], object]
IN_CLOUDS = (*STACKS, *RUNNER_STACKS)
TAGGED = sorted({item.kind for stack in IN_CLOUDS for item in fleet(stack).registrations if "tags" in item.inputs})
VM = "dev-machine"
NIC = "dev-machine-nic"
NSG = "hub-network-dev-nsg"
NET = "hub-network"
AKS = "test-kvm-cluster"
POOL = "test-kvm-cluster-workers"
TEMPLATE = "aws-us-east-2-template"
INSIDE = "dev-kubevirt"
OPERATOR = "kubevirt-Deployment-virt-operator"
BOX: tuple[str | int, ...] = ("spec", "template", "spec", "containers", 0)


def seeds(stack: str) -> list[Seed]:
    """The cloud resources of a committed stack, with secrets opened, as the engine hands them to policies."""
    return [
        Seed(item.name, item.kind, item.plain())
        for item in fleet(stack).registrations
        if item.custom and not item.kind.startswith("pulumi:")
    ]


def changed(stack: str, name: str, kind: str, change: Change) -> list[Seed]:
    """The stack with one resource changed."""
    found = []
    for seed in seeds(stack):
        if seed.name == name and seed.type.endswith(kind):
            props = copy.deepcopy(dict(seed.props))
            change(props)
            found.append(Seed(seed.name, seed.type, props))
        else:
            found.append(seed)
    assert found != seeds(stack), f"nothing was changed: {name} {kind}"
    return found


def rule(props: dict[str, Any], **changes: Any) -> None:
    """Adds a rule to a security group."""
    added = {**props["securityRules"][0], "name": "seeded", "priority": 150, **changes}
    props["securityRules"].append({key: value for key, value in added.items() if value is not None})


def opened(props: dict[str, Any]) -> None:
    """Lets everybody in."""
    rule(props, sourceAddressPrefix="*")


def joined(props: dict[str, Any]) -> None:
    """Lets another environment in."""
    rule(props, sourceAddressPrefix="10.60.2.0/24", destinationPortRange="443", destinationPortRanges=None)


def widened(props: dict[str, Any]) -> None:
    """Trusts all repositories of the owner."""
    props["assumeRolePolicy"] = props["assumeRolePolicy"].replace("km:environment", "*:environment")


def without(*path: str | int) -> Change:
    """Removes a property."""

    def change(props: Any) -> None:
        for part in path[:-1]:
            props = props[part]
        del props[path[-1]]

    return change


def given(value: Any, *path: str | int) -> Change:
    """Sets a property."""

    def change(props: Any) -> None:
        for part in path[:-1]:
            props = props[part]
        props[path[-1]] = value

    return change


def dropped(props: dict[str, Any], name: str) -> None:
    """Removes a rule of a security group."""
    props["securityRules"] = [item for item in props["securityRules"] if item["name"] != name]


CONTRIBUTOR = "/providers/Microsoft.Authorization/roleDefinitions/b24988ac-6180-42a0-ab88-20f7382dd24c"
KUBECONFIG = "apiVersion: v1\nkind: Config\nusers:\n- user:\n    client-key-data: c2VjcmV0\n"
SEEDED: list[tuple[str, str, str, str, Change]] = [
    ("aks-addons-off", "test", AKS, ":ManagedCluster", given({"httpApplicationRouting": {"enabled": True}}, "addonProfiles")),
    ("aks-autoscaling-bounds", "test", POOL, ":AgentPool", without("maxCount")),
    ("aks-entra-rbac", "test", AKS, ":ManagedCluster", given(False, "aadProfile", "enableAzureRBAC")),
    ("aks-ephemeral-disk", "test", AKS, ":ManagedCluster", given("Managed", "agentPoolProfiles", 0, "osDiskType")),
    ("aks-managed-identity", "test", AKS, ":ManagedCluster", without("identity")),
    ("aks-network-policy", "test", AKS, ":ManagedCluster", without("networkProfile", "networkPolicy")),
    ("aks-no-local-accounts", "test", AKS, ":ManagedCluster", given(False, "disableLocalAccounts")),
    ("aks-no-node-public-ip", "test", POOL, ":AgentPool", given(True, "enableNodePublicIP")),
    ("aks-node-min-pods", "test", POOL, ":AgentPool", given(30, "maxPods")),
    ("aks-node-os-channel", "test", AKS, ":ManagedCluster", given("None", "autoUpgradeProfile", "nodeOSUpgradeChannel")),
    ("aks-private-or-authorised", "test", AKS, ":ManagedCluster", given(False, "apiServerAccessProfile", "enablePrivateCluster")),
    ("aks-run-command-off", "test", AKS, ":ManagedCluster", given(False, "apiServerAccessProfile", "disableRunCommand")),
    ("aks-scale-sets", "test", POOL, ":AgentPool", given("AvailabilitySet", "type")),
    ("aks-system-pool-reserved", "test", AKS, ":ManagedCluster", given([], "agentPoolProfiles", 0, "nodeTaints")),
    ("aks-version", "test", AKS, ":ManagedCluster", without("kubernetesVersion")),
    ("audit-logs", "hub", "hub-vault-audit", ":DiagnosticSetting", given([], "logs")),
    ("cost-budget", "hub", "budget", ":Budget", given(1, "amount")),
    ("cost-waste", "hub", NET, ":VirtualNetwork", lambda props: [item.pop("natGateway") for item in props["subnets"]]),
    ("custom-role-narrow", "hub", "hub-deploy-role", ":RoleDefinition", given(["*"], "permissions", 0, "actions")),
    ("environments-isolated", "hub", NSG, ":NetworkSecurityGroup", joined),
    ("federated-credential", "dev", "dev-identity-classic", ":FederatedIdentityCredential", given("repo:rehearsal-org/kubevirt:ref:refs/heads/main", "subject")),
    ("federated-pull-request", "hub", "hub-deploy-classic", ":FederatedIdentityCredential", given("repo:rehearsal-org/virt-ci:pull_request", "subject")),
    ("federated-pull-request", "kontain", "azure-runner-launcher-role", ":RoleDefinition", given("virt-ci deploy", "roleName")),
    ("gallery-image-standard", "kontain", "azure-gallery-image", ":GalleryImage", given([{"name": "SecurityType", "value": "TrustedLaunch"}], "features")),
    ("github-branches", "dev", "dev-github", ":RepositoryEnvironment", given("another", "environment")),
    ("github-no-plain-secret", "dev", "dev-github-KEY_VAULT", ":ActionsEnvironmentVariable", given(KUBECONFIG, "value")),
    ("github-protection", "dev", "dev-github", ":RepositoryEnvironment", given(True, "canAdminsBypass")),
    ("github-variables", "dev", "dev-github-TEST_FOCUS", ":ActionsEnvironmentVariable", given("OTHER", "variableName")),
    ("keyvault-closed", "hub", "hub-vault", ":Vault", given("Allow", "properties", "networkAcls", "defaultAction")),
    ("lifetime-class", "dev", VM, ":VirtualMachine", given("durable", "tags", "lifetime")),
    ("names-legal", "hub", "hub-vault", ":Vault", given("kubevirt--kv", "vaultName")),
    ("nic-accelerated", "dev", NIC, ":NetworkInterface", given(False, "enableAcceleratedNetworking")),
    ("nic-no-forwarding", "dev", NIC, ":NetworkInterface", given(True, "enableIPForwarding")),
    ("nsg-deny-all-inbound", "hub", NSG, ":NetworkSecurityGroup", lambda props: dropped(props, "deny-inbound")),
    ("nsg-no-any-inbound", "hub", NSG, ":NetworkSecurityGroup", opened),
    ("nsg-no-lateral", "hub", NSG, ":NetworkSecurityGroup", lambda props: dropped(props, "deny-lateral")),
    ("public-address-only-for-nat", "hub", "hub-kubevirt-gh-actions-runner-1-nic", ":NetworkInterface", given({"id": "/ids/hub-network-egress-ip"}, "ipConfigurations", 0, "publicIPAddress")),
    ("public-ip-standard", "hub", "hub-network-egress-ip", ":PublicIPAddress", given("Basic", "sku", "name")),
    ("quota", "dev", VM, ":VirtualMachine", given("Standard_D16s_v5", "hardwareProfile", "vmSize")),
    ("quota", "test", AKS, ":ManagedCluster", given(3, "agentPoolProfiles", 0, "count")),
    ("quota", "test", POOL, ":AgentPool", given(3, "maxCount")),
    ("regions-allowed", "dev", NIC, ":NetworkInterface", given("eastus", "location")),
    ("role-assignment-least-privilege", "dev", "dev-publish-kubeconfig", ":RoleAssignment", given(CONTRIBUTOR, "roleDefinitionId")),
    ("role-assignment-principal-type", "dev", "dev-publish-kubeconfig", ":RoleAssignment", without("principalType")),
    ("aws-encrypted-disks", "kontain", TEMPLATE, ":LaunchTemplate", given("false", "blockDeviceMappings", 0, "ebs", "encrypted")),
    ("aws-instance-identity", "kontain", TEMPLATE, ":LaunchTemplate", given("shared", "keyName")),
    ("aws-metadata-tokens", "kontain", TEMPLATE, ":LaunchTemplate", given("optional", "metadataOptions", "httpTokens")),
    ("aws-narrow-rights", "kontain", "auto-runner-us-east-2-01-rights", ":RolePolicy", given('{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}', "policy")),
    ("aws-no-ingress", "kontain", "aws-us-east-2-network-machines", ":SecurityGroup", without("ingress")),
    ("aws-no-public-address", "kontain", "aws-us-east-2-network-us-east-2a", ":Subnet", given(True, "mapPublicIpOnLaunch")),
    ("aws-parameter-plain", "kontain", "auto-runner-us-east-2-01-boot", ":Parameter", given("SecureString", "type")),
    ("aws-role-trust", "kontain", "aws-launcher", ":Role", widened),
    ("aws-shutdown-terminates", "kontain", TEMPLATE, ":LaunchTemplate", given("stop", "instanceInitiatedShutdownBehavior")),
    ("runner-slots", "kontain", "auto-runner-westus-11-group", ":ResourceGroup", given("auto-runner-eastus-01", "resourceGroupName")),
    ("secret-content-type", "dev", "dev-kubeconfig", ":Secret", without("properties", "contentType")),
    ("shutdown-schedule-name", "dev", "dev-machine-shutdown", ":GlobalSchedule", given("shutdown-other", "name")),
    ("storage-closed", "kontain", "azure-state", ":StorageAccount", given(True, "allowSharedKeyAccess")),
    ("storage-closed", "kontain", "azure-state-records", ":BlobContainer", given("Blob", "publicAccess")),
    ("storage-recoverable", "kontain", "azure-state-blobs", ":BlobServiceProperties", without("isVersioningEnabled")),
    ("storage-recoverable", "kontain", "azure-state-lifecycle", ":ManagementPolicy", given(False, "policy", "rules", 0, "enabled")),
    ("subnet-egress", "hub", NET, ":VirtualNetwork", without("subnets", 0, "natGateway")),
    ("subnet-nsg", "hub", NET, ":VirtualNetwork", without("subnets", 0, "networkSecurityGroup")),
    ("subnet-private", "hub", NET, ":VirtualNetwork", given(True, "subnets", 0, "defaultOutboundAccess")),
    ("kubernetes-images", INSIDE, OPERATOR, ":Deployment", given("registry.example/rehearsal/kubevirt/virt-operator:v1.8.2", *BOX, "image")),
    ("kubernetes-images", INSIDE, OPERATOR, ":Deployment", given("registry.example/rehearsal/kubevirt/virt-api:v1.8.2", *BOX, "env", 2, "value")),
    ("kubernetes-namespaces", INSIDE, "kubevirt-Namespace-kubevirt", ":Namespace", without("metadata", "labels")),
    ("kubernetes-no-plain-secret", INSIDE, "monitoring-configuration", ":ConfigMap", given(KUBECONFIG, "data", "kubeconfig")),
    ("kubernetes-pods-restricted", INSIDE, "monitoring-prometheus", ":Deployment", given(True, *BOX, "securityContext", "privileged")),
    ("kubernetes-pods-steady", INSIDE, "monitoring-prometheus", ":Deployment", without(*BOX, "resources")),
    ("kubernetes-rbac-narrow", INSIDE, "tests-clusterrole", ":ClusterRole", given(["*"], "rules", 0, "verbs")),
    ("kubernetes-services-inside", INSIDE, "monitoring-service", ":Service", given("LoadBalancer", "spec", "type")),
    ("kubevirt-gate", INSIDE, "kubevirt-configuration", ":KubeVirt", given(["HyperVL1Vh"], "spec", "configuration", "developerConfiguration", "featureGates")),
    ("kubevirt-gate", "test-kvm-kubevirt", "kubevirt-configuration", ":KubeVirt", given(["HyperVL1VH"], "spec", "configuration", "developerConfiguration", "featureGates")),
    ("vm-agent", "dev", VM, ":VirtualMachine", given(False, "osProfile", "linuxConfiguration", "provisionVMAgent")),
    ("vm-boot-diagnostics", "dev", VM, ":VirtualMachine", without("diagnosticsProfile")),
    ("vm-boot-text", "dev", VM, ":VirtualMachine", given("LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0t", "osProfile", "customData")),
    ("vm-delete-with-machine", "dev", VM, ":VirtualMachine", given("Detach", "storageProfile", "osDisk", "deleteOption")),
    ("vm-managed-disk-premium", "dev", VM, ":VirtualMachine", given("Standard_LRS", "storageProfile", "osDisk", "managedDisk", "storageAccountType")),
    ("vm-managed-identity", "dev", VM, ":VirtualMachine", without("identity")),
    ("vm-no-extensions", "dev", VM, ":VirtualMachine", given(True, "osProfile", "allowExtensionOperations")),
    ("vm-no-public-ip", "dev", NIC, ":NetworkInterface", given({"id": "/ids/some-ip"}, "ipConfigurations", 0, "publicIPAddress")),
    ("vm-no-security-profile", "dev", VM, ":VirtualMachine", given({"securityType": "TrustedLaunch"}, "securityProfile")),
    ("vm-ssh-keys-only", "dev", VM, ":VirtualMachine", given(False, "osProfile", "linuxConfiguration", "disablePasswordAuthentication")),
]  # fmt: skip
ALSO_BROKEN: dict[str, set[str]] = {
    "cost-waste": {"subnet-egress"},
    "github-branches": {"github-variables"},
    "lifetime-class": {"cost-budget"},
    "nsg-deny-all-inbound": {"environments-isolated"},
    "nsg-no-any-inbound": {"environments-isolated"},
    "public-address-only-for-nat": {"vm-no-public-ip"},
    "subnet-nsg": {"cost-waste"},
    "quota": {"cost-budget"},
    "shutdown-schedule-name": {"lifetime-class"},
}
"""Rules that rightly fire as well, because the seeded fault breaks what they protect, too."""


@pytest.mark.parametrize("stack", [*IN_CLOUDS, *CLUSTER_STACKS])
def test_no_policy_fires_on_the_committed_fleet(stack: str) -> None:
    assert judge(seeds(stack), configuration(stack)) == []


@pytest.mark.parametrize(
    ("policy", "stack", "name", "kind", "change"), SEEDED, ids=[f"{item[0]}-{item[3][1:]}" for item in SEEDED]
)
def test_a_seeded_fault_is_caught_by_the_rule_that_claims_it(
    policy: str, stack: str, name: str, kind: str, change: Change
) -> None:
    fired = judge(changed(stack, name, kind, change), configuration(stack))

    names = {found[0] for found in fired}
    assert policy in names
    assert names - {policy} <= ALSO_BROKEN.get(policy, set())


@pytest.mark.parametrize("kind", TAGGED)
def test_a_missing_tag_is_caught_on_every_type_that_has_tags(kind: str) -> None:
    stack, name = next(
        (stack, item.name) for stack in IN_CLOUDS for item in fleet(stack).registrations if item.kind == kind
    )
    fired = judge(changed(stack, name, kind, without("tags", "owner")), configuration(stack))

    assert {(found[0], found[1]) for found in fired} == {("tagging", name)}
    assert "owner" in fired[0][2]


def test_every_policy_has_a_seeded_fault() -> None:
    """Backstops and disks of their own are of machines of a run, of which no stack is committed."""
    rest = {"tagging", "fleet-known-types", "aws-backstop", "disk-closed"}
    assert set(all_policies()) - {item[0] for item in SEEDED} == rest


def test_a_type_that_the_pack_does_not_know_is_not_let_through() -> None:
    stranger = Seed("stranger", "azure-native:sql:Server", {"serverName": "x"})
    fired = judge([*seeds("dev"), stranger], configuration("dev"))

    assert ("fleet-known-types", "stranger") in {(found[0], found[1]) for found in fired}


def test_a_message_says_what_was_seen_and_what_to_do() -> None:
    for policy, stack, name, kind, change in SEEDED:
        for found, _, message in judge(changed(stack, name, kind, change), configuration(stack)):
            if found == policy:
                assert "fix:" in message, (policy, message)
