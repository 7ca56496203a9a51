"""Node pools, whether inside a cluster or resources of their own."""

from collections.abc import Iterator
from typing import Any

from policies.common import at, each
from virtci.core.inventory import CLUSTER, Resource


def pools_of(resource: Resource) -> Iterator[tuple[str, Any]]:
    """The pools that a resource declares, each with the path that leads to it."""
    if resource.kind == CLUSTER:
        for index, pool in enumerate(each(resource.properties, "agentPoolProfiles")):
            yield f"agentPoolProfiles[{index}].", pool
    else:
        yield "", resource.properties


def is_system(pool: Any) -> bool:
    """Whether a pool is for the cluster's own workloads."""
    return bool(at(pool, "mode") == "System")
