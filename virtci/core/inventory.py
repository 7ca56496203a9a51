"""What a set of declared resources needs and costs, read from their properties.

Policies ask before a deployment, reports after it; both see resources as type token and plain properties. A
property that is not known yet is `UNKNOWN`; where the answer depends on it, `UndeterminedError` is raised, so that
nobody takes "not known" for "nothing".
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from virtci.core.lifetimes import SCHEDULES, Lifetime
from virtci.core.prices import Cost, compute_cost, disk_cost, fixed_cost, hours_per_month
from virtci.core.problems import Refusal
from virtci.core.quota import REGIONAL, Demand, machine_demand, pool_demand
from virtci.core.runners.clouds import UNIT_VCPUS, Cloud
from virtci.core.runners.sizes import hourly_usd
from virtci.core.runners.substrate import region_of_slot

UNKNOWN = object()
"""Stands for a value that is known only after the deployment."""

GROUP = "azure-native:resources:ResourceGroup"
MACHINE = "azure-native:compute:VirtualMachine"
DISK = "azure-native:compute:Disk"
CLUSTER = "azure-native:containerservice:ManagedCluster"
POOL = "azure-native:containerservice:AgentPool"
NAT_GATEWAY = "azure-native:network:NatGateway"
PUBLIC_ADDRESS = "azure-native:network:PublicIPAddress"
COMPUTE_KINDS = (MACHINE, CLUSTER, POOL)
INSTANCE = "aws:ec2/instance:Instance"
PROFILE = "aws:iam/instanceProfile:InstanceProfile"
AWS_NAT_GATEWAY = "aws:ec2/natGateway:NatGateway"
AWS_ADDRESS = "aws:ec2/eip:Eip"
AWS_ENDPOINT = "aws:ec2/vpcEndpoint:VpcEndpoint"
FREE = {
    "aws:ec2/internetGateway:InternetGateway",
    "aws:ec2/launchTemplate:LaunchTemplate",
    "aws:ec2/routeTable:RouteTable",
    "aws:ec2/routeTableAssociation:RouteTableAssociation",
    "aws:ec2/securityGroup:SecurityGroup",
    "aws:ec2/subnet:Subnet",
    "aws:ec2/vpc:Vpc",
    PROFILE,
    "aws:iam/openIdConnectProvider:OpenIdConnectProvider",
    "aws:iam/role:Role",
    "aws:iam/rolePolicy:RolePolicy",
    "aws:scheduler/schedule:Schedule",
    "aws:scheduler/scheduleGroup:ScheduleGroup",
    "aws:ssm/parameter:Parameter",
    "azure-native:authorization:RoleAssignment",
    "azure-native:authorization:RoleDefinition",
    "azure-native:compute:Gallery",
    "azure-native:compute:GalleryImage",
    "azure-native:consumption:Budget",
    "azure-native:devtestlab:GlobalSchedule",
    "azure-native:managedidentity:FederatedIdentityCredential",
    "azure-native:managedidentity:UserAssignedIdentity",
    "azure-native:monitor:DiagnosticSetting",
    "azure-native:network:NetworkInterface",
    "azure-native:network:NetworkSecurityGroup",
    "azure-native:network:Subnet",
    "azure-native:network:VirtualNetwork",
    GROUP,
    "azure-native:storage:BlobContainer",
    "azure-native:storage:BlobServiceProperties",
    "azure-native:storage:ManagementPolicy",
}
FREE_PACKAGES = ("github:", "kubernetes:", "pulumi:", "tls:")
SLOT_NAMES = {GROUP: "resourceGroupName", PROFILE: "name"}
"""The types of which a slot has one, and the property with the slot's name."""
USAGE_BILLED = {
    "azure-native:keyvault:Vault": "by operation",
    "azure-native:keyvault:Secret": "by operation",
    "azure-native:operationalinsights:Workspace": "by GB taken in",
    "azure-native:storage:StorageAccount": "by GB kept and by operation",
}


