"""What only the cloud can say before a deployment: whether the names that the stack wants can be had."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from virtci.core.problems import Problem
from virtci.settings.models import Settings

if TYPE_CHECKING:
    from azure.mgmt.keyvault import KeyVaultManagementClient


def vault_problems(settings: Settings, client: "KeyVaultManagementClient") -> list[Problem]:
    """Whether the vaults of the stack exist already or their names are free; read-only."""
    wanted = list(_vaults(settings))
    own = list(client.vaults.list_by_subscription()) if wanted else []
    problems = []
    for key, name, group in wanted:
        if any(vault.name == name and f"/resourcegroups/{group}/".lower() in str(vault.id).lower() for vault in own):
            continue
        answer = client.vaults.check_name_availability({"name": name, "type": "Microsoft.KeyVault/vaults"})
        if not answer.name_available:
            problems.append(
                Problem(
                    key,
                    name,
                    "a vault's name is unique in all of Azure, deleted vaults included",
                    f"the deployment would stop half-way: {answer.message}",
                    "recover the vault or choose another name; docs/runbooks/vault-name-soft-deleted.md",
                )
            )
    return problems


def _vaults(settings: Settings) -> Iterator[tuple[str, str, str]]:
    """Key, name and resource group of every vault that a stack declares."""
    if settings.hub:
        yield "hub.keyVault.name", settings.hub.key_vault.name, settings.hub.resource_group
    if settings.runners and settings.runners.azure:
        yield "runners.azure.vault", settings.runners.azure.vault, settings.runners.azure.resource_group
