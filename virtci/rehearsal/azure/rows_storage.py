"""Rows of the storage service: accounts, their blob service, containers.

Names: azure-docs, resource-name-rules.md. Durations are typical ones, in simulated seconds. What a change replaces follows
the force-new list of the azure-native provider (provider/pkg/gen/replacement.go).
"""

from virtci.rehearsal.azure.resource_types import GROUP, NameRule, ResourceType, Seconds

ACCOUNT = f"{GROUP}/providers/Microsoft.Storage/storageAccounts/{{accountName}}"
MODELS = "azure.mgmt.storage.models"

ROWS: tuple[ResourceType, ...] = (
    ResourceType(
        kind="azure-native:storage:StorageAccount",
        path=ACCOUNT,
        module=MODELS,
        model="StorageAccount",
        request_model="StorageAccountCreateParameters",
        name=NameRule(
            r"[a-z0-9]{3,24}",
            "Storage account name must be between 3 and 24 characters in length and use numbers and lower-case letters "
            "only.",
            "AccountNameInvalid",
        ),
        replaced=(
            "isHnsEnabled",
            "enableNfsV3",
            "encryption.requireInfrastructureEncryption",
            "immutableStorageWithVersioning",
        ),
        seconds=Seconds(25, 4, 4),
        hooks="storage_account",
    ),
    ResourceType(
        kind="azure-native:storage:BlobServiceProperties",
        path=f"{ACCOUNT}/blobServices/{{blobServicesName}}",
        module=MODELS,
        model="BlobServiceProperties",
        name=NameRule(r"default", "The request url is not found.", "HttpResourceNotFound", 404),
        seconds=Seconds(2, 2, 2),
        hooks="blob_service",
        stateful=False,
        singleton=True,
    ),
    ResourceType(
        kind="azure-native:storage:BlobContainer",
        path=f"{ACCOUNT}/blobServices/default/containers/{{containerName}}",
        module=MODELS,
        model="BlobContainer",
        name=NameRule(
            r"\$root|\$web|(?!.*--)[a-z0-9][a-z0-9-]{1,61}[a-z0-9]",
            "It must be 3-63 lower-case letters, digits and single hyphens, and begin and end with a letter or digit.",
            "ContainerOperationFailure",
        ),
        seconds=Seconds(2, 2, 2),
        hooks="blob_container",
        stateful=False,
    ),
    ResourceType(
        kind="azure-native:storage:ManagementPolicy",
        path=f"{ACCOUNT}/managementPolicies/{{managementPolicyName}}",
        module=MODELS,
        model="ManagementPolicy",
        name=NameRule(r"default", "The request url is not found.", "HttpResourceNotFound", 404),
        seconds=Seconds(2, 2, 2),
        hooks="storage_lifecycle",
        stateful=False,
    ),
)