@dataclass(frozen=True, slots=True)
class Resource:
    """One declared resource: logical name, type token without API version, properties."""

    name: str
    kind: str
    properties: Mapping[str, Any]


class UndeterminedError(Exception):
    """A demand or cost that depends on a value that is missing or not known yet."""

    def __init__(self, resource: Resource, prop: str, why: str) -> None:
        super().__init__(f"{resource.name}: {prop} {why}")
        self.resource = resource
        self.prop = prop
        self.why = why


@dataclass(frozen=True, slots=True)
class Bill:
    """The monthly costs of a set of resources, and what is not in them."""

    costs: tuple[Cost, ...]
    by_usage: tuple[str, ...]
    unpriced: tuple[str, ...]


def plain_kind(token: str) -> str:
    """A type token without the API version that azure-native can put into it."""
    package, module, name = token.split(":")
    return f"{package}:{module.split('/')[0]}:{name}" if package == "azure-native" else token


def short_kind(token: str) -> str:
    """A type as people write it: `github:index/repositoryEnvironment:RepositoryEnvironment` names itself twice."""
    package, module, name = token.split(":") if token.count(":") == 2 else ("", "", token)
    if not package:
        return name
    module = module.split("/")[0]
    return f"{package}:{name}" if module == "index" else f"{package}:{module}:{name}"


def demands(resources: Iterable[Resource]) -> Iterator[Demand]:
    """The vCPU demand of every compute resource. Raises `UndeterminedError` or `Refusal`."""
    everything = list(resources)
    for resource in everything:
        yield from demands_of(resource, everything)


def demands_of(resource: Resource, everything: Sequence[Resource]) -> Iterator[Demand]:
    """The vCPU demand of one resource; the others of its stack say which region a pool is in."""
    if resource.kind == MACHINE:
        yield machine_demand(resource.name, _region(resource), _machine_size(resource))
    elif resource.kind == CLUSTER:
        for index, profile in _inline_pools(resource, everything):
            yield _pool_demand(resource, f"agentPoolProfiles[{index}].", profile, _region(resource))
    elif resource.kind == POOL:
        yield _pool_demand(resource, "", resource.properties, _region_of_pool(resource, everything))


def slot_demands(resources: Iterable[Resource]) -> Iterator[Demand]:
    """What the machines of all declared slots need at once, of the region's total: a unit each, whatever their sizes."""
    for resource in resources:
        named = SLOT_NAMES.get(resource.kind)
        region = region_of_slot(str(resource.properties.get(named))) if named else None
        if region:
            yield Demand(resource.name, region, REGIONAL, UNIT_VCPUS)


def bill(resources: Iterable[Resource]) -> Bill:
    """The monthly cost of every resource; what has no price is listed, never taken for free."""
    everything = list(resources)
    costs: list[Cost] = []
    by_usage: list[str] = []
    unpriced: list[str] = []
    for resource in everything:
        if resource.kind in USAGE_BILLED:
            by_usage.append(resource.name)
        elif resource.kind in PRICED:
            try:
                costs.extend(PRICED[resource.kind](resource, everything))
            except Refusal as refusal:
                unpriced.append(f"{resource.name}: {refusal.rule}")
            except UndeterminedError as error:
                unpriced.append(str(error))
        elif resource.kind not in FREE and not resource.kind.startswith(FREE_PACKAGES):
            unpriced.append(f"{resource.name}: {resource.kind} has no rule in virtci/core/inventory.py")
    return Bill(tuple(costs), tuple(by_usage), tuple(unpriced))


def lifetime_of(resource: Resource) -> Lifetime | None:
    """The lifetime class of a resource by its tag; nothing when it has none or one that is not a class."""
    tags = resource.properties.get("tags")
    value = tags.get("lifetime") if isinstance(tags, Mapping) else None
    return Lifetime(value) if value in set(Lifetime) else None


