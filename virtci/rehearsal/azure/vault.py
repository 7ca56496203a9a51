"""Key vaults with soft delete, and their secrets."""

from datetime import timedelta

from virtci.rehearsal.azure import errors
from virtci.rehearsal.azure.store import Hooks, Record, Store, Write, stable_uuid
from virtci.rehearsal.bridge import Values
from virtci.rehearsal.clock import START
from virtci.rehearsal.journal import CloudError

VAULTS = "Microsoft.KeyVault/vaults"
DEFAULT_RETENTION = 90


def tombstone(store: Store, name: str) -> Values | None:
    """The soft-deleted vault of a name, as long as its retention lasts."""
    if name.lower() in {item.lower() for item in store.scenario.soft_deleted}:
        return {"name": name, "purgeProtected": True, "until": None}
    found = store.tombstones.get(name.lower())
    if found and found["until"] <= store.clock.now:
        store.tombstones.pop(name.lower())
        return None
    return found


def _check_vault(write: Write) -> None:
    name, asked = write.address.name, write.properties
    if write.old is None:
        _check_name_is_free(write.store, name, str(asked.get("createMode", "default")))
    before = write.old.properties.get("enablePurgeProtection") if write.old else None
    if asked.get("enablePurgeProtection") is False or (before and asked.get("enablePurgeProtection") is None):
        text = (
            'The property "enablePurgeProtection" cannot be set to false. Enabling the purge protection for a vault is '
            "an irreversible action."
        )
        raise errors.bad("BadRequest", text)
    days = asked.get("softDeleteRetentionInDays", DEFAULT_RETENTION)
    if not 7 <= int(days) <= DEFAULT_RETENTION:
        text = f'The property "softDeleteRetentionInDays" is {days}; it must be between 7 and 90.'
        raise errors.bad("BadRequest", text)
    if write.old and days != write.old.properties["softDeleteRetentionInDays"]:
        text = 'The property "softDeleteRetentionInDays" has been set already and it can\'t be modified.'
        raise errors.bad("BadRequest", text)


def name_availability(store: Store, body: Values) -> Values:
    """Whether a new vault could have a name."""
    try:
        _check_name_is_free(store, str(body.get("name")), "default")
    except CloudError as taken:
        return {"nameAvailable": False, "reason": "AlreadyExists", "message": taken.message}
    return {"nameAvailable": True}


def _check_name_is_free(store: Store, name: str, mode: str) -> None:
    if tombstone(store, name) and mode != "recover":
        text = (
            f"A vault with the same name '{name}' already exists in deleted state. You need to either recover or purge "
            "existing key vault. Follow this link https://go.microsoft.com/fwlink/?linkid=2149745 for more information "
            "on soft delete."
        )
        raise errors.conflict("ConflictError", text)
    taken = {item.lower() for item in store.scenario.taken_names}
    elsewhere = any(item.name.lower() == name.lower() for item in store.of_type(VAULTS))
    if f"{VAULTS}:{name}".lower() in taken or elsewhere:
        text = (
            f"The vault name '{name}' is already in use. Vault names are globally unique so it is possible that the "
            "name is already taken. If you are sure that the vault name was not taken then it is possible that a vault "
            "with the same name was recently deleted but not purged after being placed in a recoverable state."
        )
        raise errors.conflict("VaultAlreadyExists", text)


def _complete_vault(write: Write, record: Record) -> None:
    write.store.tombstones.pop(record.name.lower(), None)
    properties = record.properties
    properties["vaultUri"] = f"https://{record.name.lower()}.vault.azure.net/"
    properties.setdefault("enableSoftDelete", True)
    properties.setdefault("softDeleteRetentionInDays", DEFAULT_RETENTION)
    properties.setdefault("enableRbacAuthorization", False)
    properties.setdefault("publicNetworkAccess", "Enabled")
    properties.setdefault("accessPolicies", [])


def _delete_vault(store: Store, record: Record) -> None:
    days = int(record.properties.get("softDeleteRetentionInDays", DEFAULT_RETENTION))
    store.tombstones[record.name.lower()] = {
        "name": record.name,
        "vaultId": record.id,
        "location": record.location,
        "purgeProtected": bool(record.properties.get("enablePurgeProtection")),
        "until": store.clock.now + timedelta(days=days),
        "deleted": store.clock.now,
    }


