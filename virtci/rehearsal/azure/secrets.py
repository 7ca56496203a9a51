"""The data plane of a simulated Key Vault: secrets over HTTPS, for the real `azure-keyvault-secrets` client and for curl.

It serves the secrets that Resource Manager holds, to whoever has the role, from where the vault's firewall lets in.
Sources: azure-docs, key-vault/general (rbac-guide.md, network-security.md, rest-error-codes.md). Access policies are not
simulated: a vault without RBAC refuses everybody.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from virtci.rehearsal.azure import tokens
from virtci.rehearsal.azure.arm import ResourceManager, Response
from virtci.rehearsal.azure.data_plane import DataPlane, is_public
from virtci.rehearsal.azure.https import SecureEndpoint, serve_secure
from virtci.rehearsal.azure.secret_operations import OPERATIONS, Asked, VaultError
from virtci.rehearsal.azure.server import Request, face
from virtci.rehearsal.azure.store import Record
from virtci.rehearsal.azure.vault import VAULTS, Version, secret_in, versions
from virtci.rehearsal.bridge import Values
from virtci.rehearsal.journal import CloudError

AUDIENCE = "https://vault.azure.net"
API_VERSIONS = ("7.4", "7.5", "7.6", "2025-07-01", "2026-04-01")


class Vault(DataPlane):
    """The data plane of one vault."""

    CLOUD = "vault"
    TYPE = VAULTS

    def _carry_out(self, vault: Record, request: Request, path: str) -> Response:
        principal = self._principal(request)
        self._check_network(vault, principal)
        query = dict(parse_qsl(urlsplit(request.target).query))
        _check_api_version(query)
        for method, pattern, action, operation in OPERATIONS:
            found = re.fullmatch(pattern, path.rstrip("/"))
            if found and method == request.method:
                name = found.groupdict().get("name") or ""
                self._check_role(vault, principal, action, name)
                asked = Asked(self.manager.store, vault, name, found.groupdict().get("version") or "", query, request)
                return operation(asked)
        raise VaultError(400, "BadParameter", f"The request URI is not valid for this vault: {request.method} {path}.")

    def _principal(self, request: Request) -> str:
        if not request.bearer:
            raise VaultError(401, "Unauthorized", "AKV10000: Request is missing a Bearer or PoP token.")
        try:
            found = self._holder(request, (AUDIENCE,))
        except tokens.TokenError as error:
            raise VaultError(401, "Unauthorized", f"AKV10022: Invalid token: {error}. Expected {AUDIENCE}.") from error
        if not found:
            raise VaultError(401, "Unauthorized", "AKV10032: Invalid issuer of the token.")
        return found

    def _check_network(self, vault: Record, principal: str) -> None:
        if not is_public(vault):
            text = "Public network access is disabled and request is not from a trusted service nor via an approved private link."
            raise VaultError(403, "Forbidden", f"{text}\r\n{self._about(vault, principal)}", "ForbiddenByConnection")
        if self._is_shut_out(vault):
            text = f"Client address is not authorized and caller is not a trusted service.\r\nClient address: {self.address}"
            raise VaultError(403, "Forbidden", f"{text}\r\n{self._about(vault, principal)}", "ForbiddenByFirewall")

    def _check_role(self, vault: Record, principal: str, action: str, name: str) -> None:
        scope = f"{vault.id}/secrets/{name}" if name else vault.id
        action = f"Microsoft.KeyVault/vaults/secrets/{action}"
        is_open = bool(vault.properties.get("enableRbacAuthorization"))
        if is_open and self._has_role(principal, action, scope, data=True):
            return
        self.manager.clock.advance(self.seconds_per_refusal)
        text = (
            "Caller is not authorized to perform action on resource.\r\nIf role assignments, deny assignments or role "
            "definitions were changed recently, please observe propagation time.\r\n"
            f"Caller: {self._caller(principal)}\r\nAction: '{action}'\r\nResource: '{scope.lower()}'\r\n"
            "Assignment: (not found)\r\nDenyAssignmentId: null\r\nDecisionReason: 'DeniedWithNoValidRBAC' \r\n"
            f"Vault: {vault.name};location={vault.location}\r\n"
        )
        raise VaultError(403, "Forbidden", text, "ForbiddenByRbac")

    def _about(self, vault: Record, principal: str) -> str:
        return f"Caller: {self._caller(principal)}\r\nVault: {vault.name};location={vault.location}"

    def _caller(self, principal: str) -> str:
        tenant = self.manager.scenario.tenant
        return f"appid={principal};oid={principal};iss=https://sts.windows.net/{tenant}/"

    def _code(self, response: Response) -> str:
        error: Any = (response.body or {}).get("error") or {}
        return str((error.get("innererror") or error).get("code", ""))

    def _refused(self, error: CloudError) -> Response:
        body: Values = {"code": error.code, "message": error.message}
        if isinstance(error, VaultError) and error.inner:
            body["innererror"] = {"code": error.inner}
        headers = {"Retry-After": f"{error.retry_after:g}"} if error.retry_after else {}
        if error.status == 401:
            login = f"https://login.microsoftonline.com/{self.manager.scenario.tenant}"
            headers["WWW-Authenticate"] = f'Bearer authorization="{login}", resource="{AUDIENCE}"'
        return Response(error.status, {"error": body}, headers)


@contextmanager
def serve_secrets(vault: Vault, folder: Path) -> Iterator[SecureEndpoint]:
    """Serves a vault over HTTPS on a free local port until the block ends; its certificate's files go into the folder."""
    with serve_secure(handler(vault), f"{vault.name.lower()}.vault.azure.net", folder) as endpoint:
        yield endpoint


def handler(vault: Vault) -> type[BaseHTTPRequestHandler]:
    """The face of a vault."""
    return face(vault.answer)


def held(manager: ResourceManager, vault: str, name: str) -> list[Version]:
    """The versions that a vault holds of a secret, the oldest first, for tests and reports: with their values."""
    with manager.store.lock:
        for item in manager.store.of_type(VAULTS):
            record = secret_in(manager.store, item, name) if item.name.lower() == vault.lower() else None
            if record is not None:
                return list(versions(record))
    return []


def _check_api_version(query: Mapping[str, str]) -> None:
    asked = query.get("api-version")
    if not asked:
        raise VaultError(400, "BadParameter", "api-version must be specified")
    if asked not in API_VERSIONS:
        text = f"The specified version ({asked}) is not recognized. Consider using the latest supported version ({API_VERSIONS[-1]})."
        raise VaultError(400, "BadParameter", text)
