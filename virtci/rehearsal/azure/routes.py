"""Paths that are no resources, and actions on resources."""

import re
from collections.abc import Callable
from functools import partial
from typing import Any

from virtci.rehearsal.azure import compute, containers, quota, tables, vault
from virtci.rehearsal.azure.store import Record, Store
from virtci.rehearsal.bridge import Values

_DELETED = r"/providers/Microsoft\.KeyVault/locations/([^/]+)/deletedVaults/([^/]+)"
_MACHINE = r"/(resourceGroups/[^/]+/providers/Microsoft\.Compute/virtualMachines/[^/]+)"


def subscription(store: Store) -> Values:
    """The subscription itself."""
    own = store.scenario.subscription
    return {"id": f"/subscriptions/{own}", "subscriptionId": own, "tenantId": store.scenario.tenant, "state": "Enabled"}


def skus(_: Store) -> Values:
    """The sizes that each region offers, as `Microsoft.Compute/skus` lists them."""
    return {
        "value": [
            _sku(name, entry, region)
            for region in sorted(tables.regions())
            for name, entry in sorted(tables.sizes().items())
            if tables.offers(region, name)
        ]
    }


def _sku(name: str, entry: dict[str, Any], region: str) -> Values:
    keys = {"vCPUs": "vcpus", "MemoryGB": "memory_gib", "MaxNetworkInterfaces": "max_nics"}
    return {
        "resourceType": "virtualMachines",
        "name": name,
        "family": entry["family"],
        "locations": [region],
        "capabilities": [{"name": title, "value": str(entry[key])} for title, key in keys.items() if key in entry],
        "restrictions": [],
    }


_SPECIAL: tuple[tuple[str, str, Callable[..., Values]], ...] = (
    ("GET", "", subscription),
    ("GET", r"/providers/Microsoft\.Compute/locations/([^/]+)/usages", quota.usages),
    ("GET", r"/providers/Microsoft\.Compute/skus", skus),
    ("GET", r"/providers/Microsoft\.KeyVault/deletedVaults", vault.deleted_vaults),
    ("GET", _DELETED, vault.deleted_vault),
    ("POST", f"{_DELETED}/purge", vault.purge),
    ("POST", r"/providers/Microsoft\.KeyVault/checkNameAvailability", vault.name_availability),
    ("GET", f"{_MACHINE}/instanceView", compute.instance_view_at),
)
ACTIONS: dict[tuple[str, str], tuple[float, Callable[[Store, Record], Values]]] = {
    (containers.CLUSTERS.lower(), "listclusterusercredential"): (1, containers.credentials),
    (quota.MACHINES.lower(), "start"): (30, compute.start),
    (quota.MACHINES.lower(), "deallocate"): (40, compute.deallocate),
}


def find(method: str, path: str, body: Values) -> Callable[[Store], Values] | None:
    """The answer to a path that stands for no resource; a POST hands its body on."""
    for verb, pattern, answer in _SPECIAL:
        found = re.fullmatch(rf"/subscriptions/[^/]+{pattern}", path.rstrip("/"), re.IGNORECASE)
        if verb == method and found:
            return partial(_answer, answer, (*found.groups(), body) if method == "POST" else found.groups())
    return None


def _answer(answer: Callable[..., Values], groups: tuple[Any, ...], store: Store) -> Values:
    return answer(store, *groups)


def expanded(body: Values, record: Record, query: str) -> Values:
    """A machine shows its power state only to those who ask for it."""
    if record.row.arm == quota.MACHINES and "instanceview" in query.lower():
        body["properties"]["instanceView"] = compute.instance_view(record)
    return body
