"""Event logs as the engine writes them, built from what matters to a test."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from virtci.core.sealed import SEAL
from virtci.fleet.events import UNKNOWN_TEXT, Log, read_log

__all__ = ["MACHINE", "SEALED", "UNKNOWN_TEXT"]

Event = dict[str, Any]
MACHINE = "azure-native:compute:VirtualMachine"
SEALED = {SEAL: "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "[secret]"}
KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1r\n-----END OPENSSH PRIVATE KEY-----"


def urn(name: str, kind: str = MACHINE) -> str:
    """The URN of a resource."""
    return f"urn:pulumi:dev::virt-ci::{kind}::{name}"


def machine(size: str = "Standard_D4s_v5", **more: Any) -> dict[str, Any]:
    """The inputs of a machine that costs and needs something."""
    return {
        "location": "westus",
        "hardwareProfile": {"vmSize": size},
        "storageProfile": {"osDisk": {"diskSizeGB": 128}},
        "tags": {"lifetime": "always-on"},
        **more,
    }


def step(
    operation: str,
    name: str,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    kind: str = MACHINE,
    **more: Any,
) -> Event:
    """The event before a step. `more` is part of the metadata, for example `detailedDiff`."""
    return {"resourcePreEvent": {"metadata": _metadata(operation, name, before, after, kind, more)}}


def refreshed(
    name: str, before: Mapping[str, Any], after: Mapping[str, Any] | None, kind: str = MACHINE, **more: Any
) -> Event:
    """The event after a resource was read; without `after` it is gone."""
    return {"resOutputsEvent": {"metadata": _metadata("refresh", name, before, after, kind, more)}}


def different(*paths: str, kind: str = "update") -> dict[str, Any]:
    """A detailed diff of some properties."""
    return {path: {"diffKind": kind, "inputDiff": True} for path in paths}


def verdict(policy: str, message: str, name: str = "", level: str = "mandatory") -> Event:
    """What a policy says about a resource; without a name, about the stack."""
    return {
        "policyEvent": {
            "resourceUrn": urn(name) if name else urn("virt-ci-dev", "pulumi:pulumi:Stack"),
            "message": f"What the policy is about.\n{name or 'stack'}: {message}\n",
            "policyName": policy,
            "enforcementLevel": level,
        }
    }


def said(message: str, severity: str = "error") -> Event:
    """A message of the engine, of the program or of a provider."""
    return {"diagnosticEvent": {"message": message, "severity": severity}}


def end(result: str = "succeeded") -> Event:
    """The end of the operation."""
    return {"summaryEvent": {"result": result, "isPreview": True}}


def write(folder: Path, events: Iterable[Event]) -> Path:
    """The file that the engine would have written."""
    path = folder / "events.jsonl"
    path.write_text("".join(f"{json.dumps(event)}\n" for event in events))
    return path


def log(folder: Path, *events: Event) -> Log:
    """What is read from such a file."""
    return read_log(write(folder, events))


def _metadata(
    operation: str,
    name: str,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
    kind: str,
    more: Mapping[str, Any],
) -> dict[str, Any]:
    custom = not kind.startswith("virt-ci:")
    states = {
        key: None if inputs is None else {"type": kind, "custom": custom, "inputs": dict(inputs)}
        for key, inputs in (("old", before), ("new", after))
    }
    return {"op": operation, "urn": urn(name, kind), "type": kind, **states, **more}
