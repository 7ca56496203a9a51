"""Pulumi SDK values to ARM bodies and back, judged by a published model."""

import difflib
from collections.abc import Mapping
from typing import Any

from pulumi.runtime.rpc import UNKNOWN

from virtci.rehearsal.azure.models import ANY, BOOLEAN, INTEGER, LIST, MAP, NUMBER, OBJECT, STRING, Field, Kind, Shape
from virtci.rehearsal.bridge import Failure, Values, is_unknown

MOST_CHOICES = 12
IDENTITIES = "userAssignedIdentities"
_CHECKS: dict[str, tuple[type, ...]] = {STRING: (str,), INTEGER: (int,), NUMBER: (int, float), BOOLEAN: (bool,)}


def encode(shape: Shape, values: Mapping[str, Any], path: str = "") -> tuple[Values, list[Failure]]:
    """The ARM body of SDK values, and every reason to refuse them."""
    body: Values = {}
    problems: list[Failure] = []
    given = {name: value for name, value in values.items() if value is not None}
    for name, value in given.items():
        field, here = shape.fields.get(name), _join(path, name)
        if field is None:
            problems.append(Failure(here, _not_known(shape, name)))
        elif field.read_only:
            problems.append(Failure(here, "is set by the service and cannot be given"))
        else:
            wire, found = _encoded(field, value, here)
            problems += found
            _place(body, field.wire, wire)
    problems += [Failure(_join(path, name), f"is required by {shape.name}") for name in _missing(shape, given, path)]
    return body, problems


def _not_known(shape: Shape, name: str) -> str:
    close = difflib.get_close_matches(name, shape.fields, n=1)
    return f"is not a property of {shape.name}" + (f"; did you mean '{close[0]}'?" if close else "")


def _missing(shape: Shape, given: Mapping[str, Any], path: str) -> list[str]:
    """Required fields that are absent.

    A nested model is often only a reference (`{id}`), so what it requires inside `properties` counts only
    when something else inside `properties` is given.
    """
    used = {shape.fields[name].wire[:-1] for name in given if name in shape.fields}
    return [
        name
        for name, field in shape.fields.items()
        if field.required and name not in given and (not path or len(field.wire) == 1 or field.wire[:-1] in used)
    ]


def _encoded(field: Field, value: Any, path: str) -> tuple[Any, list[Failure]]:
    if field.name == IDENTITIES and isinstance(value, list):
        # the SDK takes a list of ids where the service takes a map with empty values
        return {str(item): {} for item in value}, []
    return _value(field.kind, value, path)


def _value(kind: Kind, value: Any, path: str) -> tuple[Any, list[Failure]]:
    if is_unknown(value) or kind.name == ANY:
        return value, []
    if kind.name == LIST and isinstance(value, list):
        return _items(kind, value, path)
    if kind.name == MAP and isinstance(value, Mapping):
        return _entries(kind, value, path)
    if kind.name == OBJECT and isinstance(value, Mapping):
        return encode(kind.shape, value, path)
    if not _is_plain(kind, value):
        return value, [Failure(path, f"must be of type {kind.name}, not {_describe(value)}")]
    if kind.allowed and value not in kind.allowed:
        return value, [Failure(path, f"must be one of {_choices(kind.allowed, value)}, not '{value}'")]
    return value, []


def _choices(allowed: frozenset[str], value: Any) -> str:
    if len(allowed) <= MOST_CHOICES:
        return ", ".join(sorted(allowed))
    near = difflib.get_close_matches(str(value), sorted(allowed))
    return f"{len(allowed)} values" + (f" (near: {', '.join(near)})" if near else "")


def _items(kind: Kind, values: list[Any], path: str) -> tuple[list[Any], list[Failure]]:
    item = kind.item or Kind(ANY)
    results = [_value(item, value, f"{path}[{index}]") for index, value in enumerate(values)]
    return [wire for wire, _ in results], [problem for _, found in results for problem in found]


