"""All hooks by name, as the table of resource types refers to them."""

from virtci.rehearsal.azure import (
    authorization,
    compute,
    containers,
    disks,
    galleries,
    identity,
    management,
    network,
    pools,
    storage,
    vault,
)
from virtci.rehearsal.azure.resource_types import ResourceType
from virtci.rehearsal.azure.store import Hooks

HOOKS: dict[str, Hooks] = {
    **authorization.HOOKS,
    **compute.HOOKS,
    **containers.HOOKS,
    **disks.HOOKS,
    **galleries.HOOKS,
    **identity.HOOKS,
    **management.HOOKS,
    **network.HOOKS,
    **pools.HOOKS,
    **storage.HOOKS,
    **vault.HOOKS,
}


def hooks_of(row: ResourceType) -> Hooks:
    """What a type does beyond the generic rules."""
    return HOOKS.get(row.hooks, Hooks())
