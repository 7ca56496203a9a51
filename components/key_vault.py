"""The vault with the SSH keys and kubeconfigs of the fleet."""

from collections.abc import Mapping, Sequence
from typing import TypedDict

import pulumi
from pulumi_azure_native import keyvault, monitor

from components.base import Component


class KeyVaultArgs(TypedDict):
    """Arguments of `KeyVault`."""

    vault_name: str
    """Name in Azure, unique in the world. Must not be an Output."""
    resource_group_name: pulumi.Input[str]
    location: pulumi.Input[str]
    tags: Mapping[str, str]
    tenant_id: pulumi.Input[str]
    soft_delete_days: int
    """Days that deleted secrets, and the name of the vault, are kept."""
    allowed_subnet_ids: Sequence[pulumi.Input[str]]
    """Subnets that may reach the vault; nobody else does."""
    workspace_id: pulumi.Input[str]
    """Log workspace for the audit log."""
    protect: bool
    """Refuse to delete the vault."""


class KeyVault(Component):
    """A Key Vault that is closed to everybody but named subnets and named identities.

    Resources: a `Vault` in RBAC mode with soft delete, purge protection and a firewall; a `DiagnosticSetting` that
    sends its audit log and metrics to the workspace.

    Refuses: access policies (RBAC only), a vault without purge protection, public access, trusted-service bypass.
    Secrets are not made here; their owners make them.
    """

    TYPE = "virt-ci:vault:KeyVault"
    ARGUMENTS = KeyVaultArgs

    name: pulumi.Output[str]
    """Name in Azure."""
    resource_id: pulumi.Output[str]
    """ARM id."""
    uri: pulumi.Output[str]
    """Address of the data plane."""

    def __init__(self, name: str, args: KeyVaultArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)
        vault = keyvault.Vault(
            self.child_name(),
            vault_name=args["vault_name"],
            resource_group_name=args["resource_group_name"],
            location=args["location"],
            tags=args["tags"],
            properties={
                "tenant_id": args["tenant_id"],
                "sku": {"family": keyvault.SkuFamily.A, "name": keyvault.SkuName.STANDARD},
                "enable_rbac_authorization": True,
                "enable_soft_delete": True,
                "soft_delete_retention_in_days": args["soft_delete_days"],
                "enable_purge_protection": True,
                "enabled_for_deployment": False,
                "enabled_for_disk_encryption": False,
                "enabled_for_template_deployment": False,
                "network_acls": {
                    "default_action": "Deny",
                    "bypass": "None",
                    "ip_rules": [],
                    "virtual_network_rules": [{"id": subnet} for subnet in args["allowed_subnet_ids"]],
                },
            },
            opts=self.options(protect=args["protect"]),
        )
        monitor.DiagnosticSetting(
            self.child_name("audit"),
            name="audit",
            resource_uri=vault.id,
            workspace_id=args["workspace_id"],
            logs=[{"category_group": "audit", "enabled": True}],
            metrics=[{"category": "AllMetrics", "enabled": True}],
            opts=self.options(),
        )
        self.name = vault.name
        self.resource_id = vault.id
        self.uri = vault.properties.apply(lambda properties: properties.vault_uri or "")
        self.register_outputs({"name": self.name, "resource_id": self.resource_id, "uri": self.uri})
