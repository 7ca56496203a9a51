"""VM sizes: how many vCPU, of which quota family, and whether a hypervisor can run inside."""

from dataclasses import dataclass

from virtci.core.problems import Refusal, nearest
from virtci.core.tables import table


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """One row of `virtci/data/sizes.json`."""

    name: str
    family: str
    vcpus: int
    memory_gib: float
    nested_virtualization: bool
    accelerated_networking: bool
    ephemeral_os_disk: bool
    max_nics: int


def size(name: str) -> Size:
    """The size of that name. Raises `Refusal` when the table has no such row."""
    rows = table("sizes")["sizes"]
    if name not in rows:
        raise Refusal(
            "a size has a row in virtci/data/sizes.json",
            "its vCPU, quota family and price are unknown, so neither quota nor cost can be checked",
            nearest(name, rows),
        )
    return Size(name=name, **rows[name])


def is_offered(name: str, region: str) -> bool:
    """Whether the price table has the size in the region; a size without a price counts as not offered."""
    return name in table("prices")["compute_hourly"].get(region, {})


def regions_of(name: str) -> list[str]:
    """The regions whose price table has the size."""
    return sorted(region for region, sizes in table("prices")["compute_hourly"].items() if name in sizes)


def regions() -> list[str]:
    """The regions that the price table covers."""
    return sorted(table("prices")["compute_hourly"])