# --- soft-deleted vaults as the service shows them ---


def deleted_vaults(store: Store) -> Values:
    """The soft-deleted vaults of the subscription."""
    alive = [tombstone(store, name) for name in sorted(store.tombstones) if "/" not in name]
    return {"value": [_shown(store, item) for item in alive if item]}


def deleted_vault(store: Store, region: str, name: str) -> Values:
    """One soft-deleted vault."""
    return _shown(store, _tombstone_or_refuse(store, region, name))


def purge(store: Store, region: str, name: str, _: Values) -> Values:
    """Removes a soft-deleted vault for good, unless purge protection forbids it."""
    found = _tombstone_or_refuse(store, region, name)
    if found["purgeProtected"]:
        text = f"Vault '{name}' has purge protection enabled; it cannot be purged before its retention ends."
        raise CloudError(409, "MethodNotAllowed", text)
    store.tombstones.pop(name.lower())
    return {}


def _tombstone_or_refuse(store: Store, region: str, name: str) -> Values:
    found = tombstone(store, name)
    if found is None:
        raise CloudError(404, "DeletedVaultNotFound", f"The deleted vault '{name}' was not found in {region}.")
    return found


def _shown(store: Store, found: Values) -> Values:
    region = found.get("location", "")
    return {
        "id": f"/subscriptions/{store.scenario.subscription}/providers/Microsoft.KeyVault/locations/{region}"
        f"/deletedVaults/{found['name']}",
        "name": found["name"],
        "type": "Microsoft.KeyVault/deletedVaults",
        "properties": {
            "vaultId": found.get("vaultId"),
            "location": region,
            "deletionDate": found["deleted"].isoformat() if found.get("deleted") else None,
            "scheduledPurgeDate": found["until"].isoformat() if found.get("until") else None,
            "purgeProtectionEnabled": found["purgeProtected"],
        },
    }


# --- secrets ---


def _buried(store: Store, secret: str) -> str:
    """Where a soft-deleted secret of this vault (not of an earlier one with its name) is remembered."""
    vault = store.get(secret.rsplit("/", 2)[0])
    return f"{vault.guid if vault else ''}/{secret.rsplit('/', 1)[-1]}".lower()


def _check_secret(write: Write) -> None:
    found = write.store.tombstones.get(_buried(write.store, write.address.id))
    if found and write.store.clock.now < found["until"]:
        text = (
            f"Secret {write.address.name} is currently in a deleted but recoverable state, and its name cannot be "
            "reused; in this state, the secret can only be recovered or purged."
        )
        raise errors.conflict("ConflictError", text)


def _delete_secret(store: Store, record: Record) -> None:
    vault = store.get(record.id.rsplit("/", 2)[0])
    if vault is not None:
        days = int(vault.properties.get("softDeleteRetentionInDays", DEFAULT_RETENTION))
        store.tombstones[_buried(store, record.id)] = {"until": store.clock.now + timedelta(days=days)}


def _complete_secret(write: Write, record: Record) -> None:
    same = write.old is not None and write.old.asked["properties"].get("value") == write.properties.get("value")
    version = write.old.notes["version"] if write.old and same else int(write.store.clock.seconds * 1000)
    record.notes["version"] = version
    vault = record.id.split("/")[-3].lower()
    uri = f"https://{vault}.vault.azure.net/secrets/{record.name}"
    digest = stable_uuid(record.guid, str(version)).replace("-", "")
    record.properties |= {"secretUri": uri, "secretUriWithVersion": f"{uri}/{digest}"}
    created = int((START + timedelta(seconds=record.created)).timestamp())
    attributes = record.properties.setdefault("attributes", {})
    attributes |= {"created": created, "updated": int(write.store.clock.now.timestamp())}
    attributes.setdefault("enabled", True)
    parent = write.store.get(record.id.rsplit("/", 2)[0])
    record.body["location"] = parent.location if parent else ""


def _view_secret(_: Store, record: Record) -> Values:
    """The value never leaves through Resource Manager."""
    return record.body | {"properties": {key: item for key, item in record.properties.items() if key != "value"}}


HOOKS = {
    "vault": Hooks(check=_check_vault, complete=_complete_vault, deleted=_delete_vault),
    "secret": Hooks(check=_check_secret, complete=_complete_secret, view=_view_secret, deleted=_delete_secret),
}
