"""Three fleets as the engine shows them: type token and properties, as a program declares them."""

from typing import Any

from virtci.core.inventory import CLUSTER, MACHINE, NAT_GATEWAY, POOL, PUBLIC_ADDRESS, Resource


def machine(name: str, size: Any, lifetime: str = "on-demand", gib: Any = 128, region: Any = "westus") -> Resource:
    return Resource(
        name,
        MACHINE,
        {
            "location": region,
            "hardwareProfile": {"vmSize": size},
            "storageProfile": {"osDisk": {"diskSizeGB": gib}},
            "tags": {"lifetime": lifetime},
        },
    )


def cluster(
    name: str, *profiles: dict[str, Any], tier: str = "Free", private: bool = True, region: Any = "westus"
) -> Resource:
    return Resource(
        name,
        CLUSTER,
        {
            "resourceName": name,
            "location": region,
            "sku": {"name": "Base", "tier": tier},
            "apiServerAccessProfile": {"enablePrivateCluster": private},
            "agentPoolProfiles": list(profiles),
            "tags": {"lifetime": "on-demand"},
        },
    )


def profile(name: str, size: Any, count: Any, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "vmSize": size,
        "count": count,
        "osDiskSizeGB": 128,
        "upgradeSettings": {"maxSurge": "1"},
        **more,
    }


def pool(name: str, of: Any, size: Any, count: Any, **more: Any) -> Resource:
    properties = profile(name, size, count, **more)
    return Resource(
        name,
        POOL,
        {"agentPoolName": properties.pop("name"), "resourceName": of, "tags": {"lifetime": "on-demand"}, **properties},
    )


HUB = [
    *(machine(f"runner-{number}", "Standard_D4s_v5", "always-on") for number in (1, 2, 3)),
    Resource("egress", NAT_GATEWAY, {}),
    Resource("egress-address", PUBLIC_ADDRESS, {}),
    Resource("vault", "azure-native:keyvault:Vault", {}),
    Resource("logs", "azure-native:operationalinsights:Workspace", {}),
    Resource("group", "azure-native:resources:ResourceGroup", {}),
    Resource("deploy", "github:index/repositoryEnvironment:RepositoryEnvironment", {}),
]
DEV = [machine("dev", "Standard_D8s_v5", "working-hours")]
TEST = [
    machine("test-mshv", "Standard_D8s_v5"),
    machine("test-emulation", "Standard_D64s_v5"),
    cluster("aks", profile("agentpool", "Standard_D4ds_v5", 2, osDiskType="Ephemeral", enableAutoScaling=False)),
    pool("workers", "aks", "Standard_D8s_v5", 1, enableAutoScaling=True, minCount=0, maxCount=2, osDiskType="Managed"),
]
