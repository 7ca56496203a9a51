"""The aliases of the azure-native SDK are dropped before they reach the engine, and only those."""

import pulumi
from pulumi_azure_native import resources

from components.aliases import drop_version_aliases, is_version_alias
from tests.committed import STACKS, fleet
from tests.recorder import Recorder, Registration, record

GROUP = "azure-native:resources:ResourceGroup"


def registered(options: pulumi.ResourceOptions) -> Registration:
    """One typed resource, as the engine would see it."""

    def program() -> None:
        resources.ResourceGroup("g", resource_group_name="g", opts=options)

    return record(program, Recorder()).one(GROUP)


def group(*, dropped: bool) -> int:
    """How many aliases reach the engine for one typed resource."""
    options = pulumi.ResourceOptions(transformations=[drop_version_aliases] if dropped else [])
    return registered(options).aliases


def test_the_sdk_still_puts_an_alias_per_api_version_on_its_resources() -> None:
    """When this fails, an SDK upgrade has changed what `components.aliases` relies on: measure before removing it."""
    assert group(dropped=False) >= 9


def test_no_version_alias_reaches_the_engine() -> None:
    assert group(dropped=True) == 0


def test_no_resource_of_the_fleet_carries_an_alias() -> None:
    carrying = {item.name: item.aliases for stack in STACKS for item in fleet(stack).registrations if item.aliases}

    assert carrying == {}


def test_an_alias_that_a_component_declares_is_kept() -> None:
    options = pulumi.ResourceOptions(aliases=[pulumi.Alias(name="before")], transformations=[drop_version_aliases])

    assert registered(options).aliases == 1


def test_only_aliases_that_name_another_type_of_the_provider_count_as_the_sdks() -> None:
    assert is_version_alias(pulumi.Alias(type_="azure-native:compute/v20240701:VirtualMachine"))
    assert not is_version_alias(pulumi.Alias(type_="virt-ci:machine:Machine"))
    assert not is_version_alias(pulumi.Alias(name="before"))
    assert not is_version_alias("urn:pulumi:dev::virt-ci::azure-native:compute:VirtualMachine::x")
