"""Sizes of on-demand machines on both clouds, and which capabilities each has.

The tables are `sizes.json`, `prices.json` and `aws-types.json` in `virtci/data`. A size that is not known to bring a hypervisor never gets a job that asks for one; that the hypervisor is there is proved
by the machine itself, before it is registered.
"""

from dataclasses import dataclass

from virtci.core import sizes as azure_sizes
from virtci.core.hypervisors import REQUIREMENTS, Hypervisor
from virtci.core.problems import Refusal, nearest
from virtci.core.runners.clouds import Capability, Cloud, units
from virtci.core.tables import table


@dataclass(frozen=True, kw_only=True, slots=True)
class MachineType:
    """A size of Azure or an instance type of AWS; `quota` is the name of the vCPU quota that it counts towards."""

    cloud: Cloud
    name: str
    vcpus: int
    memory_gib: float
    quota: str
    nested_virtualization: bool
    metal: bool

    @property
    def units(self) -> int:
        """How many units of a pool it takes."""
        return units(self.vcpus)

    def offers(self, capability: Capability) -> bool:
        """Whether a job that asks for the capability may run on it."""
        needed = REQUIREMENTS[Hypervisor.MSHV]
        return {
            Capability.NONE: True,
            Capability.EMULATION: True,
            Capability.KVM_NESTED: self.nested_virtualization or self.metal,
            Capability.KVM_METAL: self.metal,
            # Only Azure has hosts on which a guest is an L1VH root; its dom0 needs room beside the guests.
            Capability.MSHV: self.cloud is Cloud.AZURE
            and self.nested_virtualization
            and self.vcpus >= needed.minimum_vcpus
            and self.memory_gib >= needed.minimum_memory_gib,
        }[capability]


def machine_type(cloud: Cloud, name: str) -> MachineType:
    """The type of that name. Raises `Refusal` when the cloud's table has no such row."""
    if cloud is Cloud.AZURE:
        size = azure_sizes.size(name)
        return MachineType(
            cloud=cloud,
            name=name,
            vcpus=size.vcpus,
            memory_gib=size.memory_gib,
            quota=size.family,
            nested_virtualization=size.nested_virtualization,
            metal=False,
        )
    rows = table("aws-types")["types"]
    if name not in rows:
        raise Refusal(
            "an instance type has a row in virtci/data/aws-types.json",
            "its vCPU, its hypervisor and its price are unknown",
            nearest(name, rows),
        )
    row = rows[name]
    return MachineType(
        cloud=cloud,
        name=name,
        vcpus=row["vcpus"],
        memory_gib=row["memory_gib"],
        quota=row["quota"],
        nested_virtualization=row["nested_virtualization"],
        metal=row["metal"],
    )


def hourly_usd(cloud: Cloud, region: str, name: str) -> float:
    """List price of an hour on demand. Raises `Refusal` where the tables have none.

    A region of AWS that the table does not have is priced like another one, as the table says: an estimate.
    """
    if cloud is Cloud.AZURE:
        found = table("prices")["compute_hourly"].get(region, {}).get(name)
    else:
        known = table("aws-types")
        found = known["types"].get(name, {}).get("hourly", {}).get(known["priced_as"].get(region))
    if found is None:
        raise Refusal(
            f"{name} has a price in {region}",
            "what the machine costs would silently count as nothing",
            "choose a region and a type of virtci/data, or add the price with its source and date",
        )
    return float(found)
