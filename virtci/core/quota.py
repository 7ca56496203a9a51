"""vCPU quota: what a fleet can need at once, held against both limits of a region.

Azure limits the vCPU of a VM family and the total of a region, and counts deallocated machines as well
(azure-compute-docs, articles/virtual-machines/quotas.md, 2026-01-16). Family names are compared without
regard to case, because the platform's own interfaces spell them differently.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from virtci.core.sizes import size

REGIONAL = "cores"


@dataclass(frozen=True, slots=True)
class Demand:
    """The vCPU that one resource can need at once; of the region's total alone where the family is `REGIONAL`."""

    what: str
    region: str
    family: str
    vcpus: int


@dataclass(frozen=True, slots=True)
class QuotaLine:
    """One limit and what is asked of it; `limit` is absent where nobody declared one."""

    region: str
    family: str
    needed: int
    reserve: int
    limit: int | None

    @property
    def exceeded(self) -> bool:
        """Whether the limit is missing or does not suffice."""
        return self.limit is None or self.needed + self.reserve > self.limit

    @property
    def missing(self) -> int:
        """By how many vCPU the limit falls short."""
        return max(0, self.needed + self.reserve - (self.limit or 0))


def machine_demand(what: str, region: str, size_name: str, count: int = 1) -> Demand:
    """The demand of machines of one size. Raises `Refusal` for an unknown size."""
    row = size(size_name)
    return Demand(what, region, row.family, row.vcpus * count)


def pool_demand(what: str, region: str, size_name: str, count: int, maximum: int | None, surge: str | None) -> Demand:
    """The demand of a node pool at its worst: the autoscaler's maximum in the middle of an upgrade.

    `surge` is a number of nodes or a share such as `33%`, which the service rounds up; absent means one node.
    """
    nodes = max(count, maximum or 0)
    return machine_demand(what, region, size_name, nodes + surge_nodes(nodes, surge))


def surge_nodes(nodes: int, surge: str | None) -> int:
    """How many extra nodes an upgrade starts; at least one, because an upgrade without surge cannot proceed."""
    if surge is None:
        return 1
    if surge.endswith("%"):
        return max(1, -(-nodes * int(surge[:-1]) // 100))
    return max(1, int(surge))


def held_against(demands: Iterable[Demand], limits: Mapping[str, int], reserve: int = 0) -> list[QuotaLine]:
    """Every limit that the demands touch, families first, then the region's total.

    The reserve is kept free in the total and in each family, for machines that come and go outside a stack.
    """
    known = {family.lower(): limit for family, limit in limits.items()}
    families: dict[tuple[str, str], int] = defaultdict(int)
    totals: dict[str, int] = defaultdict(int)
    spelling: dict[str, str] = {}
    for demand in demands:
        key = demand.family.lower()
        spelling.setdefault(key, demand.family)
        if demand.family != REGIONAL:
            families[demand.region, key] += demand.vcpus
        totals[demand.region] += demand.vcpus
    lines = [
        QuotaLine(region, spelling[family], needed, reserve, known.get(family))
        for (region, family), needed in sorted(families.items())
    ]
    lines += [
        QuotaLine(region, REGIONAL, needed, reserve, known.get(REGIONAL)) for region, needed in sorted(totals.items())
    ]
    return lines
