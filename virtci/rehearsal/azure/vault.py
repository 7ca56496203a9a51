"""Key vaults with soft delete, and their secrets."""

from dataclasses import dataclass, field
from datetime import timedelta

from virtci.rehearsal.azure import errors
from virtci.rehearsal.azure.store import Hooks, Record, Store, Write, stable_uuid
from virtci.rehearsal.bridge import Values
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


@dataclass
class Version:
    """One version of a secret, as the data plane shows it."""

    id: str
    value: str = field(repr=False)
    created: int
    updated: int
    content_type: str | None = None
    tags: dict[str, str] = field(default_factory=dict)
    attributes: Values = field(default_factory=dict)
    """`enabled`, and where they are set `nbf` and `exp`."""

    @property
    def dates(self) -> Values:
        """The attributes with the times that the service adds."""
        return {"enabled": True} | self.attributes | {"created": self.created, "updated": self.updated}


def versions(record: Record) -> list[Version]:
    """The versions of a secret, the oldest first."""
    found: list[Version] = record.notes.setdefault("versions", [])
    return found


def secret_in(store: Store, vault: Record, name: str) -> Record | None:
    """The secret of a vault."""
    return store.get(f"{vault.id}/secrets/{name}")


def set_secret(store: Store, record: Record, value: str, properties: Values, tags: dict[str, str]) -> Version:
    """Makes a new version; what Resource Manager shows of the secret follows it."""
    now = int(store.clock.now.timestamp())
    attributes = {key: item for key, item in (properties.get("attributes") or {}).items() if item is not None}
    identity = stable_uuid(record.guid, str(len(versions(record))), str(store.clock.seconds)).replace("-", "")
    made = Version(identity, value, now, now, properties.get("contentType"), dict(tags), attributes)
    versions(record).append(made)
    show_version(record, made)
    return made


def change_version(
    store: Store, record: Record, version: Version, properties: Values, tags: dict[str, str] | None
) -> None:
    """Changes of a version what is named; its value stays."""
    if "attributes" in properties:
        given = {key: item for key, item in (properties["attributes"] or {}).items() if item is not None}
        version.attributes = version.attributes | given
    if "contentType" in properties:
        version.content_type = properties["contentType"]
    version.tags = version.tags if tags is None else dict(tags)
    version.updated = int(store.clock.now.timestamp())
    if version is versions(record)[-1]:
        show_version(record, version)


def show_version(record: Record, version: Version) -> None:
    """Brings what Resource Manager shows of a secret up to its newest version."""
    uri = f"https://{record.id.split('/')[-3].lower()}.vault.azure.net/secrets/{record.name}"
    record.properties |= {"secretUri": uri, "secretUriWithVersion": f"{uri}/{version.id}"}
    record.properties["attributes"] = version.dates | {"created": versions(record)[0].created}
    record.properties["contentType"] = version.content_type
    if version.tags or "tags" in record.body:
        record.body["tags"] = dict(version.tags)


def buried(store: Store, vault: Record, name: str) -> Values | None:
    """A soft-deleted secret of a vault, as long as its retention lasts."""
    found = store.tombstones.get(_grave(vault, name))
    return found if found and store.clock.now < found["until"] else None


def unbury(store: Store, vault: Record, name: str) -> None:
    """Forgets a soft-deleted secret: it was purged, or is back."""
    store.tombstones.pop(_grave(vault, name), None)


def _grave(vault: Record | None, name: str) -> str:
    """Where a soft-deleted secret of this vault (not of an earlier one with its name) is remembered."""
    return f"{vault.guid if vault else ''}/{name}".lower()


def _vault_of(store: Store, secret: str) -> Record | None:
    return store.get(secret.rsplit("/", 2)[0])


def _check_secret(write: Write) -> None:
    vault = _vault_of(write.store, write.address.id)
    if vault and buried(write.store, vault, write.address.name):
        text = (
            f"Secret {write.address.name} is currently in a deleted but recoverable state, and its name cannot be "
            "reused; in this state, the secret can only be recovered or purged."
        )
        raise errors.conflict("ConflictError", text)


def bury(store: Store, record: Record) -> None:
    """Keeps a deleted secret for the retention of its vault."""
    vault = _vault_of(store, record.id)
    if vault is not None:
        days = int(vault.properties.get("softDeleteRetentionInDays", DEFAULT_RETENTION))
        until = store.clock.now + timedelta(days=days)
        store.tombstones[_grave(vault, record.name)] = {"until": until, "deleted": store.clock.now, "record": record}


def _begin_secret(write: Write, record: Record) -> None:
    if write.old:
        record.notes["versions"] = versions(write.old)


def _complete_secret(write: Write, record: Record) -> None:
    """A new value makes a new version; the same one again changes the version there."""
    asked, known = write.properties, versions(record)
    tags = {str(key): str(item) for key, item in (record.body.get("tags") or {}).items()}
    if known and known[-1].value == asked.get("value"):
        change_version(write.store, record, known[-1], {"contentType": None} | asked, tags)
    else:
        set_secret(write.store, record, str(asked.get("value", "")), asked, tags)
    parent = _vault_of(write.store, record.id)
    record.body["location"] = parent.location if parent else ""


def _view_secret(_: Store, record: Record) -> Values:
    """The value never leaves through Resource Manager."""
    hidden = {key: item for key, item in record.properties.items() if key != "value" and item is not None}
    return record.body | {"properties": hidden}


HOOKS = {
    "vault": Hooks(check=_check_vault, complete=_complete_vault, deleted=_delete_vault),
    "secret": Hooks(
        check=_check_secret, begin=_begin_secret, complete=_complete_secret, view=_view_secret, deleted=bury
    ),
}
