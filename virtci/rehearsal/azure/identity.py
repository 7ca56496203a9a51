"""Managed identities and their federated credentials."""

from virtci.rehearsal.azure import errors, ids
from virtci.rehearsal.azure.store import Hooks, Record, Store, Write, stable_uuid
from virtci.rehearsal.bridge import Values

IDENTITIES = "Microsoft.ManagedIdentity/userAssignedIdentities"
CREDENTIALS = f"{IDENTITIES}/federatedIdentityCredentials"
MOST_CREDENTIALS = 20


def principal_of(record: Record) -> str:
    """The object id of a resource's own identity."""
    return stable_uuid("principal", record.guid)


def complete_own(store: Store, record: Record) -> None:
    """Gives an identity its principal and client."""
    principal = principal_of(record)
    store.principals.setdefault(principal, store.clock.seconds)
    record.properties |= {
        "principalId": principal,
        "clientId": stable_uuid("client", record.guid),
        "tenantId": store.scenario.tenant,
    }


def _delete_identity(store: Store, record: Record) -> None:
    store.principals.pop(principal_of(record), None)


def complete_assigned(store: Store, record: Record) -> None:
    """Fills in the `identity` of a machine, cluster or workspace: its own, and those assigned to it."""
    identity: Values = record.body.get("identity") or {}
    kinds = str(identity.get("type", ""))
    if "SystemAssigned" in kinds:
        principal = principal_of(record)
        store.principals.setdefault(principal, store.clock.seconds)
        identity |= {"principalId": principal, "tenantId": store.scenario.tenant}
    for key, value in (identity.get("userAssignedIdentities") or {}).items():
        assigned = store.get(key)
        if assigned is not None:
            value |= {name: assigned.properties[name] for name in ("principalId", "clientId")}


def _check_credential(write: Write) -> None:
    _refuse_concurrent(write.store, write.address)
    others = [
        item
        for item in write.store.of_type(CREDENTIALS, write.address.parent)
        if item.name.lower() != write.address.name.lower()
    ]
    if len(others) >= MOST_CREDENTIALS:
        text = f"Too many federated identity credentials for '{write.address.names[0]}': at most {MOST_CREDENTIALS}."
        raise errors.bad("TooManyFederatedIdentityCredentials", text)
    for other in others:
        if all(other.properties.get(name) == write.properties.get(name) for name in ("issuer", "subject")):
            text = (
                f"Issuer and subject combination already exists for this Managed Identity: '{other.name}' has issuer "
                f"'{write.properties.get('issuer')}' and subject '{write.properties.get('subject')}'."
            )
            raise errors.conflict("IssuerAndSubjectAlreadyExists", text)


def _refuse_concurrent(store: Store, address: ids.Address) -> None:
    siblings = address.id.lower().rsplit("/", 1)[0] + "/"
    if any(item.startswith(siblings) for item in store.busy):
        text = (
            "Too many Federated Identity Credentials are written concurrently for the managed identity "
            f"'{address.names[0]}'. Concurrent Federated Identity Credentials writes under the same managed identity "
            "are not supported."
        )
        raise errors.conflict("ConcurrentFederatedIdentityCredentialsWritesForSingleManagedIdentity", text)


HOOKS = {
    "identity": Hooks(complete=lambda write, record: complete_own(write.store, record), deleted=_delete_identity),
    "federated_credential": Hooks(
        check=_check_credential,
        before_delete=lambda store, record: _refuse_concurrent(store, ids.parse(record.id)),
    ),
}
