"""Finds the rules: every module of this folder that has a `POLICY`."""

from importlib import import_module
from pathlib import Path
from typing import Any

HELPERS = ("__init__", "__main__", "common", "documents", "kinds", "packets", "pods", "pools", "registry")


def policies() -> list[Any]:
    """All policies, by name."""
    files = sorted(file.stem for file in Path(__file__).parent.glob("*.py"))
    return [import_module(f"policies.{name}").POLICY for name in files if name not in HELPERS]