def _machine_costs(resource: Resource, _: list[Resource]) -> list[Cost]:
    lifetime = lifetime_of(resource) or Lifetime.ALWAYS_ON
    machine = compute_cost(resource.name, _region(resource), _machine_size(resource), lifetime)
    disk = _section(resource, _known(resource, "storageProfile"), "osDisk")
    if disk.get("createOption") == "Attach":  # a resource of its own
        return [machine]
    return [machine, disk_cost(f"{resource.name} disk", _number(resource, disk, "diskSizeGB", 32), lifetime)]


def _disk_costs(resource: Resource, _: list[Resource]) -> list[Cost]:
    lifetime = lifetime_of(resource) or Lifetime.ALWAYS_ON
    return [disk_cost(resource.name, int(_known(resource, "diskSizeGB")), lifetime)]


def _instance_costs(resource: Resource, _: list[Resource]) -> list[Cost]:
    lifetime = lifetime_of(resource) or Lifetime.ALWAYS_ON
    region, kind = str(_known(resource, "region")), str(_known(resource, "instanceType"))
    hourly = hourly_usd(Cloud.EC2, region, kind)
    hours = SCHEDULES[lifetime].expected_hours
    disk = _number(resource, _section(resource, resource.properties, "rootBlockDevice"), "volumeSize", 8)
    return [
        Cost(resource.name, lifetime, hourly * hours_per_month(), hourly * hours),
        fixed_cost(f"{resource.name} disk", "aws_gp3_per_gib", lifetime, disk),
    ]


def _endpoint_costs(resource: Resource, _: list[Resource]) -> list[Cost]:
    if resource.properties.get("vpcEndpointType") != "Gateway":
        raise UndeterminedError(resource, "vpcEndpointType", "is not Gateway, the only one without a price")
    return []


def _cluster_costs(resource: Resource, everything: list[Resource]) -> list[Cost]:
    private = _section(resource, resource.properties, "apiServerAccessProfile").get("enablePrivateCluster")
    costs = [fixed_cost(f"{resource.name} private endpoint", "private_endpoint")] if private else []
    if _section(resource, resource.properties, "sku").get("tier") != "Free":
        costs.append(fixed_cost(f"{resource.name} tier", "aks_standard_tier"))
    for _, profile in _inline_pools(resource, everything):
        costs += _pool_costs(resource, profile, _region(resource), always_on=True)
    return costs


def _agent_pool_costs(resource: Resource, everything: list[Resource]) -> list[Cost]:
    return _pool_costs(resource, resource.properties, _region_of_pool(resource, everything), always_on=False)


def _pool_costs(resource: Resource, profile: Mapping[str, Any], region: str, always_on: bool) -> list[Cost]:
    """A system pool runs all the time that its cluster does; an autoscaled one only above its minimum."""
    lifetime = Lifetime.ALWAYS_ON if always_on else lifetime_of(resource) or Lifetime.ALWAYS_ON
    demand = _pool(resource, "", profile)
    idle = _number(resource, profile, "minCount", 0) if profile.get("enableAutoScaling") is True else demand.count
    nodes = max(demand.count, demand.maximum or 0)
    name = _pool_name(profile)
    what = f"{resource.name} {name}" if name else resource.name
    costs = [compute_cost(what, region, demand.size, lifetime, nodes, min(idle, nodes))]
    if profile.get("osDiskType") != "Ephemeral":
        disk = disk_cost(f"{what} disks", _number(resource, profile, "osDiskSizeGB", 128), lifetime)
        costs.append(Cost(disk.what, disk.lifetime, disk.ceiling * nodes, disk.expected * min(nodes, max(idle, 1))))
    return costs


PRICED: dict[str, Callable[[Resource, list[Resource]], list[Cost]]] = {
    MACHINE: _machine_costs,
    DISK: _disk_costs,
    CLUSTER: _cluster_costs,
    POOL: _agent_pool_costs,
    NAT_GATEWAY: lambda resource, _: [fixed_cost(resource.name, "nat_gateway")],
    PUBLIC_ADDRESS: lambda resource, _: [fixed_cost(resource.name, "public_ip_standard_static")],
    INSTANCE: _instance_costs,
    AWS_NAT_GATEWAY: lambda resource, _: [fixed_cost(resource.name, "aws_nat_gateway")],
    AWS_ADDRESS: lambda resource, _: [fixed_cost(resource.name, "aws_public_address")],
    AWS_ENDPOINT: _endpoint_costs,
}


