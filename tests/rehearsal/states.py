"""Results of a rehearsal made by hand: a hub and an environment that reads it, as an exported state shows them."""

import json
from dataclasses import dataclass, field
from typing import Any

from tests.committed import ROOT
from virtci.core.inventory import bill, demands
from virtci.core.quota import held_against
from virtci.rehearsal.conductor import StackResult, inventory
from virtci.rehearsal.endings import Ending
from virtci.rehearsal.engine import Run
from virtci.settings.load import from_file

CANARY = "canary-7f3a91-in-a-sealed-value"
SEAL = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270"}
SUBSCRIPTION = "/subscriptions/00000000-0000-0000-0000-0000000000a1"
HUB_GROUP = f"{SUBSCRIPTION}/resourceGroups/kubevirt-rg/providers"
NETWORK = f"{HUB_GROUP}/Microsoft.Network/virtualNetworks/kubevirt-vnet"
VAULT = f"{HUB_GROUP}/Microsoft.KeyVault/vaults/kubevirtkv"
RUNNERS = ("kubevirt-gh-actions-runner-1", "kubevirt-gh-actions-runner-2")
DEV_GROUP = "kubevirt-dev-rg"
DEV_MACHINE = "kubevirt-dev-vm"


def sealed(value: Any) -> dict[str, Any]:
    """A secret as the Automation API exports it: with its text in the clear beside the mark."""
    return {**SEAL, "plaintext": json.dumps(value)}


@dataclass
class State:
    """The resources of one stack."""

    stack: str
    resources: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.root = self.add("pulumi:pulumi:Stack", f"virt-ci-{self.stack}")

    def add(
        self,
        kind: str,
        name: str,
        parent: str = "",
        *,
        resource_id: str = "",
        inputs: dict[str, Any] | None = None,
        outputs: dict[str, Any] | None = None,
        after: dict[str, list[str]] | None = None,
    ) -> str:
        """Adds a resource and returns its URN; `after` are its dependencies by property."""
        custom = not kind.startswith(("virt-ci:", "pulumi:pulumi:Stack"))
        urn = f"urn:pulumi:{self.stack}::virt-ci::{kind}::{name}"
        found = {"urn": urn, "type": kind, "custom": custom, "inputs": inputs or {}, "outputs": outputs or {}}
        if parent:
            found["parent"] = parent
        if custom:
            found["id"] = resource_id or f"id-of-{name}"
        if after:
            found["propertyDependencies"] = after
            found["dependencies"] = sorted({urn for urns in after.values() for urn in urns})
        self.resources.append(found)
        return urn

    def identity(self, name: str, parent: str, group: str) -> str:
        """An identity component; returns the URN of the resource in it."""
        component = self.add("virt-ci:identity:Identity", name, parent)
        return self.add(
            "azure-native:managedidentity:UserAssignedIdentity",
            name,
            component,
            resource_id=f"{SUBSCRIPTION}/resourceGroups/{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}",
            inputs={"resourceGroupName": group, "location": "westus"},
            outputs={"clientId": f"client-of-{name}", "principalId": f"principal-of-{name}"},
        )

    def machine(self, name: str, parent: str, group: str, subnet: str, lifetime: str) -> str:
        """A machine component with its identity; returns the id of its vault secret."""
        identity = self.identity(f"{name}-identity", parent, group)
        component = self.add("virt-ci:machine:Machine", name, parent)
        key = self.add(
            "tls:index/privateKey:PrivateKey",
            f"{name}-ssh-key",
            component,
            outputs={"privateKeyOpenssh": sealed(f"{CANARY}\nkey")},
        )
        nic = self.add(
            "azure-native:network:NetworkInterface",
            f"{name}-nic",
            component,
            inputs={
                "resourceGroupName": group,
                "ipConfigurations": [{"subnet": {"id": f"{NETWORK}/subnets/{subnet}"}}],
            },
        )
        self.add(
            "azure-native:compute:VirtualMachine",
            name,
            component,
            resource_id=f"{SUBSCRIPTION}/resourceGroups/{group}/providers/Microsoft.Compute/virtualMachines/{name}",
            inputs={
                "vmName": name,
                "resourceGroupName": group,
                "location": "westus",
                "tags": {"lifetime": lifetime},
                "hardwareProfile": {"vmSize": "Standard_D4s_v5"},
                "storageProfile": {"osDisk": {"diskSizeGB": 128}},
                "osProfile": {"customData": sealed(CANARY)},
            },
            after={"identity": [identity], "networkProfile": [nic], "osProfile": [key]},
        )
        secret = f"{VAULT}/secrets/{name}-ssh-key"
        self.add(
            "azure-native:keyvault:Secret",
            f"{name}-ssh-secret",
            component,
            resource_id=secret,
            inputs={
                "vaultName": "kubevirtkv",
                "resourceGroupName": "kubevirt-rg",
                "properties": {"value": sealed(CANARY)},
            },
            after={"properties": [key]},
        )
        return secret

    def result(self, outputs: dict[str, Any]) -> StackResult:
        """What a rehearsal that went well says about the stack."""
        settings = from_file(ROOT / f"Pulumi.{self.stack}.yaml", rehearsal=True)
        known, quota = inventory(self.resources), settings.quota
        assert quota
        steps = {item["urn"]: "create" for item in self.resources}
        return StackResult(
            self.stack,
            settings,
            ending=Ending.GOOD,
            runs={
                "preview": Run("preview", succeeded=True, steps=dict(steps)),
                "up": Run("up", succeeded=True, steps=dict(steps)),
                "second preview": Run("preview", succeeded=True, steps=dict.fromkeys(steps, "same")),
            },
            seconds={"preview": 4.0, "up": 5.0, "second preview": 3.0, "contract": 0.5},
            simulated_seconds={"preview": 0.0, "up": 125.0, "second preview": 0.0},
            resources=self.resources,
            outputs=outputs,
            quota=held_against(demands(known), quota.limits, quota.reserve),
            bill=bill(known),
        )


