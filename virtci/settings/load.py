"""Reads the settings of a stack and reports everything that is wrong with them at once."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args, get_origin

import yaml
from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from virtci.core.problems import Problem, ProblemsError, Refusal, nearest
from virtci.settings.checks import broken_rules
from virtci.settings.models import Settings
from virtci.settings.placeholders import no_placeholders
from virtci.settings.section import Section

PROJECT = "virt-ci"
ABSENT: tuple[Any, ...] = ({}, None)
"""What an optional section holds when the stack file leaves it out: the default of Pulumi.yaml."""
TEXTS = {field.alias or name for name, field in Settings.model_fields.items() if field.annotation is str}
UNREADABLE = object()
"""Stands for a value that has a fault of its own."""

SECTION = ("a section", "nothing in it can be read", "indent its keys below it, as in docs/configuration.md")
COMMON_RULES = {
    "missing": ("the key is required", "the stack cannot be described", "add it; docs/configuration.md has an example"),
    "int_parsing": ("a whole number", "nothing can be computed from it", "write digits only"),
    "int_type": ("a whole number", "nothing can be computed from it", "write digits only"),
    "int_from_float": ("a whole number", "nothing can be computed from it", "write digits only"),
    "bool_parsing": ("true or false", "it cannot be decided", "write true or false"),
    "bool_type": ("true or false", "it cannot be decided", "write true or false"),
    "string_type": ("a text", "it cannot be used", "put it in quotes"),
    "tuple_type": ("a list", "its entries cannot be told apart", "write it as [one, two]"),
    "model_type": SECTION,
    "dict_type": SECTION,
}


def from_pulumi() -> Settings:
    """The settings of the running Pulumi program: the one place that reads Pulumi's configuration."""
    import pulumi

    raw = pulumi.runtime.get_config_env()
    return load(own_keys(raw), f"stack {pulumi.get_stack()}", is_rehearsal())


def from_file(path: Path, rehearsal: bool) -> Settings:
    """The settings of a stack file, read before any engine starts."""
    try:
        content = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        where = getattr(error, "problem_mark", None)
        line = f"line {where.line + 1}" if where else "the file"
        broken = Problem(path.name, line, "a stack file is YAML", "nothing in it can be read", str(error))
        raise ProblemsError(path.name, [broken]) from None
    config = content.get("config") if isinstance(content, Mapping) else None
    return load(own_keys(config if isinstance(config, Mapping) else {}), path.name, rehearsal)


def is_rehearsal() -> bool:
    """Whether the engine is attached to simulated clouds; then and only then placeholders are welcome."""
    return "azure-native:" in os.environ.get("PULUMI_DEBUG_PROVIDERS", "")


