"""Names: the platform takes every one of them."""

import re
from collections.abc import Iterator
from typing import Any

from pulumi_policy import Severity

from policies import kinds
from policies.common import Fault, Settings, at, each, is_around_a_disk, resource_policy, shown
from virtci.core.inventory import UNKNOWN, Resource
from virtci.core.names import Kind, named
from virtci.core.problems import Refusal

NAMES: dict[str, tuple[tuple[str, Kind], ...]] = {
    kinds.GROUP: (("resourceGroupName", "resource_group"),),
    kinds.WORKSPACE: (("workspaceName", "workspace"),),
    kinds.NETWORK: (("virtualNetworkName", "virtual_network"),),
    kinds.SECURITY_GROUP: (("networkSecurityGroupName", "network_security_group"),),
    kinds.INTERFACE: (("networkInterfaceName", "network_interface"),),
    kinds.NAT_GATEWAY: (("natGatewayName", "nat_gateway"),),
    kinds.PUBLIC_ADDRESS: (("publicIpAddressName", "public_ip"),),
    kinds.VAULT: (("vaultName", "key_vault"),),
    kinds.SECRET: (("secretName", "secret"),),
    kinds.MACHINE: (
        ("vmName", "virtual_machine"), ("osProfile.computerName", "virtual_machine"), ("storageProfile.osDisk.name", "disk"),
    ),
    kinds.DISK: (("diskName", "disk"),),
    kinds.IDENTITY: (("resourceName", "identity"),),
    kinds.CREDENTIAL: (("federatedIdentityCredentialResourceName", "federated_credential"),),
    kinds.CLUSTER: (("resourceName", "managed_cluster"),),
    kinds.POOL: (("agentPoolName", "agent_pool"),),
    kinds.ROLE: (("roleName", "role"),),
    kinds.STORAGE_ACCOUNT: (("accountName", "storage_account"),),
    kinds.BLOB_CONTAINER: (("containerName", "blob_container"),),
    kinds.GALLERY: (("galleryName", "gallery"),),
    kinds.GALLERY_IMAGE: (("galleryImageName", "gallery_image"),),
    kinds.BUDGET: (("budgetName", "budget"),),
    kinds.GITHUB_ENVIRONMENT: (("environment", "github_environment"),),
    kinds.GITHUB_VARIABLE: (("variableName", "github_variable"),),
    kinds.GITHUB_SECRET: (("secretName", "github_variable"),),
}  # fmt: skip
ON_THE_DISK = ("osProfile.computerName", "storageProfile.osDisk.name")
DNS_PREFIX = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,52}[A-Za-z0-9])?")
INSIDE: dict[str, tuple[str, Kind]] = {
    kinds.NETWORK: ("subnets", "subnet"),
    kinds.CLUSTER: ("agentPoolProfiles", "agent_pool"),
}


def faults(resource: Resource, _: Settings) -> Iterator[Fault]:
    """Protects from a deployment that the platform refuses half-way, and from names that the provider makes up.

    A machine around a disk that exists names neither the disk nor, in a profile that it must not have, itself.
    """
    brought = is_around_a_disk(resource.properties)
    for path, kind in NAMES[resource.kind]:
        if not (brought and path in ON_THE_DISK):
            yield from _judge(path, kind, at(resource.properties, path))
    path, kind = INSIDE.get(resource.kind, ("", "subnet"))
    for index, item in enumerate(each(resource.properties, path) if path else []):
        yield from _judge(f"{path}[{index}].name", kind, at(item, "name"))
    prefix = at(resource.properties, "dnsPrefix")
    if resource.kind == kinds.CLUSTER and not DNS_PREFIX.fullmatch(str(prefix)):
        fix = "take the name of the cluster"
        yield Fault(f"dnsPrefix is {shown(prefix)}", "1 to 54 letters, digits and inner hyphens", fix)


def _judge(path: str, kind: Kind, name: Any) -> Iterator[Fault]:
    if not isinstance(name, str):
        observed = shown(UNKNOWN if name is UNKNOWN else None)
        yield Fault(f"{path} is {observed}", "names are declared", "take the name from the stack file")
        return
    try:
        named(kind, name)
    except Refusal as refusal:
        yield Fault(f"{path} is {shown(name)}", refusal.rule, refusal.fix)


POLICY = resource_policy(
    "names-legal",
    "Names are declared and legal on their platform.",
    tuple(NAMES),
    faults,
    Severity.MEDIUM,
    covers=(
        "Azure.Group.Name", "Azure.VM.Name", "Azure.VM.ComputerName", "Azure.VM.DiskName", "Azure.NIC.Name", "Azure.NSG.Name",
        "Azure.VNET.Name", "Azure.VNET.SubnetName", "Azure.PublicIP.Name", "Azure.AKS.Name", "Azure.AKS.DNSPrefix",
        "Azure.KeyVault.Name", "Azure.KeyVault.SecretName", "Azure.Identity.UserAssignedName", "Azure.Storage.Name",
        "CKV_AZURE_43",
    ),
)  # fmt: skip