def hub() -> StackResult:
    """A hub with a network, a vault, a log workspace and two runners."""
    state = State("hub")
    top = state.add("virt-ci:fleet:SharedHub", "hub", state.root)
    state.add("azure-native:resources:ResourceGroup", "hub", top, inputs={"resourceGroupName": "kubevirt-rg"})
    workspace = state.add(
        "azure-native:operationalinsights:Workspace",
        "hub-logs",
        top,
        inputs={"resourceGroupName": "kubevirt-rg", "retentionInDays": 30},
    )
    network = state.add("virt-ci:network:Network", "hub-network", top)
    state.add(
        "azure-native:network:VirtualNetwork",
        "hub-network",
        network,
        resource_id=NETWORK,
        inputs={
            "resourceGroupName": "kubevirt-rg",
            "addressSpace": {"addressPrefixes": ["10.60.0.0/16"]},
            "subnets": [
                {"name": "runners", "addressPrefix": "10.60.0.0/24"},
                {"name": "dev", "addressPrefix": "10.60.1.0/24"},
            ],
        },
    )
    vault = state.add("virt-ci:vault:KeyVault", "hub-vault", top)
    state.add(
        "azure-native:keyvault:Vault",
        "hub-vault",
        vault,
        resource_id=VAULT,
        inputs={
            "vaultName": "kubevirtkv",
            "resourceGroupName": "kubevirt-rg",
            "properties": {
                "enableRbacAuthorization": True,
                "networkAcls": {"defaultAction": "Deny", "virtualNetworkRules": [{"id": f"{NETWORK}/subnets/runners"}]},
            },
        },
    )
    state.add("azure-native:monitor:DiagnosticSetting", "hub-vault-audit", vault, after={"workspaceId": [workspace]})
    for runner in RUNNERS:
        state.machine(runner, top, "kubevirt-rg", "runners", "always-on")
    return state.result(
        {"stack": "hub", "vault": {"name": "kubevirtkv", "token": sealed(CANARY)}, "password": sealed(CANARY)}
    )


def dev() -> StackResult:
    """An environment that uses the hub's network and vault by their ids and names alone."""
    state = State("dev")
    top = state.add("virt-ci:fleet:TestEnvironment", "dev", state.root)
    state.add("pulumi:pulumi:StackReference", "hub", state.root)
    state.add("azure-native:resources:ResourceGroup", "dev-group", top, inputs={"resourceGroupName": DEV_GROUP})
    secret = state.machine(DEV_MACHINE, top, DEV_GROUP, "dev", "working-hours")
    state.add(
        "azure-native:keyvault:Secret",
        "dev-kubeconfig",
        top,
        resource_id=f"{VAULT}/secrets/dev-kubeconfig",
        inputs={"vaultName": "kubevirtkv", "resourceGroupName": "kubevirt-rg"},
    )
    identity = state.identity("virt-ci-dev", top, DEV_GROUP)
    state.add(
        "azure-native:authorization:RoleAssignment",
        "dev-identity-reads-ssh-key",
        next(item["parent"] for item in state.resources if item["urn"] == identity),
        inputs={"scope": secret, "principalId": "principal-of-virt-ci-dev"},
        after={"principalId": [identity]},
    )
    environment = state.add("virt-ci:github:Environment", "dev-github", top)
    state.add(
        "github:index/repositoryEnvironment:RepositoryEnvironment",
        "dev-github",
        environment,
        resource_id="kubevirt:dev",
        inputs={"repository": "kubevirt", "environment": "dev", "reviewers": [{"users": [1, 2]}]},
    )
    kind = "github:index/actionsEnvironmentVariable:ActionsEnvironmentVariable"
    for name, value, after in (("AZURE_CLIENT_ID", "", {"value": [identity]}), ("KEY_VAULT", "kubevirtkv", {})):
        state.add(kind, f"dev-github-{name}", environment, inputs={"variableName": name, "value": value}, after=after)
    return state.result({"stack": "dev", "machines": [{"name": DEV_MACHINE}]})
