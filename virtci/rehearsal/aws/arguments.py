"""What a resource type takes: the input types of Pulumi's own SDK for AWS, as JSON schemas."""

import inspect
import typing
from collections.abc import Awaitable, Mapping, Sequence
from enum import Enum
from functools import cache
from importlib import import_module
from types import NoneType
from typing import Any

import pulumi
from jsonschema import Draft202012Validator, ValidationError
from pulumi._types import input_type_py_to_pulumi_names, input_type_types, is_input_type, unwrap_type
from pulumi.runtime.rpc import UNKNOWN

from virtci.rehearsal.bridge import Failure, Values

Schema = dict[str, Any]
PLAIN: Mapping[type, Schema] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
}
SENTINEL: Schema = {"const": UNKNOWN}
"""A value that is not known before the deployment is taken for every type."""


def failures(kind: str, inputs: Values) -> list[Failure]:
    """Refuses unknown, missing and ill-typed inputs of a resource type, such as `aws:ec2/vpc:Vpc`."""
    given = {name: value for name, value in inputs.items() if value is not None and not name.startswith("__")}
    found = [
        Failure(".".join(map(str, error.absolute_path)) or "(resource)", error.message)
        for error in map(_innermost, _validator(kind).iter_errors(given))
    ]
    return sorted(found, key=lambda item: item.property)


def names(kind: str) -> frozenset[str]:
    """The properties that a resource type takes."""
    return frozenset(input_type_types(_class(kind)))


@cache
def _validator(kind: str) -> Draft202012Validator:
    return Draft202012Validator(_object(_class(kind)))


@cache
def _class(kind: str) -> type:
    _, path, name = kind.split(":")
    module = import_module(f"pulumi_aws.{path.partition('/')[0]}")
    found: type = getattr(module, f"{name}Args")
    return found


@cache
def _object(arguments: type) -> Schema:
    translated = input_type_py_to_pulumi_names(arguments)
    parameters = inspect.signature(arguments.__init__).parameters  # type: ignore[misc]  # of a class of input types
    return {
        "type": "object",
        "properties": {name: _open(kind) for name, kind in input_type_types(arguments).items()},
        "required": [
            translated[name]
            for name, parameter in parameters.items()
            if parameter.kind is inspect.Parameter.KEYWORD_ONLY and parameter.default is inspect.Parameter.empty
        ],
        "additionalProperties": False,
    }


def _open(kind: Any) -> Schema:
    return {"anyOf": [SENTINEL, *_schemas(kind)]}


def _schemas(kind: Any) -> list[Schema]:
    kind = unwrap_type(kind)
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any:
        return [{}]
    if kind in PLAIN:
        return [PLAIN[kind]]
    if isinstance(kind, type) and is_input_type(kind):
        return [_object(kind)]
    if isinstance(kind, type) and issubclass(kind, Enum):
        return [PLAIN[str]]
    if origin in (Sequence, list):
        return [{"type": "array", "items": _open(parts[0])}]
    if origin in (Mapping, dict):
        return [{"type": "object", "additionalProperties": _open(parts[1])}]
    if origin is typing.Union:
        return [schema for part in parts if _is_value(part) for schema in _schemas(part)]
    raise TypeError(f"the SDK has a type that nobody expected: {kind}")


def _is_value(part: Any) -> bool:
    return part is not NoneType and typing.get_origin(part) not in (Awaitable, pulumi.Output)


def _innermost(error: ValidationError) -> ValidationError:
    """What is wrong in words: of the alternatives, the one that the value is nearest to."""
    while inner := [item for item in error.context or () if item.validator != "const"]:
        error = max(inner, key=lambda item: len(item.absolute_path))
    return error
