"""Microsoft's published models, read out of the `azure-mgmt-*` wheels into plain tables.

Both generations are read: models made of `rest_field` declarations and the older ones with an
`_attribute_map`. Importing a models package takes up to three seconds, so nothing is imported before a type
is asked for.
"""

import datetime
import decimal
import enum
import importlib
import inspect
import re
import sys
import types
import typing
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, ForwardRef

STRING, INTEGER, NUMBER, BOOLEAN, ANY = "string", "integer", "number", "boolean", "any"
LIST, MAP, OBJECT = "list", "map", "object"

_PLAIN: dict[object, str] = {
    str: STRING,
    bytes: STRING,
    int: INTEGER,
    float: NUMBER,
    bool: BOOLEAN,
    decimal.Decimal: NUMBER,
    datetime.datetime: STRING,
    datetime.date: STRING,
    datetime.time: STRING,
    datetime.timedelta: STRING,
}
_OLD_PLAIN = {
    "str": STRING,
    "int": INTEGER,
    "long": INTEGER,
    "float": NUMBER,
    "bool": BOOLEAN,
    "object": ANY,
    "unix-time": INTEGER,
}
# Microsoft stopped adding to this enum years ago and tells callers to ask the service for sizes.
_OPEN_ENUMS = {"VirtualMachineSizeTypes"}
# azure-native took over the storage service when its description had other names, and no `properties` in between.
_STORAGE = "azure.mgmt.storage."
_FLAT = {"BlobContainer", "BlobServiceProperties"}
_RENAMED = {
    "networkAcls": "networkRuleSet",
    "supportsHttpsTrafficOnly": "enableHttpsTrafficOnly",
    "isNfsV3Enabled": "enableNfsV3",
    "VirtualNetworkRule.id": "virtualNetworkResourceId",
    "IPRule.value": "iPAddressOrRange",
}
_OLD_TEXT = {"iso-8601", "rfc-1123", "date", "time", "duration", "bytearray", "base64", "decimal"}


@dataclass(frozen=True, slots=True)
class Kind:
    """The type of a value: a plain one, a list or map of another kind, or an object of a model."""

    name: str
    item: "Kind | None" = None
    model: type | None = None
    allowed: frozenset[str] = frozenset()

    @property
    def shape(self) -> "Shape":
        """The shape of an object; models refer to each other in circles, so it is read on demand."""
        if self.model is None:
            raise LookupError(f"a value of kind {self.name} has no shape")
        return shape_of(self.model)


@dataclass(frozen=True, slots=True)
class Field:
    """One property: its name in the Pulumi SDK, its path in the ARM body, and its rules."""

    name: str
    wire: tuple[str, ...]
    kind: Kind
    required: bool = False
    read_only: bool = False
    create_only: bool = False


@dataclass(frozen=True, slots=True)
class Shape:
    """A model as a table of fields by their SDK names."""

    name: str
    fields: dict[str, Field]


def shape(module: str, model: str) -> Shape:
    """The shape of a published model, imported on first use."""
    return shape_of(getattr(importlib.import_module(module), model))


@cache
def shape_of(model: type) -> Shape:
    """The shape of a model class of either generation."""
    fields = _old_fields(model) if hasattr(model, "_attribute_map") else _new_fields(model)
    return Shape(name=model.__name__, fields=_by_name(fields))


def _by_name(fields: Iterable[tuple[str, Field]]) -> dict[str, Field]:
    """Fields by SDK name; where flattening makes two meet, the one that can be set keeps the short name."""
    named: dict[str, Field] = {}
    for attribute, field in fields:
        other = named.get(field.name)
        if other is None or (other.read_only and attribute.startswith("type_properties_")):
            named[field.name] = field
        elif not field.read_only:
            name = _camel(attribute)
            named[name] = Field(name, field.wire, field.kind, field.required, field.read_only, field.create_only)
    return named


def _camel(attribute: str) -> str:
    first, *rest = attribute.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _new_fields(model: Any) -> Iterator[tuple[str, Field]]:
    """Of a model made of `rest_field` declarations."""
    declared = _declared(model)
    annotations = _annotations(model)
    for attribute, rest in declared.items():
        kind, optional = _kind(annotations.get(attribute), _package(model))
        if rest._format == "unix-timestamp":
            kind = Kind(INTEGER)
        visibility = rest._visibility
        read_only = visibility == ["read"]
        field = Field(
            name=_sdk_name(model, rest._rest_name),
            wire=(rest._rest_name,),
            kind=kind,
            required=not optional and not read_only,
            read_only=read_only,
            create_only=visibility is not None and "create" in visibility and "update" not in visibility,
        )
        if rest._rest_name == "properties" and _is_flattened(model) and kind.model is not None:
            yield from _flattened(kind.model, field)
        else:
            yield attribute, field


