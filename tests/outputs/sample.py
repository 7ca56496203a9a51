"""A realistic value of the outputs: hub and all environments as one stack."""

from typing import Any

GROUP = "/subscriptions/9b5d67e7-ca39-4471-8a8e-ddf8cc14a64a/resourceGroups"


def machine(
    name: str, group: str, address: str, size: str, lifetime: str, environment: str | None = None
) -> dict[str, Any]:
    return {
        "name": name,
        "role": "environment" if environment else "runner",
        **({"environment": environment} if environment else {}),
        "resourceGroup": group,
        "resourceId": f"{GROUP}/{group}/providers/Microsoft.Compute/virtualMachines/{name}",
        "size": size,
        "privateAddress": address,
        "user": "azureuser",
        "sshKeySecret": f"{name}-ssh-key",
        "lifetime": lifetime,
    }


def environment(
    name: str, compute: str, group: str, hypervisor: str, gate: str, scope: str, **tests: Any
) -> dict[str, Any]:
    return {
        "purpose": f"what {name} is for",
        "hypervisor": hypervisor,
        "gate": gate,
        "compute": compute,
        "resourceGroup": group,
        "repository": "octo-lab/kubevirt",
        "kubeconfigSecret": f"{name}-kubeconfig",
        "identity": {"clientId": f"client-of-{name}", "principalId": f"principal-of-{name}"},
        "tests": {"enabled": True, "reason": "", "scope": scope, "focus": "(l1hv-new || !l1hv-new)", **tests},
    }


def outputs() -> dict[str, Any]:
    """The outputs as a stack exports them."""
    network = f"{GROUP}/kubevirt-rg/providers/Microsoft.Network/virtualNetworks/kubevirt-vnet"
    return {
        "contractVersion": 1,
        "stack": "all",
        "region": "westus",
        "network": {
            "resourceId": network,
            "subnetResourceIds": {name: f"{network}/subnets/{name}" for name in ("runners", "dev", "test-kvm")},
            "addressSpace": "10.60.0.0/16",
            "subnetRanges": {"runners": "10.60.0.0/24", "dev": "10.60.1.0/24", "test-kvm": "10.60.16.0/22"},
            "egressAddress": "203.0.113.7",
        },
        "vault": {
            "name": "kubevirtkv",
            "resourceGroup": "kubevirt-rg",
            "resourceId": f"{GROUP}/kubevirt-rg/providers/Microsoft.KeyVault/vaults/kubevirtkv",
            "uri": "https://kubevirtkv.vault.azure.net/",
        },
        "workspaceId": f"{GROUP}/kubevirt-rg/providers/Microsoft.OperationalInsights/workspaces/kubevirt-logs",
        "identities": {
            "deploy": {
                "clientId": "client-of-deploy",
                "principalId": "principal-of-deploy",
                "subjects": {"classic": "repo:octo-lab/virt-ci:environment:deploy"},
            }
        },
        "roles": {"kubeconfigPublisher": f"{GROUP.rsplit('/', 1)[0]}/providers/Microsoft.Authorization/roleDefinitions/r"},
        "machines": [
            machine("kubevirt-gh-actions-runner-1", "kubevirt-rg", "10.60.0.4", "Standard_D4s_v5", "always-on"),
            machine(
                "kubevirt-dev-mshv-qemu-k3s-vm", "kubevirt-dev-mshv-qemu-k3s-rg", "10.60.1.4", "Standard_D8s_v5",
                "working-hours", "dev",
            ),
            machine(
                "kubevirt-test-mshv-vm-k3s", "kubevirt-test-mshv-vm-rg", "10.60.2.4", "Standard_D8s_v5", "on-demand",
                "test-mshv",
            ),
        ],
        "clusters": [
            {
                "name": "kubevirt-e2e-tests-aks",
                "environment": "test-kvm",
                "resourceGroup": "kubevirt-rg",
                "resourceId": f"{GROUP}/kubevirt-rg/providers/Microsoft.ContainerService/managedClusters/kubevirt-e2e-tests-aks",
                "privateFqdn": "kubevirt-e2e-tests-aks.privatelink.westus.azmk8s.io",
            }
        ],
        "environments": {
            "dev": environment(
                "dev", "kubevirt-dev-mshv-qemu-k3s-vm", "kubevirt-dev-mshv-qemu-k3s-rg", "mshv", "HyperVL1VH", "new",
                focus="((l1hv-new) && !sig-compute-migrations)",
            ),
            "test-mshv": environment(
                "test-mshv", "kubevirt-test-mshv-vm-k3s", "kubevirt-test-mshv-vm-rg", "mshv", "HyperVL1VH", "all",
                enabled=False, reason="/dev/mshv isn't supported on these machines yet",
            ),
            "test-kvm": environment("test-kvm", "kubevirt-e2e-tests-aks", "kubevirt-rg", "kvm", "off", "existing"),
        },
        "runnerLabels": ["self-hosted", "linux", "x64", "kubevirt-build"],
    }  # fmt: skip


def changed(path: str, value: Any, content: Any = None) -> Any:
    """The outputs with another value at a dotted path; `...` takes the key out."""
    content = outputs() if content is None else content
    head, _, rest = path.partition(".")
    key: Any = int(head) if isinstance(content, list) else head
    if rest:
        content[key] = changed(rest, value, content[key])
    elif value is ...:
        del content[key]
    else:
        content[key] = value
    return content
