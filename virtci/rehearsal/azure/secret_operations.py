"""What each operation on the secrets of a simulated Key Vault does, once the caller may do it.

Sources: the client's published models (bodies); Key Vault REST reference (operations, errors); azure-docs,
key-vault/general/about-keys-secrets-certificates.md (limits) and key-vault/secrets/about-secrets.md (a secret can be read
outside its dates).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from virtci.rehearsal.azure import models
from virtci.rehearsal.azure.arm import Response
from virtci.rehearsal.azure.bodies import judge
from virtci.rehearsal.azure.server import Request
from virtci.rehearsal.azure.store import Record, Store
from virtci.rehearsal.azure.vault import Version, buried, bury, change_version, secret_in, set_secret, unbury, versions
from virtci.rehearsal.bridge import Values
from virtci.rehearsal.journal import CloudError

MODULE = "azure.keyvault.secrets._generated.models"
SECRETS = "Microsoft.KeyVault/vaults/secrets"
PAGE = 25
MOST_BYTES = 25_600
MOST_TAGS = 15
NAME = r"[0-9a-zA-Z-]{1,127}"


class VaultError(CloudError):
    """A refusal in the words of the vault, with the inner code that tells refusals of one kind apart."""

    def __init__(self, status: int, code: str, message: str, inner: str = "") -> None:
        super().__init__(status, code, message)
        self.inner = inner


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that the caller may make: the vault, and what of it is meant."""

    store: Store
    vault: Record
    name: str
    version: str
    query: Mapping[str, str]
    request: Request

    @property
    def uri(self) -> str:
        """Where the vault is."""
        return f"https://{self.vault.name.lower()}.vault.azure.net"

    @property
    def record(self) -> Record:
        """The secret. Raises `VaultError` when there is none."""
        found = secret_in(self.store, self.vault, self.name)
        if found is None or not versions(found):
            raise self.not_found()
        return found

    @property
    def wanted(self) -> Version:
        """The version that is named, or the newest."""
        known = versions(self.record)
        found = next((item for item in known if item.id == self.version), None) if self.version else known[-1]
        if found is None:
            raise self.not_found()
        return found

    @property
    def grave(self) -> Values:
        """The soft-deleted secret. Raises `VaultError` when there is none."""
        found = buried(self.store, self.vault, self.name)
        if found is None:
            text = f"Deleted Secret not found: {self.name}"
            raise VaultError(404, "SecretNotFound", text)
        return found

    def not_found(self) -> VaultError:
        """What the vault says of a secret that it does not have."""
        text = (
            f"A secret with (name/id) {'/'.join(filter(None, (self.name, self.version)))} was not found in this key vault. "
            "If you recently deleted this secret you may be able to recover it using the correct recovery command. For "
            "help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125182"
        )
        return VaultError(404, "SecretNotFound", text)

    def body(self, model: str) -> Values:
        """The body, judged by the client's published model. Raises `VaultError`."""
        try:
            found = self.request.content
        except ValueError:
            raise VaultError(400, "BadParameter", "The request body is not a JSON object.") from None
        problems = judge(models.shape(MODULE, model), found or {})
        if problems:
            raise VaultError(400, "BadParameter", f"Property {problems[0].property} {problems[0].reason}.")
        return found or {}

    def page(self, items: list[Values]) -> Response:
        """The part of a list that was asked for."""
        start = int(self.query.get("$skiptoken", 0))
        size = min(int(self.query.get("maxresults", PAGE)), PAGE)
        rest = f"{urlsplit(self.request.target).path}?api-version={self.query['api-version']}"
        link = f"https://{self.request.headers.get('Host')}{rest}&$skiptoken={start + size}&maxresults={size}"
        return Response(
            200, {"value": items[start : start + size], "nextLink": link if len(items) > start + size else None}
        )


def _get(asked: Asked) -> Response:
    version = asked.wanted
    if not version.dates["enabled"]:
        raise VaultError(403, "Forbidden", "Operation get is not allowed on a disabled secret.", "SecretDisabled")
    return Response(200, {"value": version.value} | _shown(asked, asked.name, version))


def _set(asked: Asked) -> Response:
    body = asked.body("SecretSetParameters")
    if len(str(body["value"]).encode()) > MOST_BYTES:
        raise VaultError(400, "BadParameter", f"The value of the secret is longer than {MOST_BYTES} bytes.")
    if len(body.get("tags") or {}) > MOST_TAGS:
        raise VaultError(400, "BadParameter", f"A secret has at most {MOST_TAGS} tags.")
    if buried(asked.store, asked.vault, asked.name):
        text = (
            f"Secret {asked.name} is currently in a deleted but recoverable state, and its name cannot be reused; in this "
            "state, the secret can only be recovered or purged."
        )
        raise VaultError(409, "Conflict", text, "ObjectIsDeletedButRecoverable")
    record = secret_in(asked.store, asked.vault, asked.name)
    if record is None:
        place = f"{asked.vault.id}/secrets/{asked.name}"
        record = asked.store.add(place, {"location": asked.vault.location, "properties": {}})
    version = set_secret(asked.store, record, body["value"], body, body.get("tags") or {})
    return Response(200, {"value": version.value} | _shown(asked, asked.name, version))


