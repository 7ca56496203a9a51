"""A vault, a machine with an identity and its roles, for tests of what machines may do."""

import uuid
from dataclasses import dataclass
from typing import Any

from azure.core.credentials import AccessToken
from azure.keyvault.secrets import SecretClient

from tests.rehearsal.azure.simulated import GROUP, SUBSCRIPTION, Cloud
from virtci.core.roles import role_definition_id
from virtci.rehearsal.azure.access import PROPAGATION_SECONDS
from virtci.rehearsal.azure.https import SecureEndpoint
from virtci.rehearsal.bridge import Values

VAULT = "kv-test"
VAULT_ID = f"{GROUP}/providers/Microsoft.KeyVault/vaults/{VAULT}"
MACHINE_ID = f"{GROUP}/providers/Microsoft.Compute/virtualMachines/vm"
SUBNET_ID = f"{GROUP}/providers/Microsoft.Network/virtualNetworks/net/subnets/a"
SECRET_USER, SECRET_OFFICER = "Key Vault Secrets User", "Key Vault Secrets Officer"


@dataclass(frozen=True)
class Login:
    """A credential whose tokens are one given text."""

    token: str

    def get_token(self, *_: str, **__: object) -> AccessToken:
        return AccessToken(self.token, 2**31)


def open_vault(cloud: Cloud, **properties: Any) -> str:
    return cloud.vault(VAULT, enableRbacAuthorization=True, **properties)


def secret(cloud: Cloud, name: str, value: str = "none", **more: Any) -> str:
    return cloud.create("keyvault:Secret", vaultName=VAULT, secretName=name, properties={"value": value, **more})[0]


def machine(cloud: Cloud, name: str = "vm") -> str:
    """A machine with an identity of its own name; gives the identity's principal."""
    identity, outputs = cloud.identity(f"{name}-identity")
    assigned = {"type": "UserAssigned", "userAssignedIdentities": [identity]}
    cloud.machine(name, identity=assigned)
    return str(outputs["principalId"])


def role(cloud: Cloud, name: str, **permission: Any) -> str:
    """A custom role."""
    return cloud.create(
        "authorization:RoleDefinition",
        roleDefinitionId=str(uuid.uuid5(uuid.NAMESPACE_URL, name)),
        roleName=name,
        roleType="CustomRole",
        permissions=[permission],
        scope=SUBSCRIPTION,
        assignableScopes=[SUBSCRIPTION],
    )[0]


def grant(cloud: Cloud, principal: str, role_id: str, scope: str, *, works: bool = True) -> None:
    """An assignment of a role, which is a name or an id; it works at once unless told otherwise."""
    known = role_id if role_id.startswith("/") else role_definition_id(SUBSCRIPTION.rsplit("/", 1)[-1], role_id)
    cloud.create(
        "authorization:RoleAssignment",
        roleAssignmentName=str(uuid.uuid5(uuid.NAMESPACE_URL, principal + known + scope)),
        scope=scope,
        principalId=principal,
        principalType="ServicePrincipal",
        roleDefinitionId=known,
    )
    if works:
        cloud.clock.advance(PROPAGATION_SECONDS)


def secret_client(endpoint: SecureEndpoint, token: str, **options: Any) -> SecretClient:
    """The real client, as the run-time commands make it for a rehearsal."""
    return SecretClient(
        endpoint.url,
        Login(token),
        verify_challenge_resource=False,
        connection_verify=str(endpoint.certificate),
        retry_total=0,
        **options,
    )


def patched_tags(**tags: str) -> Values:
    return {"operation": "Merge", "properties": {"tags": tags}}
