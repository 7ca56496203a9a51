"""What only the cloud can say before a deployment: whether the names that the stack wants can be had."""

from typing import TYPE_CHECKING

from virtci.core.problems import Problem
from virtci.settings.models import Settings

if TYPE_CHECKING:
    from azure.mgmt.keyvault import KeyVaultManagementClient


def vault_problems(settings: Settings, client: "KeyVaultManagementClient") -> list[Problem]:
    """Whether the vault of the hub exists already or its name is free; read-only."""
    if not settings.hub:
        return []
    name, group = settings.hub.key_vault.name, settings.hub.resource_group
    own = [vault for vault in client.vaults.list_by_subscription() if vault.name == name]
    if any(f"/resourcegroups/{group}/".lower() in str(vault.id).lower() for vault in own):
        return []
    answer = client.vaults.check_name_availability({"name": name, "type": "Microsoft.KeyVault/vaults"})
    if answer.name_available:
        return []
    return [
        Problem(
            "hub.keyVault.name",
            name,
            "a vault's name is unique in all of Azure, deleted vaults included",
            f"the deployment would stop half-way: {answer.message}",
            "recover the vault or choose another name; docs/runbooks/vault-name-soft-deleted.md",
        )
    ]