def _flattened(inner: type, container: Field) -> Iterator[tuple[str, Field]]:
    for attribute, field in _new_fields(inner):
        top_level_twin = "type_properties_type" if field.name == "type" else attribute
        wire = container.wire + field.wire
        yield top_level_twin, Field(field.name, wire, field.kind, field.required, field.read_only, field.create_only)


def _sdk_name(model: type, name: str) -> str:
    if not model.__module__.startswith(_STORAGE):
        return name
    return _RENAMED.get(f"{model.__name__}.{name}") or _RENAMED.get(name, name)


def _declared(model: Any) -> dict[str, Any]:
    model.__new__(model)  # the generated base class completes the declarations when a model is first made
    return dict(model._attr_to_rest_field)


def _annotations(model: type) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for base in reversed(model.__mro__):
        found.update(vars(base).get("__annotations__", {}))
    return found


def _is_flattened(model: type) -> bool:
    if model.__module__.startswith(_STORAGE) and model.__name__ in _FLAT:
        return True
    return any(name.endswith("__flattened_items") for base in model.__mro__ for name in vars(base))


def _package(model: type) -> types.ModuleType:
    return sys.modules[model.__module__.rsplit(".", 1)[0]]


def _kind(annotation: Any, package: types.ModuleType) -> tuple[Kind, bool]:
    """The kind that an annotation stands for, and whether the value may be left out."""
    annotation = _resolved(annotation, package)
    arguments = typing.get_args(annotation)
    if type(None) in arguments:
        rest = [item for item in arguments if item is not type(None)]
        return (_kind(rest[0], package)[0] if len(rest) == 1 else _union(rest, package)), True
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType):
        return _union(list(arguments), package), False
    if origin is typing.Literal:
        return Kind(STRING, allowed=frozenset(_text(item) for item in arguments)), False
    if origin is list:
        return Kind(LIST, item=_kind(arguments[0], package)[0]), False
    if origin is dict:
        return Kind(MAP, item=_kind(arguments[1], package)[0]), False
    return _simple(annotation), False


def _resolved(annotation: Any, package: types.ModuleType) -> Any:
    """Models refer to each other by text such as `_models.Subnet`; all of a package's names are in its top module."""
    if isinstance(annotation, ForwardRef):
        annotation = annotation.__forward_arg__
    if isinstance(annotation, str):
        return getattr(package, annotation.rsplit(".", 1)[-1], None)
    return annotation


def _union(members: list[Any], package: types.ModuleType) -> Kind:
    resolved = [_resolved(member, package) for member in members]
    values = [_text(value) for member in resolved if _is_enum(member) for value in member]
    is_open = any(getattr(member, "__name__", "") in _OPEN_ENUMS for member in resolved)
    return Kind(STRING, allowed=frozenset(() if is_open else values)) if values else Kind(ANY)


def _simple(annotation: Any) -> Kind:
    if _is_enum(annotation):
        return Kind(STRING, allowed=frozenset(_text(value) for value in annotation))
    if isinstance(annotation, type) and (
        hasattr(annotation, "_attribute_map") or getattr(annotation, "_is_model", False)
    ):
        return Kind(OBJECT, model=annotation)
    return Kind(_PLAIN.get(annotation, ANY))


def _is_enum(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, enum.Enum)


def _text(value: Any) -> str:
    return str(value.value if isinstance(value, enum.Enum) else value)


def _old_fields(model: Any) -> Iterator[tuple[str, Field]]:
    """Of a model with an `_attribute_map`."""
    parameters = inspect.signature(model.__init__).parameters
    for attribute, entry in model._attribute_map.items():
        rules = model._validation.get(attribute, {})
        wire = tuple(part.replace("\\.", ".") for part in re.split(r"(?<!\\)\.", entry["key"]))
        kind = _old_kind(entry["type"], _package(model))
        if kind.name == STRING and attribute in parameters:
            kind = _with_values(kind, parameters[attribute].annotation, _package(model))
        read_only = bool(rules.get("readonly"))
        required = bool(rules.get("required")) and not read_only
        yield attribute, Field(wire[-1], wire, kind, required=required, read_only=read_only)


def _old_kind(text: str, package: types.ModuleType) -> Kind:
    if text.startswith("["):
        return Kind(LIST, item=_old_kind(text[1:-1], package))
    if text.startswith("{"):
        return Kind(MAP, item=_old_kind(text[1:-1], package))
    if text in _OLD_TEXT:
        return Kind(STRING)
    if text in _OLD_PLAIN:
        return Kind(_OLD_PLAIN[text])
    return _simple(getattr(package, text, None))


def _with_values(kind: Kind, annotation: Any, package: types.ModuleType) -> Kind:
    """Attribute maps call an enum a `str`; the constructor's annotation names its values."""
    declared, _ = _kind(annotation, package)
    return declared if declared.name == STRING and declared.allowed else kind
