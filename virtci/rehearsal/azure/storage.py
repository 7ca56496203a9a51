"""Storage accounts as Resource Manager sees them: names, the blob service that each has, containers.

Sources: azure-docs, storage/common/storage-account-overview.md (names are unique in all of Azure), storage/blobs
(soft-delete-blob-overview.md: 1 to 365 days; versioning-overview.md); azure-rest-api-specs, blob.json (models). What a
deleted account or container leaves behind is not simulated: neither keeps its name.
"""

from virtci.rehearsal.azure import errors
from virtci.rehearsal.azure.store import Hooks, Record, Store, Write, at
from virtci.rehearsal.bridge import Values
from virtci.rehearsal.journal import CloudError

ACCOUNTS = "Microsoft.Storage/storageAccounts"
SERVICES = f"{ACCOUNTS}/blobServices"
CONTAINERS = f"{SERVICES}/containers"
LONGEST_RETENTION = 365
POLICIES = ("deleteRetentionPolicy", "containerDeleteRetentionPolicy")


def name_availability(store: Store, body: Values) -> Values:
    """Whether a new account could have a name."""
    try:
        _check_name_is_free(store, str(body.get("name")))
    except CloudError as taken:
        return {"nameAvailable": False, "reason": "AlreadyExists", "message": taken.message}
    return {"nameAvailable": True}


def _check_account(write: Write) -> None:
    if write.old is None:
        _check_name_is_free(write.store, write.address.name)
    elif write.body.get("kind") != write.old.body.get("kind"):
        text = f"The property 'kind' of storage account {write.address.name} cannot be changed."
        raise errors.conflict("AccountPropertyCannotBeUpdated", text)


def _check_name_is_free(store: Store, name: str) -> None:
    taken = {item.lower() for item in store.scenario.taken_names}
    if f"{ACCOUNTS}:{name}".lower() in taken or any(item.name == name for item in store.of_type(ACCOUNTS)):
        text = f"The storage account named {name} is already taken."
        raise errors.conflict("StorageAccountAlreadyTaken", text)


def _complete_account(write: Write, record: Record) -> None:
    """What the service adds, and the defaults of what was left out: an account is open unless told otherwise."""
    properties, name = record.properties, record.name
    properties |= {
        "creationTime": write.first_made,
        "primaryEndpoints": {
            kind: f"https://{name}.{kind}.core.windows.net/" for kind in ("blob", "dfs", "file", "queue", "table")
        },
        "primaryLocation": record.location,
        "statusOfPrimary": "available",
    }
    defaults: Values = {
        "allowBlobPublicAccess": False,
        "minimumTlsVersion": "TLS1_2",
        "supportsHttpsTrafficOnly": True,
        "publicNetworkAccess": "Enabled",
        "networkAcls": {"bypass": "AzureServices", "defaultAction": "Allow", "virtualNetworkRules": [], "ipRules": []},
        "accessTier": "Hot",
        "encryption": {"keySource": "Microsoft.Storage"},
    }
    for key, value in defaults.items():
        properties.setdefault(key, value)
    service = f"{record.id}/blobServices/default"
    if write.store.get(service) is None:
        write.store.add(service, {"properties": {}})


def _check_service(write: Write) -> None:
    for name in POLICIES:
        policy = write.properties.get(name) or {}
        days = policy.get("days")
        if policy.get("enabled") and not (isinstance(days, int) and 1 <= days <= LONGEST_RETENTION):
            text = f"Value '{days}' of {name}.days is invalid: it must be between 1 and {LONGEST_RETENTION}."
            raise errors.bad("InvalidRequestPropertyValue", text)


def _complete_service(_: Write, record: Record) -> None:
    for name in POLICIES:
        record.properties.setdefault(name, {"enabled": False})


def _check_lifecycle(write: Write) -> None:
    account = write.store.get(f"{write.address.parent}/blobServices/default")
    rules = (write.properties.get("policy") or {}).get("rules") or []
    if not rules:
        raise errors.bad("InvalidRequestPropertyValue", "A management policy needs at least one rule.")
    versions = any((at(rule, "definition.actions") or {}).get("version") for rule in rules)
    if versions and account is not None and not account.properties.get("isVersioningEnabled"):
        text = "Versioning must be enabled on the account before a rule can act on versions."
        raise errors.bad("FeatureNotSupportedForAccount", text)


def _check_container(write: Write) -> None:
    account = write.store.get(write.address.parent.rsplit("/", 2)[0])
    public = str(write.properties.get("publicAccess") or "None")
    if account is not None and public != "None" and not account.properties["allowBlobPublicAccess"]:
        text = f"Public access is not permitted on storage account {account.name}."
        raise errors.conflict("PublicAccessNotPermitted", text)


def _begin_container(write: Write, record: Record) -> None:
    if write.old:
        record.notes = write.old.notes


def _complete_container(write: Write, record: Record) -> None:
    record.body["etag"] = f'"0x{record.guid.replace("-", "").upper()[:15]}"'
    record.properties.setdefault("publicAccess", "None")
    record.properties |= {
        "lastModifiedTime": write.store.clock.now.isoformat(),
        "leaseState": "Available",
        "leaseStatus": "Unlocked",
        "hasImmutabilityPolicy": False,
        "hasLegalHold": False,
    }


HOOKS = {
    "storage_account": Hooks(check=_check_account, complete=_complete_account),
    "blob_service": Hooks(check=_check_service, complete=_complete_service),
    "storage_lifecycle": Hooks(check=_check_lifecycle),
    "blob_container": Hooks(check=_check_container, begin=_begin_container, complete=_complete_container),
}
