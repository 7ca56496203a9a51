"""What a month of a resource costs, from the dated table `virtci/data/prices.json` (USD, list prices)."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from virtci.core.lifetimes import SCHEDULES, Lifetime
from virtci.core.problems import Refusal
from virtci.core.tables import table

FixedPrice = Literal[
    "nat_gateway", "public_ip_standard_static", "aks_standard_tier", "private_endpoint",
    "premium_ssd_p4", "premium_ssd_p6", "premium_ssd_p10", "premium_ssd_p15", "premium_ssd_p20",
    "aws_nat_gateway", "aws_public_address", "aws_gp3_per_gib",
]  # fmt: skip
DISK_TIERS: tuple[tuple[int, FixedPrice], ...] = (
    (32, "premium_ssd_p4"),
    (64, "premium_ssd_p6"),
    (128, "premium_ssd_p10"),
    (256, "premium_ssd_p15"),
    (512, "premium_ssd_p20"),
)


@dataclass(frozen=True, slots=True)
class Cost:
    """The monthly cost of one resource in USD: the ceiling, what its lifetime class makes of it, and the class."""

    what: str
    lifetime: Lifetime
    ceiling: float
    expected: float


def hours_per_month() -> int:
    """The billing month of the price table."""
    return int(table("prices")["hours_per_month"])


def compute_cost(what: str, region: str, size_name: str, lifetime: Lifetime, count: int = 1, idle: int = 0) -> Cost:
    """The cost of machines of one size. `count` is the most that can run, `idle` what runs at all hours.

    Raises `Refusal` where the table has no price.
    """
    hourly = table("prices")["compute_hourly"].get(region, {}).get(size_name)
    if hourly is None:
        raise Refusal(
            f"{size_name} has a price in {region} in virtci/data/prices.json",
            "the cost of the machine would silently count as nothing",
            "add the price with its source and date, or choose a size that is offered there",
        )
    always = hours_per_month()
    expected = hourly * (idle * always + (count - idle) * SCHEDULES[lifetime].expected_hours)
    return Cost(what, lifetime, hourly * always * count, expected)


def fixed_cost(what: str, item: FixedPrice, lifetime: Lifetime = Lifetime.DURABLE, count: int = 1) -> Cost:
    """The cost of something that is billed for existing: a disk, an address, a gateway, a service tier."""
    monthly = float(table("prices")["fixed"][item]["monthly"]) * count
    return Cost(what, lifetime, monthly, monthly)


def disk_cost(what: str, gib: int, lifetime: Lifetime) -> Cost:
    """The cost of a premium disk, which is billed by the next larger tier even while its machine is parked."""
    for limit, item in DISK_TIERS:
        if gib <= limit:
            return fixed_cost(what, item, lifetime)
    raise Refusal(
        f"a disk of {gib} GiB has a tier in virtci/data/prices.json",
        "its cost would silently count as nothing",
        f"use at most {DISK_TIERS[-1][0]} GiB or add the tier with its source",
    )


def total(costs: Iterable[Cost]) -> tuple[float, float]:
    """The sums of ceilings and of expected costs, in USD a month."""
    items = list(costs)
    return sum(cost.ceiling for cost in items), sum(cost.expected for cost in items)
