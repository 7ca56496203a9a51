"""The managed Kubernetes cluster of an environment."""

import base64
from collections.abc import Mapping
from typing import NotRequired, TypedDict

import pulumi
from pulumi_azure_native import containerservice, monitor

from components.base import Component
from virtci.core.names import named
from virtci.core.networks import AKS_DNS_ADDRESS, AKS_POD_RANGE, AKS_SERVICE_RANGE
from virtci.core.sizes import size

MAXIMUM_PODS = 110
SYSTEM_TAINT = "CriticalAddonsOnly=true:NoSchedule"
LOG_CATEGORIES = ("kube-apiserver", "kube-audit-admin", "guard", "cluster-autoscaler")


class PoolArgs(TypedDict):
    """One node pool. None of these may be an Output."""

    name: str
    size: str
    count: int
    minimum: NotRequired[int | None]
    """Least nodes of the autoscaler. Default: fixed size."""
    maximum: NotRequired[int | None]
    """Most nodes of the autoscaler. Default: fixed size."""
    surge: str
    """Extra nodes during an upgrade."""
    os_disk_gib: int


class ClusterArgs(TypedDict):
    """Arguments of `Cluster`."""

    cluster_name: str
    """Name in Azure. Must not be an Output."""
    resource_group_name: pulumi.Input[str]
    location: pulumi.Input[str]
    tags: Mapping[str, str]
    tenant_id: pulumi.Input[str]
    kubernetes_version: str
    system_pool: PoolArgs
    worker_pool: PoolArgs
    subnet_id: pulumi.Input[str]
    identity_id: pulumi.Input[str]
    """User-assigned identity of the control plane; it may use the subnet."""
    workspace_id: pulumi.Input[str]
    """Log workspace for the control plane's logs."""
    protect: bool
    """Refuse to delete the cluster."""


