"""What the cloud says of names before a deployment."""

import pytest

from tests.rehearsal.azure.simulated import Cloud, build
from tests.settings.stackfile import read, values
from virtci.core.problems import Problem
from virtci.fleet.preflight import vault_problems
from virtci.rehearsal.azure.arm import Scenario
from virtci.rehearsal.azure.server import serve
from virtci.rehearsal.world import vault_client

SUBSCRIPTION = "00000000-0000-0000-0000-0000000000a1"
VAULTS = {
    "hub": ("hub.keyVault.name", "kubevirtkv", "kubevirt-rg"),
    "kontain": ("runners.azure.vault", "kontain-runners", "auto-github-runner"),
}


def asked(cloud: Cloud, stack: str) -> list[Problem]:
    with serve(cloud.manager) as endpoint:
        return vault_problems(read(values(stack)), vault_client(endpoint.url, SUBSCRIPTION))


def cloud(**scenario: object) -> Cloud:
    return build(Scenario.model_validate({"subscription": SUBSCRIPTION, **scenario}))


@pytest.mark.parametrize("stack", VAULTS)
def test_a_name_that_is_free_is_no_problem(stack: str) -> None:
    assert asked(cloud(), stack) == []


@pytest.mark.parametrize("stack", VAULTS)
def test_a_name_that_others_have_or_that_is_soft_deleted_is_a_problem(stack: str) -> None:
    key, name, _ = VAULTS[stack]
    for taken in (cloud(taken_names={f"Microsoft.KeyVault/vaults:{name}"}), cloud(soft_deleted={name})):
        (problem,) = asked(taken, stack)
        assert (problem.key, problem.value) == (key, name)
        assert "vault-name-soft-deleted.md" in problem.fix


@pytest.mark.parametrize("stack", VAULTS)
def test_a_vault_that_is_ours_already_is_no_problem(stack: str) -> None:
    _, name, group = VAULTS[stack]
    ours = cloud()
    ours.group(group)
    ours.create(
        "keyvault:Vault", resourceGroupName=group, vaultName=name,
        properties={"tenantId": SUBSCRIPTION, "sku": {"family": "A", "name": "standard"}},
    )  # fmt: skip
    assert asked(ours, stack) == []


def test_a_stack_without_vaults_asks_nothing() -> None:
    empty = cloud()
    assert asked(empty, "dev") == []
    assert empty.journal.calls == []
