"""Reads the tables of facts in `virtci/data`; each carries its source and its date."""

import json
from functools import cache
from pathlib import Path
from typing import Any

DATA = Path(__file__).resolve().parents[1] / "data"


@cache
def table(name: str) -> dict[str, Any]:
    """The table `virtci/data/<name>.json`."""
    content: dict[str, Any] = json.loads((DATA / f"{name}.json").read_text())
    return content
