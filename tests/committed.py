"""The committed stacks, recorded: the real program on the real stack files, under mocks."""

import json
import os
import runpy
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import yaml

from tests.recorder import PROJECT, Recorder, Registration, record, secret
from virtci.core.hypervisors import Hypervisor
from virtci.core.names import assignment_id
from virtci.rehearsal.engine import credentials
from virtci.rehearsal.kubernetes.nodes import Node
from virtci.rehearsal.kubernetes.scenario import CPUS, KERNELS, MEMORY_MIB, probe_document

ROOT = Path(__file__).resolve().parents[1]
STACKS = ("hub", "dev", "test")
CLUSTER_STACKS = ("dev-kubevirt", "test-mshv-kubevirt", "test-kvm-kubevirt", "test-emulation-kubevirt")
RUNNER_STACKS = ("kontain",)
SUBSCRIPTION = "/subscriptions/00000000-0000-0000-0000-0000000000a1"
HUB_GROUP = f"{SUBSCRIPTION}/resourceGroups/kubevirt-rg/providers"
NETWORK = f"{HUB_GROUP}/Microsoft.Network/virtualNetworks/kubevirt-vnet"
ROLES = {
    name: assignment_id(SUBSCRIPTION.rsplit("/", 1)[-1], title)
    for name, title in (
        ("kubeconfigPublisher", "virt-ci kubeconfig publisher"),
        ("powerOperator", "virt-ci power operator"),
        ("bootTagger", "virt-ci boot tagger"),
    )
}

ENVIRONMENTS = ("dev", "test-mshv", "test-kvm", "test-emulation")
HUB_OUTPUTS = {
    "network": {
        "resourceId": NETWORK,
        "subnetResourceIds": {name: f"{NETWORK}/subnets/{name}" for name in ENVIRONMENTS},
        "addressSpace": "10.60.0.0/16",
        "subnetRanges": {name: f"10.60.{number}.0/24" for number, name in enumerate(("runners", *ENVIRONMENTS))},
    },
    "vault": {
        "name": "kubevirtkv",
        "resourceGroup": "kubevirt-rg",
        "resourceId": f"{HUB_GROUP}/Microsoft.KeyVault/vaults/kubevirtkv",
        "uri": "https://kubevirtkv.vault.azure.net/",
    },
    "workspaceId": f"{HUB_GROUP}/Microsoft.OperationalInsights/workspaces/kubevirt-logs",
    "roles": {
        name: f"{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{guid}" for name, guid in ROLES.items()
    },
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
    "containerName", "accountName", "galleryImageName", "galleryName", "environment", "name",
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
    if kind.startswith("aws:"):
        found["arn"] = f"arn:aws:any:us-east-2:000000000000:{name}"
    if kind == "aws:ec2/eip:Eip":
        found["publicIp"] = "203.0.113.2"
    if kind.endswith(":StorageAccount"):
        found["primaryEndpoints"] = {"blob": f"https://{inputs['accountName']}.blob.core.windows.net/"}
    if kind.endswith(":PublicIPAddress"):
        found["ipAddress"] = "203.0.113.1"
    if kind.endswith(":ManagedCluster"):
        found["privateFQDN"] = "cluster.privatelink.westus.azmk8s.io"
    return found


def cluster_outputs(record: str, kind: str, name: str, inputs: dict[str, Any]) -> dict[str, Any]:
    """What a cluster with this readiness record would answer."""
    if kind == "kubernetes:core/v1:ConfigMap" and name.endswith("-readiness"):
        return {"data": {"record.json": record}}
    return outputs(kind, name, inputs)


def readiness_record(*hypervisors: Hypervisor) -> str:
    """The readiness record of a cluster with a node for each of some hypervisors."""
    nodes = [Node(f"node-{index}", KERNELS[found], MEMORY_MIB, CPUS) for index, found in enumerate(hypervisors)]
    entries = [
        {"node": node.name, "uid": f"uid-{node.name}", "probe": json.loads(probe_document(node, found, Hypervisor.MSHV)), "error": ""}
        for node, found in zip(nodes, hypervisors, strict=True)
    ]  # fmt: skip
    return json.dumps({"version": 1, "measuredAt": "2026-11-21T12:00:00Z", "nodes": entries})


READY = readiness_record(Hypervisor.MSHV)
KUBECONFIG = """\
apiVersion: v1
kind: Config
clusters: [{name: recorded, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: recorded, user: {}}]
contexts: [{name: recorded, context: {cluster: recorded, user: recorded}}]
current-context: recorded
"""


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


def record_configuration(
    stack: str,
    configuration: dict[str, Any],
    readiness: str = READY,
    kubeconfig: str = KUBECONFIG,
    registrations: list[Registration] | None = None,
) -> Recorder:
    """The registrations of the program under a configuration; inside a cluster, with this readiness record.

    `registrations` takes those of a program that fails half-way.
    """
    values = {key: value if isinstance(value, str) else json.dumps(value) for key, value in configuration.items()}
    answers: Callable[..., dict[str, Any]] = partial(cluster_outputs, readiness)
    with TemporaryDirectory() as folder:
        file = Path(folder, "kubeconfig")
        file.write_text(kubeconfig)

        def program() -> None:
            own = {"PULUMI_CONFIG": json.dumps(values), "KUBECONFIG": str(file)}
            with patch.dict(os.environ, credentials() | ENGINE | own):
                runpy.run_path(str(ROOT / "__main__.py"))

        recorder = Recorder(outputs=answers, functions=dict(FUNCTIONS))
        if registrations is not None:
            recorder.registrations = registrations
        return record(program, recorder, stack)


__all__ = [
    "CLUSTER_STACKS",
    "PROJECT",
    "ROOT",
    "RUNNER_STACKS",
    "STACKS",
    "fleet",
    "outputs",
    "record_configuration",
    "stack_file",
]
