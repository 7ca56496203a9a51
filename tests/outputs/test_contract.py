"""Outputs are held against the contract: what breaks it is said, and no value is shown."""

from typing import Any

import pytest
from pydantic import ValidationError

from tests.outputs.sample import changed, outputs
from virtci.core.environments import Environment
from virtci.outputs.check import contract_faults, read
from virtci.outputs.contract import VERSION, Outputs

SEALED = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "plaintext": '"hunter2"'}


def test_realistic_outputs_keep_the_contract() -> None:
    assert contract_faults(outputs()) == []
    assert read(outputs()).environments[Environment.TEST_MSHV].tests.enabled is False


def test_stack_without_optional_sections_keeps_the_contract() -> None:
    assert contract_faults({"contractVersion": VERSION, "stack": "dev", "region": "westus"}) == []


@pytest.mark.parametrize(
    ("path", "value", "place"),
    [
        ("region", ..., "region: Field required"),
        ("contractVersion", ..., "contractVersion: Field required"),
        ("contractVersion", 2, "contractVersion: Input should be 1"),
        ("machines.0.role", "helper", "machines.0.role: Input should be 'environment' or 'runner'"),
        ("machines.1.lifetime", "forever", "machines.1.lifetime: Input should be 'durable'"),
        ("machines.1.environment", "prod", "machines.1.environment: Input should be 'dev'"),
        ("environments.dev.gate", "On", "environments.dev.gate: Input should be 'off'"),
        ("environments.dev.tests.focus", "", "environments.dev.tests.focus: String should have at least 1"),
        ("environments.prod", {}, "environments.prod: Input should be 'dev'"),
        ("vault.uri", None, "vault.uri: Input should be a valid string"),
        ("vault.resource_group", "kubevirt-rg", "vault.resource_group: Extra inputs are not permitted"),
        ("vault.secretValue", "hunter2", "vault.secretValue: Extra inputs are not permitted"),
        ("kubeconfig", "hunter2", "kubeconfig: Extra inputs are not permitted"),
        ("runnerLabels", "linux", "runnerLabels: Input should be a valid tuple"),
    ],
)
def test_breach_is_named_by_its_place(path: str, value: Any, place: str) -> None:
    faults = contract_faults(changed(path, value))
    assert any(fault.startswith(place) for fault in faults), faults


@pytest.mark.parametrize(
    "path", ["vault.uri", "region", "machines.0.user", "environments.dev.identity.clientId", "roles.publisher"]
)
def test_sealed_value_breaks_the_contract_and_is_not_shown(path: str) -> None:
    faults = contract_faults(changed(path, SEALED))
    assert faults
    assert not any("hunter2" in fault for fault in faults)


def test_every_breach_is_reported_at_once() -> None:
    broken = changed("vault.uri", ..., changed("stack", ..., changed("machines.2.size", 8)))
    assert [fault.split(":")[0] for fault in contract_faults(broken)] == ["stack", "vault.uri", "machines.2.size"]


@pytest.mark.parametrize("nonsense", [[], ["a"], "text", None, 7])
def test_outputs_that_are_no_object_break_the_contract(nonsense: Any) -> None:
    (fault,) = contract_faults(nonsense)
    assert fault.startswith("outputs: ")


def test_keys_are_written_in_camel_case_only() -> None:
    renamed = {("workspace_id" if key == "workspaceId" else key): value for key, value in outputs().items()}
    assert contract_faults(renamed) == ["workspace_id: Extra inputs are not permitted"]


def test_reading_outputs_that_break_the_contract_is_an_error() -> None:
    with pytest.raises(ValidationError):
        read({})


def test_version_of_the_model_is_the_one_that_programs_export() -> None:
    assert Outputs.model_json_schema()["properties"]["contractVersion"]["const"] == VERSION
