"""A storage account for state and records that programs share."""

from collections.abc import Mapping, Sequence
from typing import TypedDict

import pulumi
from pulumi_azure_native import storage

from components.base import Component
from virtci.core.names import named

KEPT_DAYS = 14
"""How long overwritten and deleted blobs can be brought back."""


class StateAccountArgs(TypedDict):
    """Arguments of `StateAccount`."""

    account_name: str
    """Name in Azure, unique in the world. Must not be an Output."""
    resource_group_name: pulumi.Input[str]
    location: pulumi.Input[str]
    tags: Mapping[str, str]
    containers: Sequence[str]
    """Names of the containers. Must not be an Output."""
    protect: bool
    """Refuse to delete the account and its containers."""


class StateAccount(Component):
    """A storage account whose blobs only named identities read and write, and whose older versions come back.

    Resources: a `StorageAccount`, replicated to another region; its `BlobServiceProperties` with versions and soft
    delete; a `ManagementPolicy` that lets old versions go, because leases are written every minute; a `BlobContainer`
    per name.

    Refuses: account keys and what is signed with them, anonymous readers, local users, plain HTTP, copies to other
    tenants. Its network is open, because workflows on GitHub's own machines have no known address: rights on single
    containers are what keeps others out.
    """

    TYPE = "virt-ci:storage:StateAccount"
    ARGUMENTS = StateAccountArgs

    name: pulumi.Output[str]
    """Name in Azure."""
    resource_id: pulumi.Output[str]
    """ARM id."""
    endpoint: pulumi.Output[str]
    """Address of the blobs."""
    container_ids: dict[str, pulumi.Output[str]]
    """ARM ids of the containers by name; rights are given on them."""

    def __init__(self, name: str, args: StateAccountArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)
        account = self._account(args)
        service = self._service(args, account)
        self._forget_old_versions(args, account, service)
        containers = {
            container: storage.BlobContainer(
                self.child_name(container),
                container_name=named("blob_container", container),
                account_name=account.name,
                resource_group_name=args["resource_group_name"],
                public_access="None",
                opts=self.options(protect=args["protect"], depends_on=[service]),
            )
            for container in args["containers"]
        }
        self.name = account.name
        self.resource_id = account.id
        self.endpoint = account.primary_endpoints.apply(lambda found: found.blob)
        self.container_ids = {container: item.id for container, item in containers.items()}
        self.register_outputs({"name": self.name, "resource_id": self.resource_id, "endpoint": self.endpoint})

    def _account(self, args: StateAccountArgs) -> storage.StorageAccount:
        return storage.StorageAccount(
            self.child_name(),
            account_name=named("storage_account", args["account_name"]),
            resource_group_name=args["resource_group_name"],
            location=args["location"],
            tags=args["tags"],
            kind="StorageV2",
            sku={"name": "Standard_GRS"},
            access_tier="Hot",
            allow_blob_public_access=False,
            allow_shared_key_access=False,
            allow_cross_tenant_replication=False,
            allowed_copy_scope="AAD",
            default_to_o_auth_authentication=True,
            enable_https_traffic_only=True,
            is_local_user_enabled=False,
            is_sftp_enabled=False,
            minimum_tls_version="TLS1_2",
            public_network_access="Enabled",
            network_rule_set={"default_action": storage.DefaultAction.ALLOW, "bypass": "None"},
            sas_policy={"expiration_action": "Block", "sas_expiration_period": "00.01:00:00"},
            opts=self.options(protect=args["protect"]),
        )

    def _service(self, args: StateAccountArgs, account: storage.StorageAccount) -> storage.BlobServiceProperties:
        kept: storage.DeleteRetentionPolicyArgsDict = {"enabled": True, "days": KEPT_DAYS}
        return storage.BlobServiceProperties(
            self.child_name("blobs"),
            # The SDK would make up a name; the service knows this one alone (pulumi-azure-native#4022).
            blob_services_name="default",
            account_name=account.name,
            resource_group_name=args["resource_group_name"],
            is_versioning_enabled=True,
            delete_retention_policy=kept,
            container_delete_retention_policy=kept,
            opts=self.options(),
        )

    def _forget_old_versions(
        self, args: StateAccountArgs, account: storage.StorageAccount, service: storage.BlobServiceProperties
    ) -> None:
        gone: storage.DateAfterCreationArgsDict = {"days_after_creation_greater_than": KEPT_DAYS}
        storage.ManagementPolicy(
            self.child_name("lifecycle"),
            management_policy_name="default",
            account_name=account.name,
            resource_group_name=args["resource_group_name"],
            policy={
                "rules": [
                    {
                        "name": "forget-old-versions",
                        "type": "Lifecycle",
                        "enabled": True,
                        "definition": {
                            "actions": {"version": {"delete": gone}},
                            "filters": {"blob_types": ["blockBlob"]},
                        },
                    }
                ]
            },
            opts=self.options(depends_on=[service]),
        )
