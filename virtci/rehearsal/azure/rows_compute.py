"""Rows of the compute and container services.

Durations are typical ones seen in deployments, in simulated seconds. What a change replaces follows the
force-new list of the azure-native provider (provider/pkg/gen/replacement.go).
"""

from virtci.rehearsal.azure.resource_types import GROUP, NameRule, ResourceType, Seconds

COMPUTE = f"{GROUP}/providers/Microsoft.Compute"
CLUSTER = f"{GROUP}/providers/Microsoft.ContainerService/managedClusters/{{resourceName}}"
FIXED_CLUSTER_NETWORK = (
    "dnsServiceIP",
    "networkDataplane",
    "networkMode",
    "networkPlugin",
    "networkPluginMode",
    "networkPolicy",
    "outboundType",
    "podCidr",
    "serviceCidr",
    "serviceCidrs",
)

ROWS: tuple[ResourceType, ...] = (
    ResourceType(
        kind="azure-native:compute:VirtualMachine",
        path=f"{COMPUTE}/virtualMachines/{{vmName}}",
        module="azure.mgmt.compute.models",
        model="VirtualMachine",
        name=NameRule(
            r"[A-Za-z0-9]([A-Za-z0-9._-]{0,62}[A-Za-z0-9_])?",
            "A Linux virtual machine's name must be 1-64 letters, digits, periods and hyphens.",
            "InvalidParameter",
        ),
        seconds=Seconds(60, 20, 45),
        hooks="virtual_machine",
    ),
    ResourceType(
        kind="azure-native:compute:Disk",
        path=f"{COMPUTE}/disks/{{diskName}}",
        module="azure.mgmt.compute.models",
        model="Disk",
        name=NameRule(r"[A-Za-z0-9_.-]{1,80}", "It must be 1-80 letters, digits, '.', '_' and '-'."),
        seconds=Seconds(3, 3, 3),
        hooks="disk",
    ),
    ResourceType(
        kind="",
        path=f"{COMPUTE}/snapshots/{{snapshotName}}",
        module="azure.mgmt.compute.models",
        model="Snapshot",
        name=NameRule(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}", "It must be 1-80 letters, digits, '.', '_' and '-'."),
        seconds=Seconds(8, 3, 3),
        hooks="snapshot",
    ),
    ResourceType(
        kind="azure-native:containerservice:ManagedCluster",
        path=CLUSTER,
        module="azure.mgmt.containerservice.models",
        model="ManagedCluster",
        name=NameRule(
            r"[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?",
            "It must be 1-63 letters, digits, hyphens and underscores, and begin and end with a letter or digit.",
            "InvalidParameter",
        ),
        replaced=(
            "diskEncryptionSetID",
            "dnsPrefix",
            "fqdnSubdomain",
            "linuxProfile",
            "nodeResourceGroup",
            "windowsProfile",
            *(f"networkProfile.{name}" for name in FIXED_CLUSTER_NETWORK),
        ),
        seconds=Seconds(300, 180, 240),
        hooks="cluster",
    ),
    ResourceType(
        kind="azure-native:containerservice:AgentPool",
        path=f"{CLUSTER}/agentPools/{{agentPoolName}}",
        module="azure.mgmt.containerservice.models",
        model="AgentPool",
        name=NameRule(
            r"[a-z][a-z0-9]{0,11}",
            "Agent pool names must be 1-12 lowercase letters and digits, and begin with a letter.",
            "InvalidParameter",
        ),
        replaced=("gpuInstanceProfile", "networkProfile.nodePublicIPTags", "vmSize"),
        seconds=Seconds(150, 90, 120),
        hooks="agent_pool",
    ),
)
