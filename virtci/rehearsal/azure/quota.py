"""vCPU quota at two levels: the family's and the region's. Machines that are deallocated count as well."""

from collections import Counter
from dataclasses import dataclass

from virtci.rehearsal.azure import tables
from virtci.rehearsal.azure.store import Record, Store
from virtci.rehearsal.bridge import Values
from virtci.rehearsal.journal import CloudError

MACHINES = "Microsoft.Compute/virtualMachines"
POOLS = "Microsoft.ContainerService/managedClusters/agentPools"
REGIONAL, SPOT = "cores", "lowPriorityCores"
_TITLES = {REGIONAL: "Total Regional Cores", SPOT: "LowPriorityCores"}


@dataclass(frozen=True, slots=True)
class Demand:
    """A number of machines of one size."""

    size: str
    count: int = 1
    spot: bool = False

    @property
    def cores(self) -> Counter[str]:
        """The vCPUs by quota name, in lower case; spot machines have a quota of their own."""
        entry = tables.size(self.size)
        if entry is None:
            return Counter()
        cores = int(entry["vcpus"]) * self.count
        names = (SPOT,) if self.spot else (str(entry["family"]), REGIONAL)
        return Counter({name.lower(): cores for name in names})


@dataclass(frozen=True, slots=True)
class Shortage:
    """One limit that a demand would exceed."""

    name: str
    region: str
    limit: int
    usage: int
    required: int

    @property
    def refusal(self) -> CloudError:
        """As the compute service words it."""
        text = (
            f"Operation could not be completed as it results in exceeding approved {_TITLES.get(self.name, self.name)}"
            f"{'' if self.name in _TITLES else ' Cores'} quota. Additional details - Deployment Model: Resource "
            f"Manager, Location: {self.region}, Current Limit: {self.limit}, Current Usage: {self.usage}, Additional "
            f"Required: {self.required}, (Minimum) New Limit Required: {self.usage + self.required}."
        )
        return CloudError(409, "OperationNotAllowed", text)

    @property
    def cluster_refusal(self) -> CloudError:
        """As AKS words it."""
        what = "regional vcpu quota" if self.name == REGIONAL else f"vcpu quota for family {self.name}"
        text = (
            f"Insufficient {what} left for location {self.region}. left {self.limit - self.usage}, requested quota "
            f"{self.required}. If you want to increase the quota, please follow this instruction: "
            "https://learn.microsoft.com/en-us/azure/quotas/view-quotas"
        )
        return CloudError(400, "ErrCode_InsufficientVCPUQuota", text)


def shortage(store: Store, region: str, demands: list[Demand], instead_of: str = "") -> Shortage | None:
    """The first limit that the demands would exceed; what they replace does not count twice."""
    usage = _usage(store, region, instead_of)
    wanted: Counter[str] = Counter()
    for demand in demands:
        wanted += demand.cores
    for name, limit in _limits(store, region).items():
        required, used = wanted[name.lower()], usage[name.lower()]
        if required and used + required > limit:
            return Shortage(name, region, limit, used, required)
    return None


def usages(store: Store, region: str) -> Values:
    """What `Microsoft.Compute/locations/<region>/usages` answers, for the limits that are known."""
    usage = _usage(store, region)
    rows = [
        {
            "unit": "Count",
            "currentValue": usage[name.lower()],
            "limit": limit,
            "name": {"value": name, "localizedValue": _TITLES.get(name, f"{name} vCPUs")},
        }
        for name, limit in _limits(store, region).items()
    ]
    return {"value": rows}


def _limits(store: Store, region: str) -> dict[str, int]:
    found = next((limits for key, limits in store.scenario.limits.items() if key.lower() == region.lower()), {})
    return dict(sorted(found.items()))


def _usage(store: Store, region: str, apart_from: str = "") -> Counter[str]:
    total: Counter[str] = Counter()
    for record in (*store.of_type(MACHINES), *store.of_type(POOLS)):
        if record.id.lower() != apart_from.lower() and _region(store, record) == region.lower():
            total += demand_of(record).cores
    return total


def _region(store: Store, record: Record) -> str:
    owner = store.get(record.id.rsplit("/", 2)[0]) if record.row.arm == POOLS else record
    return owner.location.lower() if owner else ""


def demand_of(record: Record) -> Demand:
    """What a machine or a node pool takes."""
    properties = record.properties
    if record.row.arm == POOLS:
        spot = properties.get("scaleSetPriority") == "Spot"
        return Demand(str(properties.get("vmSize")), int(properties.get("count", 1)), spot)
    size = str((properties.get("hardwareProfile") or {}).get("vmSize"))
    return Demand(size, 1, properties.get("priority") == "Spot")
