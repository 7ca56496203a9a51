"""What every component keeps: its arguments, its names, its options."""

from typing import TypedDict

import pulumi
import pytest
from pulumi_azure_native import resources

from components.base import Component
from tests.recorder import Recorder, record


class BoxArgs(TypedDict):
    """Arguments of a component that exists for these tests."""

    group: str


class Box(Component):
    """A component with one child."""

    TYPE = "virt-ci:test:Box"
    ARGUMENTS = BoxArgs

    def __init__(self, name: str, args: BoxArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)
        resources.ResourceGroup(self.child_name("inner"), resource_group_name=args["group"], opts=self.options())
        self.register_outputs({})


GROUP = "azure-native:resources:ResourceGroup"


def test_a_child_hangs_under_its_component_and_carries_its_name() -> None:
    def program() -> None:
        Box("box", {"group": "g"})

    recorder = record(program, Recorder())

    child = recorder.one(GROUP)

    assert child.name == "box-inner"
    assert child.parent.endswith("virt-ci:test:Box::box")


def test_the_callers_options_are_not_merged_into_children() -> None:
    def program() -> None:
        other = Box("other", {"group": "o"})
        options = pulumi.ResourceOptions(parent=other, aliases=[pulumi.Alias(name="old")], ignore_changes=["tags"])
        Box("box", {"group": "g"}, options)

    child = record(program, Recorder()).one(GROUP, "box-inner")

    assert child.parent.endswith("::box")
    assert child.aliases == 0
    assert child.ignore_changes == ()


def test_an_unknown_argument_is_refused_with_the_known_ones() -> None:
    with pytest.raises(TypeError, match="does not know grup; it takes group"):
        Box("box", {"group": "g", "grup": "x"})  # type: ignore[typeddict-unknown-key]  # unknown on purpose


def test_a_missing_argument_is_refused_by_name() -> None:
    with pytest.raises(TypeError, match="Box `box` needs group"):
        Box("box", {})  # type: ignore[typeddict-item]  # missing on purpose


def test_two_children_of_one_name_are_refused() -> None:
    def program() -> None:
        Box("box", {"group": "g"}).child_name("inner")

    with pytest.raises(ValueError, match="already has a child `box-inner`"):
        record(program, Recorder())