@dataclass(frozen=True, slots=True)
class _Pool:
    size: str
    count: int
    maximum: int | None


def _pool(resource: Resource, path: str, profile: Mapping[str, Any]) -> _Pool:
    """Size and bounds of a pool. A pool of fixed size has no maximum, even where that is not known yet."""
    found = {key: profile.get(key) for key in ("vmSize", "count", "maxCount")}
    if profile.get("enableAutoScaling") is False and found["maxCount"] is UNKNOWN:
        found["maxCount"] = None
    for key, value in found.items():
        if value is UNKNOWN or (value is None and key != "maxCount"):
            raise UndeterminedError(resource, f"{path}{key}", "is not known")
    maximum = found["maxCount"]
    return _Pool(str(found["vmSize"]), int(found["count"] or 0), None if maximum is None else int(maximum))


def _pool_demand(resource: Resource, path: str, profile: Mapping[str, Any], region: str) -> Demand:
    pool = _pool(resource, path, profile)
    surge = _section(resource, profile, "upgradeSettings").get("maxSurge")
    if surge is UNKNOWN:
        raise UndeterminedError(resource, f"{path}upgradeSettings.maxSurge", "is not known")
    return pool_demand(resource.name, region, pool.size, pool.count, pool.maximum, str(surge) if surge else None)


def _inline_pools(cluster: Resource, everything: Sequence[Resource]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The pools that only the cluster declares; once read back, it also lists those that are resources of their own."""
    alone = sum(item.kind == CLUSTER for item in everything) == 1
    separate = {_pool_name(item.properties) for item in everything if item.kind == POOL} - {""} if alone else set()
    for index, profile in enumerate(_known(cluster, "agentPoolProfiles")):
        if profile is UNKNOWN:
            raise UndeterminedError(cluster, f"agentPoolProfiles[{index}]", "is not known")
        if _pool_name(profile) not in separate:
            yield index, profile


def _pool_name(profile: Mapping[str, Any]) -> str:
    name = profile.get("agentPoolName") or profile.get("name")
    return name if isinstance(name, str) else ""


def _region_of_pool(pool: Resource, everything: Sequence[Resource]) -> str:
    """The region of the pool's cluster: of the one that it names, or of all clusters when they share one."""
    clusters = [item for item in everything if item.kind == CLUSTER]
    wanted = pool.properties.get("resourceName")
    named = [item for item in clusters if item.properties.get("resourceName") == wanted]
    regions = {_region(item) for item in named or clusters}
    if len(regions) != 1:
        raise UndeterminedError(pool, "resourceName", f"points to none of the {len(clusters)} clusters declared here")
    return regions.pop()


def _machine_size(resource: Resource) -> str:
    size = _section(resource, resource.properties, "hardwareProfile").get("vmSize")
    if size is None or size is UNKNOWN:
        raise UndeterminedError(resource, "hardwareProfile.vmSize", "is not known")
    return str(size)


def _region(resource: Resource) -> str:
    return str(_known(resource, "location")).replace(" ", "").lower()


def _known(resource: Resource, prop: str) -> Any:
    value = resource.properties.get(prop)
    if value is None or value is UNKNOWN:
        raise UndeterminedError(resource, prop, "is not known")
    return value


def _section(resource: Resource, properties: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """An object among the properties; empty when absent."""
    value = properties.get(key)
    if value is UNKNOWN:
        raise UndeterminedError(resource, key, "is not known")
    return value if isinstance(value, Mapping) else {}


def _number(resource: Resource, properties: Mapping[str, Any], key: str, default: int) -> int:
    value = properties.get(key)
    if value is UNKNOWN:
        raise UndeterminedError(resource, key, "is not known")
    return default if value is None else int(value)
