"""The committed stacks: what they register is a reviewed file, and what must hold for every resource does."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.committed import CLUSTER_STACKS, ROOT, RUNNER_STACKS, STACKS, fleet
from tests.recorder import SECRET, Registration
from virtci.core.tags import tag_faults
from virtci.outputs.check import contract_faults

GOLDEN = Path(__file__).parent / "golden"
IN_CLOUDS = (*STACKS, *RUNNER_STACKS)
EVERY = (*IN_CLOUDS, *CLUSTER_STACKS)
SECRET_PATHS = {
    "azure-native:keyvault:Secret": "properties.value",
    "github:index/actionsEnvironmentSecret:ActionsEnvironmentSecret": "plaintextValue",
    "azure-native:compute:VirtualMachine": "osProfile.customData",
}


def rendered(stack: str) -> str:
    """Every registration with its inputs, secrets masked, in a stable order."""
    lines: list[str] = []
    for item in sorted(fleet(stack).registrations, key=lambda found: (found.name, found.kind)):
        options = {
            "protect": item.protect,
            "ignoreChanges": item.ignore_changes,
            "replaceOnChanges": item.replace_on_changes,
            "deleteBeforeReplace": item.delete_before_replace,
        }
        entry = {
            "type": item.kind,
            "name": item.name,
            "parent": item.parent.rsplit("::", 1)[-1],
            **{key: value for key, value in options.items() if value},
            "inputs": masked(item.inputs),
        }
        lines.append(json.dumps(entry, indent=1, sort_keys=True))
    return "\n".join(lines) + "\n"


def masked(value: Any) -> Any:
    """A value in which secrets are replaced by a mark."""
    if isinstance(value, dict):
        if SECRET in value:
            return "[secret]"
        return {key: masked(item) for key, item in value.items()}
    if isinstance(value, list):
        return [masked(item) for item in value]
    return value


def custom(stack: str) -> list[Registration]:
    """The cloud resources of a stack."""
    return [item for item in fleet(stack).registrations if item.custom]


@pytest.mark.parametrize("stack", EVERY)
def test_the_registrations_are_those_of_the_reviewed_file(stack: str) -> None:
    """A change of the program shows here as a diff: UPDATE_GOLDEN=1 writes the file anew, a person reads it."""
    golden = GOLDEN / f"{stack}.registrations.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(rendered(stack))

    assert rendered(stack) == golden.read_text()


@pytest.mark.parametrize("stack", IN_CLOUDS)
def test_every_resource_that_can_have_tags_has_the_required_ones(stack: str) -> None:
    tagged = [item for item in custom(stack) if "tags" in item.inputs]

    assert tagged
    assert {item.name: tag_faults(item.plain()["tags"]) for item in tagged} == {item.name: [] for item in tagged}


@pytest.mark.parametrize("stack", EVERY)
def test_every_secret_input_is_a_secret_to_the_engine(stack: str) -> None:
    for item in custom(stack):
        path = SECRET_PATHS.get(item.kind)
        if path:
            assert item.is_secret(path), f"{item.name}: {path} is in plain text"


@pytest.mark.parametrize("stack", EVERY)
def test_no_private_key_stands_in_plain_text_anywhere(stack: str) -> None:
    assert "private-of-" not in rendered(stack)
    assert "private-of-" not in json.dumps(masked(fleet(stack).exports))


@pytest.mark.parametrize("stack", EVERY)
def test_the_outputs_keep_the_contract(stack: str) -> None:
    assert contract_faults(fleet(stack).exports) == []


@pytest.mark.parametrize("stack", EVERY)
def test_every_cloud_resource_has_an_explicit_provider(stack: str) -> None:
    ambient = [
        item.name
        for item in custom(stack)
        if not item.provider and not item.kind.startswith(("pulumi:providers:", "pulumi:pulumi:"))
    ]

    assert ambient == []


def test_the_composition_root_stays_small_and_knows_no_stack_by_name() -> None:
    text = (ROOT / "__main__.py").read_text()

    assert len(text.splitlines()) < 80
    assert not [name for name in IN_CLOUDS if f'== "{name}"' in text]


def test_what_cannot_be_made_again_is_protected() -> None:
    kinds = ("keyvault:Vault", "containerservice:ManagedCluster", "storage:StorageAccount", "storage:BlobContainer")
    found = [item for stack in IN_CLOUDS for item in custom(stack) if item.kind.removeprefix("azure-native:") in kinds]

    assert [item.protect for item in found] == [True] * 6


def test_the_inventory_has_the_names_and_sizes_that_exist_today() -> None:
    machines = {
        item.inputs["vmName"]: (item.inputs["resourceGroupName"], item.inputs["hardwareProfile"]["vmSize"])
        for stack in STACKS
        for item in fleet(stack).all("azure-native:compute:VirtualMachine")
    }

    assert machines == {
        "kubevirt-gh-actions-runner-1": ("kubevirt-rg", "Standard_D4s_v5"),
        "kubevirt-gh-actions-runner-2": ("kubevirt-rg", "Standard_D4s_v5"),
        "kubevirt-gh-actions-runner-3": ("kubevirt-rg", "Standard_D4s_v5"),
        "kubevirt-dev-mshv-qemu-k3s-vm": ("kubevirt-dev-mshv-qemu-k3s-rg", "Standard_D8s_v5"),
        "kubevirt-test-mshv-vm-k3s": ("kubevirt-test-mshv-vm-rg", "Standard_D8s_v5"),
        "kubevirt-e2e-vm-k3s": ("kubevirt-e2e-vm-rg", "Standard_D64s_v5"),
    }


def test_the_cluster_has_the_pools_that_exist_today() -> None:
    cluster = fleet("test").one("azure-native:containerservice:ManagedCluster").inputs
    workers = fleet("test").one("azure-native:containerservice:AgentPool").inputs
    system = cluster["agentPoolProfiles"][0]

    assert (cluster["resourceName"], cluster["resourceGroupName"]) == ("kubevirt-e2e-tests-aks", "kubevirt-rg")
    assert (system["count"], system["vmSize"]) == (2, "Standard_D4ds_v5")
    assert (workers["count"], workers["vmSize"], workers["minCount"]) == (1, "Standard_D8s_v5", 0)
