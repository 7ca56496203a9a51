"""The project's tables of facts, as far as the simulated cloud uses them."""

import json
from functools import cache
from pathlib import Path
from typing import Any

DATA = Path(__file__).parents[2] / "data"


@cache
def _read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((DATA / name).read_text())
    return found


def size(name: str) -> dict[str, Any] | None:
    """One virtual machine size: `family`, `vcpus`, `max_nics` and more."""
    sizes: dict[str, dict[str, Any]] = _read("sizes.json")["sizes"]
    return next((entry for key, entry in sizes.items() if key.lower() == name.lower()), None)


def sizes() -> dict[str, dict[str, Any]]:
    """All sizes."""
    found: dict[str, dict[str, Any]] = _read("sizes.json")["sizes"]
    return found


def offers(region: str, name: str) -> bool:
    """Whether a size is offered in a region: it has a price there."""
    return name.lower() in {key.lower() for key in _read("prices.json")["compute_hourly"].get(region.lower(), {})}


def regions() -> frozenset[str]:
    """The regions that the tables know."""
    return frozenset(_read("prices.json")["compute_hourly"])


def role_ids() -> frozenset[str]:
    """The GUIDs of the built-in roles."""
    return frozenset(_read("roles.json")["roles"].values())
