"""Probe documents and readiness records made by hand, to be changed by tests."""

import json
from typing import Any

MEASURED_AT = "2026-05-04T10:00:00Z"
OPENS = {"exists": True, "opens": True, "error": ""}
ABSENT = {"exists": False, "opens": False, "error": "no such device"}
LOCKED = {"exists": True, "opens": False, "error": "permission denied"}


def probe(**changes: Any) -> dict[str, Any]:
    """The probe of a capable machine; `mshv` and `kvm` change its devices, and with them what it really has."""
    devices = {"mshv": changes.pop("mshv", OPENS), "kvm": changes.pop("kvm", ABSENT)}
    real = next((name for name in ("mshv", "kvm") if devices[name]["opens"]), "emulation")
    return {
        "version": 1,
        "host": "machine",
        "kernel": "6.6.135.mshv2-1.azl3",
        "architecture": "x86_64",
        "cpuFlags": ["vmx"],
        "memoryMiB": 32094,
        "devices": devices,
        "qemu": {"version": "10.2.0", "accelerators": ["mshv", "tcg"]},
        "libvirt": "11.10.0",
        "hypervisor": real,
        "declared": "mshv",
        "reason": "",
        **changes,
    }


def node(name: str, document: dict[str, Any] | None, error: str = "") -> dict[str, Any]:
    """An entry of a readiness record."""
    return {"node": name, "uid": f"uid-of-{name}", "probe": document, "error": error}


def record(*nodes: dict[str, Any], measured_at: str = MEASURED_AT) -> str:
    """The text of a readiness record."""
    return json.dumps({"version": 1, "measuredAt": measured_at, "nodes": list(nodes)})
