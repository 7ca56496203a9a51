"""`Pulumi.yaml` declares the same keys, of the same types, as the models."""

from typing import Any, get_args, get_origin

import pytest
import yaml

from tests.settings.stackfile import ROOT, STACKS
from virtci.settings.load import PROJECT
from virtci.settings.models import Settings

CONFIG: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"]
FIELDS = {f"{PROJECT}:{field.alias or name}": field for name, field in Settings.model_fields.items()}


def declared_type(annotation: Any) -> str:
    """The type of the engine's schema that holds a value of a field."""
    kinds = {str: "string", bool: "boolean", int: "integer"}
    return kinds.get(annotation, "array" if get_origin(annotation) in (tuple, list) else "object")


def test_keys_are_those_of_the_models() -> None:
    assert CONFIG.keys() == FIELDS.keys()


def test_project_is_the_one_whose_keys_are_read() -> None:
    assert yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["name"] == PROJECT


@pytest.mark.parametrize("key", FIELDS)
def test_types_agree(key: str) -> None:
    assert CONFIG[key]["type"] == declared_type(FIELDS[key].annotation)


@pytest.mark.parametrize("key", FIELDS)
def test_what_is_required_has_no_default_and_the_rest_has_one(key: str) -> None:
    field = FIELDS[key]
    assert ("default" in CONFIG[key]) == (not field.is_required())
    if not field.is_required():
        assert (CONFIG[key]["default"] or None) == (field.default or None)


@pytest.mark.parametrize("key", FIELDS)
def test_every_key_is_described(key: str) -> None:
    assert CONFIG[key]["description"].endswith(".")
    assert FIELDS[key].description


@pytest.mark.parametrize("stack", STACKS)
def test_committed_values_have_the_declared_types(stack: str) -> None:
    kinds: dict[str, type] = {"string": str, "boolean": bool, "integer": int, "object": dict}
    for key, value in yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text())["config"].items():
        assert isinstance(value, kinds[CONFIG[key]["type"]]), key


def every_model(annotation: Any) -> set[Any]:
    """The section models below a field."""
    if hasattr(annotation, "model_fields"):
        return {annotation}.union(*(every_model(field.annotation) for field in annotation.model_fields.values()))
    return set().union(*(every_model(item) for item in get_args(annotation)))


def test_every_key_of_every_section_is_described_and_written_in_camel_case() -> None:
    models = every_model(Settings)
    assert len(models) > 10
    for model in models:
        assert model.__doc__
        for name, field in model.model_fields.items():
            assert field.description, f"{model.__name__}.{name}"
            assert "_" not in field.alias