def _entries(kind: Kind, values: Mapping[str, Any], path: str) -> tuple[Values, list[Failure]]:
    item = kind.item or Kind(ANY)
    results = {key: _value(item, value, _join(path, key)) for key, value in values.items()}
    problems = [problem for _, found in results.values() for problem in found]
    return {key: wire for key, (wire, _) in results.items()}, problems


def _is_plain(kind: Kind, value: Any) -> bool:
    if kind.name not in _CHECKS:
        return False
    if isinstance(value, bool):
        return kind.name == BOOLEAN
    return isinstance(value, _CHECKS[kind.name])


def _describe(value: Any) -> str:
    if isinstance(value, Mapping):
        return "an object"
    return "a list" if isinstance(value, list) else f"{type(value).__name__} {value!r}"


def judge(shape: Shape, body: Mapping[str, Any]) -> list[Failure]:
    """The reasons to refuse an ARM body; the service passes over read-only properties that are sent back to it."""
    return encode(shape, decode(shape, body, settable=True))[1]


def decode(shape: Shape, body: Mapping[str, Any], settable: bool = False) -> Values:
    """The SDK outputs of an ARM body; what the model does not know is left out."""
    fields = (field for field in shape.fields.values() if not (settable and field.read_only))
    found = ((field, _find(body, field.wire)) for field in fields)
    return {field.name: _decoded(field.kind, value, settable) for field, value in found if value is not None}


def _decoded(kind: Kind, value: Any, settable: bool) -> Any:
    if kind.name == LIST and isinstance(value, list):
        return [_decoded(kind.item or Kind(ANY), item, settable) for item in value]
    if kind.name == MAP and isinstance(value, Mapping):
        return {key: _decoded(kind.item or Kind(ANY), item, settable) for key, item in value.items()}
    if kind.name == OBJECT and isinstance(value, Mapping):
        return decode(kind.shape, value, settable)
    return value


def settable(shape: Shape, values: Mapping[str, Any]) -> Values:
    """SDK values without the properties that only the service sets."""
    found = ((shape.fields.get(name), value) for name, value in values.items())
    return {field.name: _settable(field.kind, value) for field, value in found if field and not field.read_only}


def _settable(kind: Kind, value: Any) -> Any:
    if kind.name == LIST and isinstance(value, list):
        return [_settable(kind.item or Kind(ANY), item) for item in value]
    if kind.name == MAP and isinstance(value, Mapping):
        return {key: _settable(kind.item or Kind(ANY), item) for key, item in value.items()}
    if kind.name == OBJECT and isinstance(value, Mapping):
        return settable(kind.shape, value)
    return value


def preview(shape: Shape, inputs: Mapping[str, Any]) -> Values:
    """The outputs as far as the inputs tell: everything else that a response can hold is unknown."""
    return {name: _previewed(field, inputs.get(name)) for name, field in shape.fields.items() if name != "id"}


def _previewed(field: Field, value: Any) -> Any:
    if value is None or (field.name == IDENTITIES and isinstance(value, list)):
        return UNKNOWN
    return _previewed_value(field.kind, value)


def _previewed_value(kind: Kind, value: Any) -> Any:
    if kind.name == LIST and isinstance(value, list):
        return [_previewed_value(kind.item or Kind(ANY), item) for item in value]
    if kind.name == MAP and isinstance(value, Mapping):
        return {key: _previewed_value(kind.item or Kind(ANY), item) for key, item in value.items()}
    if kind.name == OBJECT and isinstance(value, Mapping):
        return {name: _previewed(field, value.get(name)) for name, field in kind.shape.fields.items()}
    return value


def _place(body: Values, wire: tuple[str, ...], value: Any) -> None:
    *containers, last = wire
    for container in containers:
        body = body.setdefault(container, {})
    body[last] = value


def _find(body: Any, wire: tuple[str, ...]) -> Any:
    for part in wire:
        if not isinstance(body, Mapping):
            return None
        body = body.get(part)
    return body


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
