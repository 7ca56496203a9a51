"""Clusters: workers scale between bounds, system nodes never go to none."""

from collections.abc import Iterator
from typing import Any

from pulumi_policy import Severity

from policies.common import Fault, Settings, at, resource_policy, shown
from policies.pools import is_system, pools_of
from virtci.core.inventory import CLUSTER, POOL, Resource


def faults(resource: Resource, settings: Settings) -> Iterator[Fault]:
    """Protects from pools that grow without end, and from idle workers that are paid for at night."""
    for where, pool in pools_of(resource):
        scales, most = at(pool, "enableAutoScaling"), int(settings["maximumNodes"])
        low, count, high = (at(pool, key) for key in ("minCount", "count", "maxCount"))
        if scales is True:
            numbers = isinstance(low, int) and isinstance(high, int)
            if not numbers or not 0 <= low <= high <= most:
                yield _fault(where, low, count, high, f"0 <= minCount <= maxCount <= {most}")
        elif scales is not False or not isinstance(count, int) or count > most:
            yield _fault(where, low, count, high, f"it scales, or has at most {most} nodes")
        elif not is_system(pool):
            fix = "set minimum and maximum of the pool in the stack file"
            yield Fault(f"{where}enableAutoScaling is false", "worker pools scale", fix)
        least = low if scales is True else count
        if is_system(pool) and not (isinstance(least, int) and least >= int(settings["systemNodes"])):
            yield _fault(where, low, count, high, f"a system pool keeps {settings['systemNodes']} nodes or more")


def _fault(where: str, low: Any, count: Any, high: Any, rule: str) -> Fault:
    observed = f"{where}minCount is {shown(low)}, count {shown(count)}, maxCount {shown(high)}"
    return Fault(observed, rule, "correct the bounds of the pool in the stack file")


POLICY = resource_policy(
    "aks-autoscaling-bounds",
    "Worker pools scale between bounds; system pools are never empty.",
    (CLUSTER, POOL),
    faults,
    Severity.MEDIUM,
    settings={"maximumNodes": {"type": "number", "default": 10}, "systemNodes": {"type": "number", "default": 1}},
)
