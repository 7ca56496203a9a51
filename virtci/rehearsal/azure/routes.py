"""Paths that are no resources, and actions on resources."""

import re
from collections.abc import Callable
from functools import partial
from typing import Any

from virtci.rehearsal.azure import compute, containers, images, quota, storage, tables, tags, vault
from virtci.rehearsal.azure.catalogue import BY_ARM
from virtci.rehearsal.azure.store import Record, Store
from virtci.rehearsal.bridge import Values
from virtci.rehearsal.journal import CloudError

_DELETED = r"/providers/Microsoft\.KeyVault/locations/([^/]+)/deletedVaults/([^/]+)"
_IMAGE_VERSIONS = (
    r"/providers/Microsoft\.Compute/locations/([^/]+)/publishers/([^/]+)"
    r"/artifacttypes/vmimage/offers/([^/]+)/skus/([^/]+)/versions"
)
_TAGS = r"/(resourceGroups/.+)/providers/Microsoft\.Resources/tags/default"
_GALLERY_IMAGE = re.compile(
    r"/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.Compute/galleries/[^/]+/images/[^/]+(/versions/[^/]+)?",
    re.IGNORECASE,
)
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


def providers(store: Store) -> Values:
    """The resource providers of the subscription, with their registration."""
    return {"value": [_provider(store, namespace) for namespace in sorted(_namespaces())]}


def provider(store: Store, namespace: str) -> Values:
    """One resource provider."""
    known = {item.lower(): item for item in _namespaces()}
    if namespace.lower() not in known:
        text = f"The resource namespace '{namespace}' is invalid."
        raise CloudError(404, "InvalidResourceNamespace", text)
    return _provider(store, known[namespace.lower()])


def _provider(store: Store, namespace: str) -> Values:
    missing = {item.lower() for item in store.scenario.unregistered}
    return {
        "id": f"/subscriptions/{store.scenario.subscription}/providers/{namespace}",
        "namespace": namespace,
        "registrationState": "NotRegistered" if namespace.lower() in missing else "Registered",
        "resourceTypes": [],
    }


def _namespaces() -> set[str]:
    return {row.arm.split("/")[0] for row in BY_ARM.values()}


def image_versions(store: Store, region: str, publisher: str, offer: str, sku: str) -> Any:
    """The versions of a marketplace image: the one service that answers a bare list. Any version will do for `latest`."""
    family = ":".join((publisher, offer, sku)).lower()
    known = [item.split(":") for item in sorted(store.scenario.marketplace) if item.lower().startswith(family)]
    versions = [parts[3] if len(parts) > 3 and parts[3] != "latest" else "24.04.202601010" for parts in known]
    return [{"name": version, "location": region} for version in versions]


_SPECIAL: tuple[tuple[str, str, Callable[..., Values]], ...] = (
    ("GET", "", subscription),
    ("GET", r"/providers/Microsoft\.Compute/locations/([^/]+)/usages", quota.usages),
    ("GET", r"/providers/Microsoft\.Compute/skus", skus),
    ("GET", r"/providers/Microsoft\.KeyVault/deletedVaults", vault.deleted_vaults),
    ("GET", _DELETED, vault.deleted_vault),
    ("POST", f"{_DELETED}/purge", vault.purge),
    ("POST", r"/providers/Microsoft\.KeyVault/checkNameAvailability", vault.name_availability),
    ("POST", r"/providers/Microsoft\.Storage/checkNameAvailability", storage.name_availability),
    ("GET", f"{_MACHINE}/instanceView", compute.instance_view_at),
    ("GET", _TAGS, tags.read),
    ("PATCH", _TAGS, tags.patch),
    ("GET", _IMAGE_VERSIONS, image_versions),
    ("GET", "/providers", providers),
    ("GET", r"/providers/([^/]+)", provider),
)
ACTIONS: dict[tuple[str, str], tuple[float, Callable[[Store, Record], Values], int]] = {
    (containers.CLUSTERS.lower(), "listclusterusercredential"): (1, containers.credentials, 200),
    (containers.CLUSTERS.lower(), "start"): (240, containers.start, 204),
    (containers.CLUSTERS.lower(), "stop"): (180, containers.stop, 204),
    (quota.MACHINES.lower(), "start"): (30, compute.start, 200),
    (quota.MACHINES.lower(), "deallocate"): (40, compute.deallocate, 200),
    (quota.MACHINES.lower(), "retrievebootdiagnosticsdata"): (1, compute.boot_diagnostics, 200),
}
"""Seconds, what is done, and the status of the answer, by type and action."""


def find(method: str, path: str, body: Values) -> Callable[[Store], Values] | None:
    """The answer to a path that stands for no resource; a POST and a PATCH hand their body on."""
    if method == "GET" and is_gallery_image(path):
        return partial(_answer, images.shown, (path,))
    for verb, pattern, answer in _SPECIAL:
        found = re.fullmatch(rf"/subscriptions/[^/]+{pattern}", path.rstrip("/"), re.IGNORECASE)
        if verb == method and found:
            return partial(_answer, answer, (*found.groups(), body) if method != "GET" else found.groups())
    return None


def is_gallery_image(path: str) -> bool:
    """Whether a path is an image of a gallery: of this subscription, or of another one that shares it."""
    return _GALLERY_IMAGE.fullmatch(path.rstrip("/")) is not None


def _answer(answer: Callable[..., Values], groups: tuple[Any, ...], store: Store) -> Values:
    return answer(store, *groups)


def expanded(body: Values, record: Record, query: str) -> Values:
    """A machine shows its power state only to those who ask for it."""
    if record.row.arm == quota.MACHINES and "instanceview" in query.lower():
        body["properties"]["instanceView"] = compute.instance_view(record)
    return body
