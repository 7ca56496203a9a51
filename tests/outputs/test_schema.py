"""The published schema is fresh, holds for real outputs, and does not change under its readers."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.outputs.sample import changed, outputs
from virtci.outputs import schema as published
from virtci.outputs.check import read
from virtci.outputs.contract import VERSION
from virtci.outputs.formats import as_json

OLD: dict[str, Any] = {
    "$defs": {
        "Gate": {"enum": ["off", "on"], "type": "string"},
        "Machine": {
            "type": "object",
            "properties": {"name": {"type": "string"}, "size": {"type": "string"}, "user": {"type": "string"}},
            "required": ["name", "size"],
        },
    },
    "type": "object",
    "properties": {
        "stack": {"type": "string"},
        "gate": {"$ref": "#/$defs/Gate"},
        "version": {"const": 1, "type": "integer"},
        "vault": {"anyOf": [{"$ref": "#/$defs/Machine"}, {"type": "null"}], "default": None},
        "machines": {"type": "array", "items": {"$ref": "#/$defs/Machine"}, "default": []},
        "roles": {"type": "object", "additionalProperties": {"type": "string"}},
        "environments": {
            "type": "object",
            "propertyNames": {"$ref": "#/$defs/Gate"},
            "additionalProperties": {"$ref": "#/$defs/Machine"},
        },
        "focus": {"type": "string", "minLength": 1},
    },
    "required": ["stack", "gate"],
}


def edited(path: str, value: Any) -> dict[str, Any]:
    """The old schema with another value at a path; `...` takes it out."""
    return dict(changed(path, value, deepcopy(OLD)))


def committed() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(published.FILE.read_text())
    return content


def test_committed_schema_is_fresh() -> None:
    assert published.FILE.read_text() == published.rendered()
    assert published.main(["--check"]) == 0


def test_contract_of_this_version_has_not_been_broken() -> None:
    assert published.FILE.name == f"outputs.v{VERSION}.json"
    assert published.breaking_changes(committed(), published.schema()) == []


def test_schema_is_legal_and_holds_for_real_outputs() -> None:
    jsonschema.Draft202012Validator.check_schema(committed())
    jsonschema.validate(outputs(), committed(), jsonschema.Draft202012Validator)
    jsonschema.validate(json.loads(as_json(read(outputs()))), committed(), jsonschema.Draft202012Validator)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("region", ...),
        ("contractVersion", 2),
        ("machines.0.role", "helper"),
        ("environments.prod", {}),
        ("vault.uri", 7),
    ],
)
def test_schema_refuses_what_breaks_the_contract(path: str, value: Any) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(changed(path, value), committed(), jsonschema.Draft202012Validator)


def test_reader_of_the_schema_lives_with_properties_that_come_later() -> None:
    later = changed("vault.colour", "blue", changed("weather", "fair"))
    jsonschema.validate(later, committed(), jsonschema.Draft202012Validator)


BREAKING = [
    ("properties.stack", ..., "outputs.stack: removed or renamed"),
    ("$defs.Machine.properties.user", ..., "outputs.machines[].user: removed or renamed"),
    ("required", ["stack", "gate", "focus"], "outputs.focus: became required"),
    ("$defs.Machine.required", ["name", "size", "user"], "outputs.vault.user: became required"),
    ("required", ["stack"], "outputs.gate: may be absent now"),
    ("$defs.Gate.enum", ["on"], "outputs.gate: the value `off` is gone"),
    ("$defs.Gate.enum", ["on"], "outputs.environments.(name): the value `off` is gone"),
    ("properties.stack.enum", ["hub"], "outputs.stack: takes only a list of values now"),
    ("properties.stack.type", "integer", "outputs.stack: can no longer be string"),
    ("properties.stack", {"anyOf": [{"type": "string"}, {"type": "null"}]}, "outputs.stack: can now be null as well"),
    ("properties.vault", {"$ref": "#/$defs/Machine"}, "outputs.vault: can no longer be null"),
    ("properties.roles.additionalProperties.type", "integer", "outputs.roles.*: can no longer be string"),
    ("properties.machines.items", {"type": "string"}, "outputs.machines[]: can no longer be object"),
    ("properties.machines.minItems", 1, "outputs.machines: minItems is `1`, was `free`"),
    ("properties.focus.minLength", 3, "outputs.focus: minLength is `3`, was `1`"),
    ("properties.stack.pattern", "^[a-z]+$", "outputs.stack: pattern is `^[a-z]+$`, was `free`"),
    ("properties.version.const", 2, "outputs.version: const is `2`, was `1`"),
]
HARMLESS = [
    ("properties.weather", {"type": "string"}),
    ("$defs.Machine.properties.colour", {"type": "string"}),
    ("$defs.Gate.enum", ["off", "on", "auto"]),
    ("$defs.Gate.enum", ...),
    ("properties.focus.minLength", ...),
    ("properties.stack.description", "Name of the stack."),
    ("properties.roles.default", {}),
    ("properties.gate", {"enum": ["off", "on"], "type": "string"}),
]


@pytest.mark.parametrize(("path", "value", "said"), BREAKING, ids=lambda item: item if isinstance(item, str) else None)
def test_change_that_breaks_readers_is_found(path: str, value: Any, said: str) -> None:
    assert said in published.breaking_changes(OLD, edited(path, value))


@pytest.mark.parametrize(("path", "value"), HARMLESS, ids=lambda item: item if isinstance(item, str) else None)
def test_change_that_readers_live_with_is_not(path: str, value: Any) -> None:
    assert published.breaking_changes(OLD, edited(path, value)) == []


def test_new_property_that_old_outputs_lack_may_not_be_required() -> None:
    new = edited("properties.weather", {"type": "string"})
    new["required"] = [*new["required"], "weather"]
    assert published.breaking_changes(OLD, new) == ["outputs.weather: is new and required"]


def test_renaming_a_property_is_removing_it() -> None:
    new = edited("properties.focus", ...)
    new["properties"]["testFocus"] = OLD["properties"]["focus"]
    assert published.breaking_changes(OLD, new) == ["outputs.focus: removed or renamed"]


def test_nothing_changed_is_no_change() -> None:
    assert published.breaking_changes(OLD, deepcopy(OLD)) == []


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "schema" / "outputs.v1.json"
    monkeypatch.setattr(published, "FILE", path)
    return path


def test_writing_makes_the_file_that_the_check_asks_for(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert published.main(["--check"]) == 1
    assert "run `python -m virtci.outputs.schema`" in capsys.readouterr().err
    assert published.main([]) == 0
    assert published.main(["--check"]) == 0
    assert file.read_text() == published.rendered()


def test_writing_refuses_to_break_the_readers_of_a_version(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    promised = published.schema()
    promised["properties"]["weather"] = {"type": "string"}
    file.parent.mkdir()
    file.write_text(json.dumps(promised))
    assert published.main([]) == published.main(["--check"]) == 1
    assert json.loads(file.read_text()) == promised
    said = capsys.readouterr().err
    assert "raise VERSION" in said
    assert "outputs.weather: removed or renamed" in said
