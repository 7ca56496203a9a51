"""Node pools of AKS clusters, inline and separate ones alike."""

import re

from virtci.rehearsal.azure import compute, errors, quota
from virtci.rehearsal.azure.catalogue import BY_ARM
from virtci.rehearsal.azure.store import Hooks, Record, Store, Write, at
from virtci.rehearsal.bridge import Values
from virtci.rehearsal.journal import CloudError

DEFAULT_VERSION = "1.33.5"
MOST_NODES = 1000
IMMUTABLE = ("vmSize", "osType", "osDiskType", "osDiskSizeGB", "vnetSubnetID", "maxPods", "scaleSetPriority")
_NAME = BY_ARM[quota.POOLS.lower()].name


def invalid(message: str) -> CloudError:
    """A parameter that AKS refuses."""
    return errors.bad("InvalidParameter", message)


def refuse_unless_ready(cluster: Record) -> None:
    """AKS does one thing at a time to a cluster; a failed one may be repaired."""
    if cluster.state not in ("Succeeded", "Failed"):
        text = (
            f"Operation is not allowed: Another operation ({cluster.state}) is in progress, please wait for it to "
            "finish before starting a new operation. See https://aka.ms/aks-pending-operation for more details"
        )
        raise errors.conflict("OperationNotAllowed", text)


def refuse_while_stopped(cluster: Record) -> None:
    """A stopped cluster can be started or deleted, and nothing else."""
    if at(cluster.properties, "powerState.code") == "Stopped":
        text = f"Operation is not allowed: the managed cluster '{cluster.name}' is stopped; start it first."
        raise errors.conflict("OperationNotAllowed", text)


def minor(version: object) -> tuple[int, int]:
    """The part of a Kubernetes version that upgrades go by."""
    major, _, rest = str(version).partition(".")
    return int(major), int(rest.partition(".")[0] or 0)


def _check_version(asked: Values, cluster: Record) -> None:
    """Nodes may be older than their control plane, never newer."""
    version, control_plane = asked.get("orchestratorVersion"), cluster.properties.get("kubernetesVersion")
    if version and control_plane and minor(version) > minor(control_plane):
        text = (
            f"Node pool version {version} and control plane version {control_plane} are incompatible. Minor version of "
            "node pool version cannot be bigger than control plane version."
        )
        raise errors.bad("NodePoolMcVersionIncompatible", text)


def check_immutable(asked: Values, old: Record, paths: tuple[str, ...]) -> None:
    """Refuses changes that AKS never makes; giving a default by name is no change."""
    for path in paths:
        after = at(asked, path)
        if after is not None and after not in (at(old.asked.get("properties"), path), at(old.properties, path)):
            text = f"Changing property 'properties.{path}' is not allowed."
            raise errors.bad("PropertyChangeNotAllowed", text)


def _check_agent_pool(write: Write) -> None:
    cluster = write.store.get(write.address.parent)
    if cluster is None:
        raise errors.parent_not_found(write.address.parent)
    refuse_unless_ready(cluster)
    refuse_while_stopped(cluster)
    if write.old:
        check_immutable(write.properties, write.old, IMMUTABLE)
    _check_version(write.properties, cluster)
    check_pool(write.address.name, write.properties, cluster.location)
    if write.old and write.properties.get("mode") == "User":
        _refuse_last_system_pool(write.store, write.old)
    demand = quota.Demand(
        str(write.properties.get("vmSize")),
        int(write.properties.get("count") or 1),
        write.properties.get("scaleSetPriority") == "Spot",
    )
    short = quota.shortage(write.store, cluster.location, [demand], instead_of=write.address.id)
    if short:
        raise short.cluster_refusal


def check_pool(name: str, pool: Values, region: str) -> None:
    """The rules for one pool: name, size, counts."""
    if not re.fullmatch(_NAME.pattern, name):
        raise invalid(f"The agent pool name '{name}' is not valid. {_NAME.text}")
    if not pool.get("vmSize"):
        raise invalid(f"Required parameter vmSize of agent pool '{name}' is missing (null).")
    compute.check_size(str(pool["vmSize"]), region)
    _check_counts(name, pool)


def _check_counts(name: str, pool: Values) -> None:
    least = 1 if pool.get("mode") == "System" else 0
    count, low, high = pool.get("count"), pool.get("minCount"), pool.get("maxCount")
    if not pool.get("enableAutoScaling"):
        if low is not None or high is not None:
            raise invalid(f"Agent pool '{name}' has minCount or maxCount, but enableAutoScaling is not set.")
        if count is not None and not least <= int(count) <= MOST_NODES:
            raise invalid(f"The count {count} of agent pool '{name}' must be between {least} and {MOST_NODES}.")
        return
    if low is None or high is None:
        raise invalid(f"Agent pool '{name}' has enableAutoScaling set; it needs minCount and maxCount.")
    if not least <= int(low) <= int(high) <= MOST_NODES:
        limits = f"between {least} and {MOST_NODES}, in that order"
        raise invalid(f"minCount {low} and maxCount {high} of agent pool '{name}' must be {limits}.")
    if count is not None and not int(low) <= int(count) <= int(high):
        raise invalid(f"The count {count} of agent pool '{name}' is not between minCount {low} and maxCount {high}.")


def complete(store: Store, record: Record, old: Record | None = None) -> None:
    """Fills in what the service chooses; a pool that is there keeps its version unless another one is asked for."""
    if old:
        record.properties.setdefault("orchestratorVersion", old.properties["orchestratorVersion"])
    cluster = store.get(record.id.rsplit("/", 2)[0])
    properties = record.properties
    version = (cluster.properties.get("kubernetesVersion") if cluster else None) or DEFAULT_VERSION
    version = str(properties.get("orchestratorVersion") or version)
    properties.setdefault("count", properties.get("minCount", 1))
    properties.setdefault("mode", "User")
    properties.setdefault("type", "VirtualMachineScaleSets")
    properties.setdefault("osType", "Linux")
    properties.setdefault("orchestratorVersion", version)
    properties |= {"currentOrchestratorVersion": version, "powerState": {"code": "Running"}}


def _refuse_last_system_pool(store: Store, record: Record) -> None:
    pools = store.of_type(quota.POOLS, record.id.rsplit("/", 2)[0])
    others = [item for item in pools if item.id != record.id and item.properties.get("mode") == "System"]
    if record.properties.get("mode") == "System" and not others:
        raise invalid(f"Agent pool '{record.name}' is the only one of mode 'System'; there must be at least one.")


def _refuse_deletion(store: Store, record: Record) -> None:
    cluster = store.get(record.id.rsplit("/", 2)[0])
    if cluster is not None:
        refuse_unless_ready(cluster)
    _refuse_last_system_pool(store, record)


HOOKS = {
    "agent_pool": Hooks(
        check=_check_agent_pool,
        complete=lambda write, record: complete(write.store, record, write.old),
        before_delete=_refuse_deletion,
    ),
}
