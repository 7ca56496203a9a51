"""Holds the outputs of a stack against the contract."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from virtci.outputs.contract import Outputs


def contract_faults(outputs: Mapping[str, Any]) -> list[str]:
    """Every way in which outputs break the contract, a sentence each; no sentence shows a value."""
    try:
        read(outputs)
    except ValidationError as error:
        return [f"{_place(item)}: {item['msg']}" for item in error.errors()]
    return []


def read(outputs: Mapping[str, Any]) -> Outputs:
    """The outputs as typed values. Raises `pydantic.ValidationError` when they break the contract."""
    return Outputs.model_validate(dict(outputs) if isinstance(outputs, Mapping) else outputs)


def _place(details: ErrorDetails) -> str:
    return ".".join(str(part) for part in details["loc"] if part != "[key]") or "outputs"
