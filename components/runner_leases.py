"""Where leases of on-demand runners are kept: with the records, or by a lease server in the cluster that is there."""

from typing import Any

import pulumi

from virtci.core.runners.boskos import EXPIRY, server_path
from virtci.settings.cluster_access import require_kubeconfig
from virtci.settings.runners import RunnerFleet


def declare_leases(runners: RunnerFleet) -> dict[str, Any]:
    """Declares the lease server where there is one, and returns what launchers need to know.

    Raises `ProblemsError` when the kubeconfig of its cluster cannot be used.
    """
    found: dict[str, Any] = {"store": runners.leases.store.value}
    if not (server := runners.leases.server):
        return found
    require_kubeconfig(server.cluster)
    from components.boskos import Boskos
    from components.cluster_provider import cluster_provider

    Boskos(
        "leases",
        {"image": server.image, "reaper_image": server.reaper_image, "pools": runners.pools, "expiry": EXPIRY},
        pulumi.ResourceOptions(providers=[cluster_provider(server.cluster)]),
    )
    return {**found, "cluster": server.cluster.value, "path": server_path()}
