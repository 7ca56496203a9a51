"""The committed stacks, recorded: the real program on the real stack files, under mocks."""

import json
import os
import runpy
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import yaml

from tests.recorder import PROJECT, Recorder, record, secret
from virtci.core.names import assignment_id
from virtci.rehearsal.engine import credentials

ROOT = Path(__file__).resolve().parents[1]
STACKS = ("hub", "dev", "test")
SUBSCRIPTION = "/subscriptions/00000000-0000-0000-0000-0000000000a1"
HUB_GROUP = f"{SUBSCRIPTION}/resourceGroups/kubevirt-rg/providers"
NETWORK = f"{HUB_GROUP}/Microsoft.Network/virtualNetworks/kubevirt-vnet"
PUBLISHER = assignment_id(SUBSCRIPTION.rsplit("/", 1)[-1], "virt-ci kubeconfig publisher")
ENVIRONMENTS = ("dev", "test-mshv", "test-kvm", "test-emulation")
HUB_OUTPUTS = {
    "network": {
        "resourceId": NETWORK,
        "subnetResourceIds": {name: f"{NETWORK}/subnets/{name}" for name in ENVIRONMENTS},
    },
    "vault": {
        "name": "kubevirtkv",
        "resourceGroup": "kubevirt-rg",
        "resourceId": f"{HUB_GROUP}/Microsoft.KeyVault/vaults/kubevirtkv",
        "uri": "https://kubevirtkv.vault.azure.net/",
    },
    "workspaceId": f"{HUB_GROUP}/Microsoft.OperationalInsights/workspaces/kubevirt-logs",
    "roles": {"kubeconfigPublisher": f"{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{PUBLISHER}"},
    "identities": {"preview": {"clientId": "client-of-preview", "principalId": "principal-of-preview"}},
}
FUNCTIONS = {
    "github:index/getUser:getUser": lambda args: {"id": str(5000 + len(args["username"])), "login": args["username"]},
    "github:index/getRepository:getRepository": lambda args: {"repoId": 7000 + len(args["fullName"])},
    "azure-native:containerservice:listManagedClusterUserCredentials": lambda _: {
        "kubeconfigs": [{"name": "clusterUser", "value": "YXBpVmVyc2lvbjogdjEK"}]
    },
}
ENGINE = {"PULUMI_DEBUG_PROVIDERS": "azure-native:1,github:1,tls:1", "PULUMI_ERROR_OUTPUT_STRING": "true"}
NAME_KEYS = (
    "resourceGroupName", "vmName", "vaultName", "secretName", "resourceName", "virtualNetworkName", "networkInterfaceName",
    "environment", "name",
)  # fmt: skip


def outputs(kind: str, name: str, inputs: dict[str, Any]) -> dict[str, Any]:
    """What the providers would add to the inputs, as far as the program reads it."""
    found: dict[str, Any] = {"name": next((inputs[key] for key in _name_keys(kind) if key in inputs), name)}
    if kind == "pulumi:pulumi:StackReference":
        return {"name": inputs["name"], "outputs": HUB_OUTPUTS}
    if kind.endswith(":UserAssignedIdentity"):
        found |= {"clientId": f"client-of-{name}", "principalId": f"principal-of-{name}"}
    if kind.endswith(":PrivateKey"):
        # The engine marks what the SDK declares as additional secret outputs; mocks do not.
        found |= {
            "publicKeyOpenssh": f"ssh-ed25519 public-of-{name}",
            "privateKeyOpenssh": secret(f"private-of-{name}"),
        }
    if kind.endswith(":Vault"):
        found["properties"] = {**inputs["properties"], "vaultUri": f"https://{inputs['vaultName']}.vault.azure.net/"}
    if kind.endswith(":NetworkInterface"):
        found["ipConfigurations"] = [{**inputs["ipConfigurations"][0], "privateIPAddress": "10.60.1.4"}]
    if kind.endswith(":PublicIPAddress"):
        found["ipAddress"] = "203.0.113.1"
    if kind.endswith(":ManagedCluster"):
        found["privateFQDN"] = "cluster.privatelink.westus.azmk8s.io"
    return found


def _name_keys(kind: str) -> tuple[str, ...]:
    """The most telling key first: everything but a resource group has its group's name as well."""
    return NAME_KEYS if kind.endswith(":ResourceGroup") else NAME_KEYS[1:]


@cache
def fleet(stack: str) -> Recorder:
    """The registrations of a committed stack."""
    return record_configuration(stack, stack_file(stack))


def stack_file(stack: str) -> dict[str, Any]:
    """The configuration of a committed stack file."""
    content: dict[str, Any] = yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text())["config"]
    return content


def record_configuration(stack: str, configuration: dict[str, Any]) -> Recorder:
    """The registrations of the program under a configuration."""
    values = {key: value if isinstance(value, str) else json.dumps(value) for key, value in configuration.items()}

    def program() -> None:
        with patch.dict(os.environ, credentials() | ENGINE | {"PULUMI_CONFIG": json.dumps(values)}):
            runpy.run_path(str(ROOT / "__main__.py"))

    return record(program, Recorder(outputs=outputs, functions=dict(FUNCTIONS)), stack)


__all__ = ["PROJECT", "ROOT", "STACKS", "fleet", "outputs", "record_configuration", "stack_file"]
