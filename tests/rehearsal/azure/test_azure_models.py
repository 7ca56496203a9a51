"""Bodies are judged by Microsoft's published models."""

import importlib
import re

import pytest
from pulumi.runtime.rpc import UNKNOWN

from tests.rehearsal.azure.simulated import Cloud
from virtci.rehearsal.azure import bodies
from virtci.rehearsal.azure.catalogue import BY_KIND
from virtci.rehearsal.azure.resource_types import ResourceType

# The SDK takes the type of a subnet as an input; the service sets it.
READ_ONLY_INPUTS = {"azure-native:network:Subnet": ["type"]}


@pytest.mark.parametrize("kind", sorted(BY_KIND))
def test_every_input_of_the_sdk_is_a_path_parameter_or_known_to_the_model(kind: str) -> None:
    row = BY_KIND[kind]
    inputs = sdk_inputs(kind)
    unknown = inputs - set(row.parameters) - set(row.request.fields)
    assert unknown == set()
    assert set(row.parameters) <= inputs


@pytest.mark.parametrize("kind", sorted(BY_KIND))
def test_no_input_of_the_sdk_is_read_only_in_the_model(kind: str) -> None:
    row = BY_KIND[kind]
    fields = row.request.fields
    inputs = sdk_inputs(kind) - set(row.parameters)
    assert [name for name in inputs if name in fields and fields[name].read_only] == READ_ONLY_INPUTS.get(kind, [])


def sdk_inputs(kind: str) -> set[str]:
    _, module, name = kind.split(":")
    file = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()
    source = importlib.import_module(f"pulumi_azure_native.{module}.{file}")
    names = (f"{name}InitArgs", f"{name}Args")  # the first where a nested type has the plain name
    arguments = next(vars(source)[item] for item in names if item in vars(source))
    properties = {key: value for key, value in vars(arguments).items() if isinstance(value, property)}
    return {str(getattr(value.fget, "_pulumi_name", key)) for key, value in properties.items()}


def vm() -> ResourceType:
    return BY_KIND["azure-native:compute:VirtualMachine"]


def test_flattened_properties_travel_inside_properties() -> None:
    body, problems = bodies.encode(vm().request, {"location": "westus", "hardwareProfile": {"vmSize": "X"}})
    assert (body, problems) == ({"location": "westus", "properties": {"hardwareProfile": {"vmSize": "X"}}}, [])


def test_nested_models_are_flattened_as_well() -> None:
    shape = BY_KIND["azure-native:network:VirtualNetwork"].request
    subnet = {"name": "a", "addressPrefix": "10.0.0.0/24"}
    body, _ = bodies.encode(shape, {"subnets": [subnet]})
    assert body["properties"]["subnets"] == [{"name": "a", "properties": {"addressPrefix": "10.0.0.0/24"}}]
    assert bodies.decode(shape, body)["subnets"] == [subnet]


def test_models_of_the_older_generation_work_alike() -> None:
    shape = BY_KIND["azure-native:devtestlab:GlobalSchedule"].request
    body, problems = bodies.encode(shape, {"dailyRecurrence": {"time": "1900"}, "status": "Enabled"})
    assert body == {"properties": {"dailyRecurrence": {"time": "1900"}, "status": "Enabled"}}
    assert problems == []


def test_a_role_definition_keeps_its_type_apart_from_the_resource_type() -> None:
    shape = BY_KIND["azure-native:authorization:RoleDefinition"].request
    assert bodies.encode(shape, {"roleType": "CustomRole"}) == ({"properties": {"type": "CustomRole"}}, [])


def test_identities_become_the_map_that_the_service_takes() -> None:
    inputs = {"location": "x", "identity": {"type": "UserAssigned", "userAssignedIdentities": ["/a"]}}
    body, _ = bodies.encode(vm().request, inputs)
    assert body["identity"]["userAssignedIdentities"] == {"/a": {}}


def test_an_unknown_property_is_refused_with_a_suggestion(cloud: Cloud) -> None:
    found = cloud.problems("compute:VirtualMachine", vmName="vm", hardwareProfil={})
    assert found == {"hardwareProfil": "is not a property of VirtualMachine; did you mean 'hardwareProfile'?"}


def test_an_unknown_property_deep_inside_is_refused(cloud: Cloud) -> None:
    found = cloud.problems("compute:VirtualMachine", vmName="vm", osProfile={"linuxConfiguration": {"sshKeys": []}})
    assert "osProfile.linuxConfiguration.sshKeys" in found


def test_a_read_only_property_is_refused(cloud: Cloud) -> None:
    found = cloud.problems("compute:VirtualMachine", vmName="vm", vmId="x")
    assert found == {"vmId": "is set by the service and cannot be given"}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("3", "must be of type integer, not str '3'"),
        (True, "must be of type integer, not bool True"),
        ([], "must be of type integer, not a list"),
    ],
)
def test_an_ill_typed_value_is_refused(cloud: Cloud, value: object, reason: str) -> None:
    found = cloud.problems("containerservice:AgentPool", resourceName="aks", agentPoolName="p", count=value)
    assert found == {"count": reason}


def test_a_missing_required_property_is_refused(cloud: Cloud) -> None:
    assert cloud.problems("keyvault:Vault", vaultName="kv") == {
        "properties": "is required by VaultCreateOrUpdateParameters"
    }
    nested = cloud.problems("keyvault:Vault", vaultName="kv", properties={"tenantId": "x"})
    assert nested == {"properties.sku": "is required by VaultProperties"}


def test_a_value_outside_its_enum_is_refused(cloud: Cloud) -> None:
    found = cloud.problems("compute:VirtualMachine", vmName="vm", priority="Cheap")
    assert found == {"priority": "must be one of Low, Regular, Spot, SpotPlus, not 'Cheap'"}


def test_machine_sizes_are_not_an_enum_because_the_published_one_is_years_old(cloud: Cloud) -> None:
    assert cloud.problems("compute:VirtualMachine", vmName="vm", hardwareProfile={"vmSize": "Standard_D8s_v5"}) == {}


def test_a_missing_path_parameter_is_refused(cloud: Cloud) -> None:
    found = cloud.problems("compute:VirtualMachine")
    assert found == {"vmName": "is required: it is a part of the resource's path"}


def test_values_that_are_not_known_yet_pass_every_check(cloud: Cloud) -> None:
    found = cloud.problems(
        "compute:VirtualMachine", vmName=UNKNOWN, hardwareProfile=UNKNOWN, priority=UNKNOWN, zones=[UNKNOWN]
    )
    assert found == {}


def test_a_reference_needs_only_its_id(cloud: Cloud) -> None:
    found = cloud.problems("network:NetworkInterface", networkInterfaceName="n", networkSecurityGroup={"id": "/x"})
    assert found == {}
