"""The data plane of a simulated storage account: blobs over HTTPS, for the real `azure-storage-blob` client.

It serves the containers that Resource Manager holds, to whoever has the role, from where the account's firewall lets in.
Sources: Blob service REST reference (authorize with Microsoft Entra ID; error codes); azure-docs,
storage/common/storage-network-security.md. Account keys and signatures are refused whatever the account says.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from ipaddress import ip_address, ip_network
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit
from xml.etree import ElementTree

from virtci.rehearsal.azure import access, tokens
from virtci.rehearsal.azure.arm import ResourceManager, Response
from virtci.rehearsal.azure.blob_operations import OPERATIONS, SELECTORS, XML, Asked, BlobError, Operation, blobs_in
from virtci.rehearsal.azure.https import SecureEndpoint, serve_secure
from virtci.rehearsal.azure.server import Plain, Request, face
from virtci.rehearsal.azure.storage import ACCOUNTS
from virtci.rehearsal.azure.store import Record
from virtci.rehearsal.journal import CloudError

AUDIENCE = "https://storage.azure.com"
OLDEST_VERSION = "2017-11-09"
"""Before it, the service takes no tokens of Entra."""
CLOUD = "blobs"


@dataclass
class Blobs:
    """The data plane of one account, as callers in one place see it.

    `caller` is the principal of tokens that name nobody; where it is empty, they are refused. `subnet` (an ARM id) and
    `address` are where the callers are, for the account's firewall. An assignment works `propagation` simulated seconds
    after it was made; each refusal for want of a role moves the simulated clock on by `seconds_per_refusal`, for callers
    that wait by another clock.
    """

    manager: ResourceManager
    name: str
    caller: str = ""
    subnet: str = ""
    address: str = "203.0.113.10"
    seconds_per_refusal: float = 0.0
    propagation: float = access.PROPAGATION_SECONDS

    def answer(self, request: Request) -> Response | None:
        """Answers one call; nothing when there is no such account, because then its name leads nowhere."""
        manager, path = self.manager, unquote(urlsplit(request.target).path)
        with manager.clock.operation(), manager.store.lock:
            account = next((item for item in manager.store.of_type(ACCOUNTS) if item.name == self.name), None)
            if account is None:
                return None
            try:
                manager.journal.fault(CLOUD, request.method, path)
                response = self._carry_out(account, request, path)
                manager.journal.fault(CLOUD, request.method, path, after=True)
            except CloudError as error:
                response = self._refused(error)
            manager.journal.record(
                CLOUD, request.method, path, response.status, response.headers.get("x-ms-error-code", "")
            )
            version = request.headers.get("x-ms-version")
            return replace(response, headers={**response.headers, "x-ms-version": version or OLDEST_VERSION})

    def _carry_out(self, account: Record, request: Request, path: str) -> Response:
        principal = self._principal(request)
        self._check_network(account)
        query = dict(parse_qsl(urlsplit(request.target).query, keep_blank_values=True))
        name, _, blob = path.strip("/").partition("/")
        operation = _operation(request.method, query, on_blob=bool(blob))
        container = self.manager.store.get(f"{account.id}/blobServices/default/containers/{name}")
        if container is None:
            raise BlobError(404, "ContainerNotFound", "The specified container does not exist.")
        self._check_role(container, principal, operation)
        return operation.perform(Asked(self.manager.store, account, container, blob, query, request))

    def _principal(self, request: Request) -> str:
        scheme = (request.headers.get("Authorization") or "").partition(" ")[0].lower()
        if scheme.startswith("sharedkey") or "sig=" in urlsplit(request.target).query:
            text = "Key based authentication is not permitted on this storage account."
            raise BlobError(403, "KeyBasedAuthenticationNotPermitted", text)
        if not request.bearer:
            text = "Server failed to authenticate the request. Please refer to the information in the www-authenticate header."
            raise BlobError(401, "NoAuthenticationInformation", text)
        if (request.headers.get("x-ms-version") or "") < OLDEST_VERSION:
            text = f"x-ms-version is missing or older than {OLDEST_VERSION}, which is the first that takes tokens."
            raise BlobError(400, "InvalidHeaderValue", text)
        audiences = (AUDIENCE, f"https://{self.name}.blob.core.windows.net")
        try:
            found = tokens.holder(request.bearer, audiences, self.manager.clock.now.timestamp())
        except tokens.TokenError as error:
            raise BlobError(401, "InvalidAuthenticationInfo", f"Authentication failed: {error}.") from error
        if not found and not self.caller:
            raise BlobError(401, "InvalidAuthenticationInfo", "Issuer validation failed.")
        return found or self.caller

    def _check_network(self, account: Record) -> None:
        rules = account.properties.get("networkAcls") or {}
        subnets = {str(item.get("id")).lower() for item in rules.get("virtualNetworkRules") or []}
        ranges = [ip_network(item["value"], strict=False) for item in rules.get("ipRules") or []]
        known = (
            self.subnet.lower() in subnets if self.subnet else any(ip_address(self.address) in item for item in ranges)
        )
        closed = str(account.properties.get("publicNetworkAccess")).lower() == "disabled"
        if closed or (str(rules.get("defaultAction", "Allow")).lower() == "deny" and not known):
            raise BlobError(403, "AuthorizationFailure", "This request is not authorized to perform this operation.")

    def _check_role(self, container: Record, principal: str, operation: Operation) -> None:
        store, scope = self.manager.store, container.id
        if access.allows(store, principal, operation.action, scope, data=operation.data, propagation=self.propagation):
            return
        self.manager.clock.advance(self.seconds_per_refusal)
        text = "This request is not authorized to perform this operation using this permission."
        raise BlobError(403, "AuthorizationPermissionMismatch", text)

    def _refused(self, error: CloudError) -> Response:
        headers = {"x-ms-error-code": error.code}
        if error.retry_after:
            headers["Retry-After"] = f"{error.retry_after:g}"
        if error.status == 401:
            login = f"https://login.microsoftonline.com/{self.manager.scenario.tenant}/oauth2/authorize"
            headers["WWW-Authenticate"] = f"Bearer authorization_uri={login} resource_id={AUDIENCE}"
        root = ElementTree.Element("Error")
        for tag, text in (("Code", error.code), ("Message", error.message)):
            ElementTree.SubElement(root, tag).text = text
        return Plain(error.status, None, headers, ElementTree.tostring(root, "utf-8", xml_declaration=True), XML)


@contextmanager
def serve_blobs(blobs: Blobs, folder: Path) -> Iterator[SecureEndpoint]:
    """Serves an account over HTTPS on a free local port until the block ends; its certificate's files go into the folder."""
    with serve_secure(face(blobs.answer), f"{blobs.name}.blob.core.windows.net", folder) as endpoint:
        yield endpoint


def contents(manager: ResourceManager, account: str, container: str) -> dict[str, bytes]:
    """What is in a container, for tests and reports."""
    with manager.store.lock:
        for item in manager.store.of_type(ACCOUNTS):
            found = manager.store.get(f"{item.id}/blobServices/default/containers/{container}")
            if item.name == account and found is not None:
                return {name: blob.content for name, blob in sorted(blobs_in(found).items())}
    return {}


def _operation(method: str, query: Mapping[str, str], *, on_blob: bool) -> Operation:
    asked = {name: query[name] for name in SELECTORS if name in query}
    for operation in OPERATIONS.get(method, ()):
        if operation.on_blob is on_blob and operation.query == asked:
            return operation
    text = f"This simulated service does not know {method} with {asked or 'this path'}."
    raise BlobError(400, "InvalidQueryParameterValue" if asked else "InvalidUri", text)