class Cluster(Component):
    """An AKS cluster whose API has no public address.

    Resources: a `ManagedCluster` with its system pool; an `AgentPool` for workers, apart from the cluster, because
    the service ignores changes of inline pools; a `DiagnosticSetting` for the control plane's logs.

    Refuses: local accounts (Entra identities with Azure RBAC only), a public API, run-command, public node
    addresses, workloads on system nodes. The pools inside `ManagedCluster` are ignored after creation: another size
    of the system pool needs a new cluster.
    """

    TYPE = "virt-ci:cluster:Cluster"
    ARGUMENTS = ClusterArgs

    name: pulumi.Output[str]
    """Name in Azure."""
    resource_id: pulumi.Output[str]
    """ARM id."""
    private_fqdn: pulumi.Output[str]
    """Name of the API inside the network."""
    kubeconfig: pulumi.Output[str]
    """Kubeconfig that holds no credential: it asks Entra for a token. A secret all the same."""

    def __init__(self, name: str, args: ClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)
        cluster = self._managed_cluster(args)
        workers = self._workers(args, cluster)
        monitor.DiagnosticSetting(
            self.child_name("logs"),
            name="control-plane",
            resource_uri=cluster.id,
            workspace_id=args["workspace_id"],
            logs=[{"category": category, "enabled": True} for category in LOG_CATEGORIES],
            metrics=[{"category": "AllMetrics", "enabled": True}],
            opts=self.options(),
        )
        self.name = cluster.name
        self.resource_id = cluster.id
        self.private_fqdn = cluster.private_fqdn
        self.kubeconfig = self._kubeconfig(args, cluster, workers)
        self.register_outputs(
            {
                "name": self.name,
                "resource_id": self.resource_id,
                "private_fqdn": self.private_fqdn,
                "kubeconfig": self.kubeconfig,
            }
        )

    def _managed_cluster(self, args: ClusterArgs) -> containerservice.ManagedCluster:
        return containerservice.ManagedCluster(
            self.child_name(),
            resource_name_=args["cluster_name"],
            resource_group_name=args["resource_group_name"],
            location=args["location"],
            tags=args["tags"],
            sku={"name": "Base", "tier": "Free"},
            identity={"type": "UserAssigned", "user_assigned_identities": [args["identity_id"]]},
            dns_prefix=args["cluster_name"],
            kubernetes_version=args["kubernetes_version"],
            enable_rbac=True,
            disable_local_accounts=True,
            aad_profile={"managed": True, "enable_azure_rbac": True, "tenant_id": args["tenant_id"]},
            api_server_access_profile={
                "enable_private_cluster": True,
                "enable_private_cluster_public_fqdn": False,
                "private_dns_zone": "system",
                "disable_run_command": True,
            },
            auto_upgrade_profile={"node_os_upgrade_channel": "NodeImage", "upgrade_channel": "patch"},
            oidc_issuer_profile={"enabled": True},
            security_profile={
                "image_cleaner": {"enabled": True, "interval_hours": 168},
                "workload_identity": {"enabled": True},
            },
            network_profile={
                "network_plugin": "azure",
                "network_plugin_mode": "overlay",
                "network_policy": "calico",
                "outbound_type": "userAssignedNATGateway",
                "load_balancer_sku": "standard",
                "pod_cidr": str(AKS_POD_RANGE),
                "service_cidr": str(AKS_SERVICE_RANGE),
                "dns_service_ip": str(AKS_DNS_ADDRESS),
            },
            agent_pool_profiles=[
                {
                    **pool(args["system_pool"], args),
                    "name": named("agent_pool", args["system_pool"]["name"]),
                    "mode": "System",
                    "node_taints": [SYSTEM_TAINT],
                }
            ],
            opts=self.options(protect=args["protect"], ignore_changes=["agentPoolProfiles"]),
        )

    def _workers(self, args: ClusterArgs, cluster: containerservice.ManagedCluster) -> containerservice.AgentPool:
        return containerservice.AgentPool(
            self.child_name("workers"),
            agent_pool_name=named("agent_pool", args["worker_pool"]["name"]),
            resource_name_=cluster.name,
            resource_group_name=args["resource_group_name"],
            mode="User",
            scale_down_mode="Delete",
            **pool(args["worker_pool"], args),
            # The autoscaler counts, upgrades go pool by pool, and a cluster is parked: none of it by the program.
            opts=self.options(ignore_changes=["count", "orchestratorVersion", "powerState"]),
        )

    def _kubeconfig(
        self, args: ClusterArgs, cluster: containerservice.ManagedCluster, workers: pulumi.Resource
    ) -> pulumi.Output[str]:
        found = containerservice.list_managed_cluster_user_credentials_output(
            resource_group_name=args["resource_group_name"],
            resource_name=cluster.name,
            opts=pulumi.InvokeOutputOptions(parent=self, depends_on=[cluster, workers]),
        )
        return pulumi.Output.secret(found.apply(lambda result: first_kubeconfig(result.kubeconfigs)))


def pool(settings: PoolArgs, args: ClusterArgs) -> containerservice.ManagedClusterAgentPoolProfileArgsDict:
    """What an inline pool and a pool of its own have in common."""
    row = size(settings["size"])
    minimum, maximum = settings.get("minimum"), settings.get("maximum")
    autoscaled: containerservice.ManagedClusterAgentPoolProfileArgsDict = (
        {"enable_auto_scaling": True, "min_count": minimum, "max_count": maximum}
        if maximum is not None
        else {"enable_auto_scaling": False}
    )
    return {
        "vm_size": settings["size"],
        "count": settings["count"],
        **autoscaled,
        "max_pods": MAXIMUM_PODS,
        "os_type": "Linux",
        "os_sku": "Ubuntu",
        "os_disk_size_gb": settings["os_disk_gib"],
        "os_disk_type": "Ephemeral" if row.ephemeral_os_disk else "Managed",
        "type": "VirtualMachineScaleSets",
        "vnet_subnet_id": args["subnet_id"],
        "enable_node_public_ip": False,
        "upgrade_settings": {"max_surge": settings["surge"]},
        "tags": args["tags"],
    }


def first_kubeconfig(found: list[containerservice.outputs.CredentialResultResponse] | None) -> str:
    """The text of the first kubeconfig; the service sends it in base64."""
    return base64.b64decode(found[0].value).decode() if found else ""