def own_keys(raw: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of this project, without their namespace, structured values parsed.

    A key without a namespace is the project's as well: the engine adds the namespace.
    """
    found: dict[str, Any] = {}
    for key, value in raw.items():
        namespace, colon, name = str(key).partition(":")
        if namespace == PROJECT or not colon:
            own = name if colon else namespace
            found[own] = value if own in TEXTS else _parsed(value)
    return found


def load(raw: Mapping[str, Any], subject: str, rehearsal: bool) -> Settings:
    """Settings from plain values. Raises `ProblemsError` with every problem that can be seen."""
    parts, problems = _parts(raw)
    problems.extend(broken_rules(parts))
    if not rehearsal:
        problems.extend(no_placeholders(parts))
    if problems:
        raise ProblemsError(subject, problems)
    return Settings.model_construct(**{_field(key): value for key, value in parts.items()})


def _parts(raw: Mapping[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
    """What can be read, and what is wrong with the rest; one fault does not hide another."""
    parts: dict[str, Any] = {}
    problems: list[Problem] = []
    known = {field.alias or name: field for name, field in Settings.model_fields.items()}
    for key in raw.keys() - known.keys():
        problems.append(_unknown(key, raw[key], list(known)))
    for key, field in known.items():
        if key not in raw or (raw[key] in ABSENT and not field.is_required()):
            if field.is_required():
                problems.append(Problem(key, None, *COMMON_RULES["missing"]))
            else:
                parts[key] = field.get_default()
            continue
        annotated: Any = field.rebuild_annotation()
        try:
            parts[key] = _validated(annotated, raw[key])
        except ValidationError as error:
            found = error.errors()
            problems.extend(_translated(key, details) for details in found if not _is_echo(details, found))
            readable = _readable(annotated, raw[key])
            if readable is not UNREADABLE:
                parts[key] = readable
    return parts, sorted(problems, key=lambda problem: problem.key)


def _validated(annotation: Any, raw: Any) -> Any:
    return TypeAdapter(annotation).validate_python(raw.strip() if isinstance(raw, str) else raw)


def _readable(annotation: Any, raw: Any) -> Any:
    """As much of a value as has no fault, for the rules that span several values."""
    try:
        return _validated(annotation, raw)
    except ValidationError:
        if not isinstance(raw, Mapping):
            return UNREADABLE
    if get_origin(annotation) is dict:
        kind, content = get_args(annotation)
        pairs = {_readable(kind, key): _readable(content, value) for key, value in raw.items()}
        return UNREADABLE if UNREADABLE in pairs or UNREADABLE in pairs.values() else pairs
    section = _section(annotation)
    return _partial(section, raw) if section else UNREADABLE


def _partial(section: type[Section], raw: Mapping[str, Any]) -> Section:
    """A section without the fields that cannot be read; asking for one raises `UnreadableError`."""
    values: dict[str, Any] = {}
    for name, field in section.model_fields.items():
        key = field.alias or name
        if key in raw:
            values[name] = _readable(field.rebuild_annotation(), raw[key])
        elif field.is_required():
            values[name] = UNREADABLE
    partial = section.model_construct(**values)
    for name, value in values.items():
        if value is UNREADABLE:
            del partial.__dict__[name]
    return partial


def _is_echo(details: ErrorDetails, found: list[ErrorDetails]) -> bool:
    """Whether an error only follows from those inside it: a list of nothing but wrong entries is too short as well."""
    place = details["loc"]
    inside = (other["loc"][: len(place)] == place for other in found if len(other["loc"]) > len(place))
    return details["type"] == "too_short" and any(inside)


def _translated(section: str, details: ErrorDetails) -> Problem:
    location = [str(part) for part in details["loc"] if part != "[key]"]
    key = ".".join([section, *location])
    kind, value = details["type"], details["input"]
    if kind == "extra_forbidden":
        return _unknown(key, value, _siblings(section, location))
    if kind == "missing":
        return Problem(key, None, *COMMON_RULES["missing"])
    cause = details.get("ctx", {}).get("error")
    if isinstance(cause, Refusal):
        return Problem(key, value, cause.rule, cause.consequence, cause.fix)
    if kind == "enum":
        expected = str(details["ctx"]["expected"]).replace("'", "").replace(" or ", ", ").split(", ")
        hint = nearest(str(value), expected)
        return Problem(key, value, "one of: " + ", ".join(expected), "the value means nothing here", hint)
    if kind in COMMON_RULES:
        return Problem(key, value, *COMMON_RULES[kind])
    return Problem(key, value, details["msg"], "the value cannot be used", "see docs/configuration.md")


def _unknown(key: str, value: object, known: list[str]) -> Problem:
    return Problem(
        key, value, "only known keys stand in a stack file",
        "it would be ignored, and what was meant would not happen", nearest(key.split(".")[-1], known),
    )  # fmt: skip


def _siblings(section: str, location: list[str]) -> list[str]:
    """The keys that are right where an unknown one stands."""
    model: Any = next(
        field.annotation for name, field in Settings.model_fields.items() if (field.alias or name) == section
    )
    for part in location[:-1]:
        model = _below(model, part)
    owner = _section(model)
    return [field.alias or name for name, field in owner.model_fields.items()] if owner else []


def _below(annotation: Any, key: str) -> Any:
    owner = _section(annotation)
    if owner:
        fields = {field.alias or name: field.annotation for name, field in owner.model_fields.items()}
        if key in fields:
            return fields[key]
    arguments = get_args(annotation)
    return arguments[-1] if arguments and not owner else annotation


def _section(annotation: Any) -> type[Section] | None:
    """The section model in an annotation such as `Machine | None`."""
    for candidate in (annotation, *get_args(annotation)):
        if isinstance(candidate, type) and issubclass(candidate, Section):
            return candidate
    return None


def _field(key: str) -> str:
    return next(name for name, field in Settings.model_fields.items() if (field.alias or name) == key)


def _parsed(value: Any) -> Any:
    """Pulumi hands structured values, numbers and booleans to programs as JSON text."""
    if isinstance(value, str) and value[:1] in '{["tf-0123456789':
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value
