"""ARM ids: reading them, and finding them in bodies."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_PROVIDERS = re.compile(r"/providers/", re.IGNORECASE)
_GROUP = re.compile(r"^/subscriptions/[^/]+/resourcegroups/([^/]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Address:
    """A resource path taken apart: `<scope>/providers/<namespace>/<type>/<name>/<type>/<name>`."""

    id: str
    scope: str
    namespace: str
    types: tuple[str, ...]
    names: tuple[str, ...]

    @property
    def arm(self) -> str:
        """The ARM type, for example `Microsoft.Network/virtualNetworks/subnets`."""
        return "/".join((self.namespace, *self.types))

    @property
    def name(self) -> str:
        """The resource's own name."""
        return self.names[-1]

    @property
    def is_collection(self) -> bool:
        """Whether the path ends with a type instead of a name."""
        return len(self.types) > len(self.names)

    @property
    def parent(self) -> str:
        """What must exist first: the resource above, or the scope."""
        return self.id.rsplit("/", 2)[0] if len(self.names) > 1 else self.scope


def parse(path: str) -> Address:
    """Takes an ARM path apart; the last `/providers/` counts, so extension resources keep their scope."""
    clean = "/" + path.split("?", 1)[0].strip("/")
    pieces = list(_PROVIDERS.finditer(clean))
    if not pieces:
        return _without_provider(clean)
    scope, rest = clean[: pieces[-1].start()], clean[pieces[-1].end() :].split("/")
    return Address(clean, scope, rest[0], tuple(rest[1::2]), tuple(rest[2::2]))


def _without_provider(path: str) -> Address:
    parts = path.strip("/").split("/")
    kinds = {2: ("Microsoft.Resources", ("subscriptions",)), 4: ("Microsoft.Resources", ("resourceGroups",))}
    namespace, types = kinds.get(len(parts), ("Microsoft.Resources", tuple(parts[2::2])))
    scope = "/" + "/".join(parts[:2]) if len(parts) > 2 else ""
    return Address(path, scope, namespace, types, (parts[-1],) if len(parts) % 2 == 0 else ())


def group_of(resource_id: str) -> str:
    """The name of the resource group in an id, or an empty text."""
    found = _GROUP.match(resource_id)
    return found.group(1) if found else ""


def group_id(resource_id: str) -> str:
    """The id of the resource group in an id, or an empty text."""
    found = _GROUP.match(resource_id)
    return found.group(0) if found else ""


def is_below(resource_id: str, ancestor: str) -> bool:
    """Whether an id is the ancestor or something inside it, in any case."""
    low, above = resource_id.lower(), ancestor.lower()
    return low == above or low.startswith(above + "/")


def references(body: Any, subscription: str) -> Iterator[str]:
    """Every ARM id under the subscription in a body, among keys as well (identities are map keys)."""
    if isinstance(body, Mapping):
        for key, value in body.items():
            yield from references(key, subscription)
            yield from references(value, subscription)
    elif isinstance(body, list):
        for item in body:
            yield from references(item, subscription)
    elif isinstance(body, str) and body.lower().startswith(f"/subscriptions/{subscription}/".lower()):
        yield body