def _update(asked: Asked) -> Response:
    body, version = asked.body("SecretUpdateParameters"), asked.wanted
    change_version(asked.store, asked.record, version, body, body.get("tags"))
    return Response(200, _shown(asked, asked.name, version))


def _list(asked: Asked) -> Response:
    records = sorted(asked.store.of_type(SECRETS, asked.vault.id), key=lambda item: item.id)
    latest = [(item, versions(item)[-1]) for item in records if versions(item)]
    return asked.page([_shown(asked, item.name, version, f"/secrets/{item.name}") for item, version in latest])


def _list_versions(asked: Asked) -> Response:
    return asked.page([_shown(asked, asked.name, version) for version in versions(asked.record)])


def _delete(asked: Asked) -> Response:
    record = asked.record
    asked.store.drop(record.id)
    bury(asked.store, record)
    return _get_deleted(asked)


def _get_deleted(asked: Asked) -> Response:
    return Response(200, _shown_deleted(asked, asked.grave))


def _list_deleted(asked: Asked) -> Response:
    names = sorted(
        key.rpartition("/")[2] for key in asked.store.tombstones if key.startswith(f"{asked.vault.guid}/".lower())
    )
    graves = [buried(asked.store, asked.vault, name) for name in names]
    return asked.page([_shown_deleted(asked, grave) for grave in graves if grave])


def _recover(asked: Asked) -> Response:
    record: Record = asked.grave["record"]
    asked.store.put(record)
    unbury(asked.store, asked.vault, asked.name)
    return Response(200, _shown(asked, asked.name, versions(record)[-1]))


def _purge(asked: Asked) -> Response:
    if asked.grave and asked.vault.properties.get("enablePurgeProtection"):
        raise VaultError(403, "Forbidden", "Operation purge is not allowed: the vault has purge protection.")
    unbury(asked.store, asked.vault, asked.name)
    return Response(204)


def _shown(asked: Asked, name: str, version: Version, place: str = "") -> Values:
    days = int(asked.vault.properties.get("softDeleteRetentionInDays", 90))
    level = "Recoverable" if days == 90 else "CustomizedRecoverable"
    if not asked.vault.properties.get("enablePurgeProtection"):
        level += "+Purgeable"
    shown: Values = {
        "id": f"{asked.uri}{place or f'/secrets/{name}/{version.id}'}",
        "attributes": version.dates | {"recoveryLevel": level, "recoverableDays": days},
        "tags": dict(version.tags),
    }
    return shown | ({"contentType": version.content_type} if version.content_type else {})


def _shown_deleted(asked: Asked, grave: Values) -> Values:
    record: Record = grave["record"]
    return _shown(asked, record.name, versions(record)[-1]) | {
        "recoveryId": f"{asked.uri}/deletedsecrets/{record.name}",
        "deletedDate": int(grave["deleted"].timestamp()),
        "scheduledPurgeDate": int(grave["until"].timestamp()),
    }


OPERATIONS: tuple[tuple[str, str, str, Callable[[Asked], Response]], ...] = (
    ("GET", "/secrets", "readMetadata/action", _list),
    ("GET", rf"/secrets/(?P<name>{NAME})/versions", "readMetadata/action", _list_versions),
    ("GET", rf"/secrets/(?P<name>{NAME})(/(?P<version>[0-9a-f]+))?", "getSecret/action", _get),
    ("PUT", rf"/secrets/(?P<name>{NAME})", "setSecret/action", _set),
    ("PATCH", rf"/secrets/(?P<name>{NAME})(/(?P<version>[0-9a-f]+))?", "update/action", _update),
    ("DELETE", rf"/secrets/(?P<name>{NAME})", "delete", _delete),
    ("GET", "/deletedsecrets", "readMetadata/action", _list_deleted),
    ("GET", rf"/deletedsecrets/(?P<name>{NAME})", "readMetadata/action", _get_deleted),
    ("POST", rf"/deletedsecrets/(?P<name>{NAME})/recover", "recover/action", _recover),
    ("DELETE", rf"/deletedsecrets/(?P<name>{NAME})", "purge/action", _purge),
)
"""Method, path, data action below `Microsoft.KeyVault/vaults/secrets`, and what is done."""
