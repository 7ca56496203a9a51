"""The data plane of a simulated storage account: blobs over HTTPS, for the real `azure-storage-blob` client.

It serves the containers that Resource Manager holds, to whoever has the role, from where the account's firewall lets in.
Sources: Blob service REST reference (authorize with Microsoft Entra ID; error codes); azure-docs,
storage/common/storage-network-security.md. Account keys and signatures are refused whatever the account says.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit
from xml.etree import ElementTree

from virtci.rehearsal.azure import tokens
from virtci.rehearsal.azure.arm import ResourceManager, Response
from virtci.rehearsal.azure.blob_operations import OPERATIONS, SELECTORS, XML, Asked, BlobError, Operation, blobs_in
from virtci.rehearsal.azure.data_plane import DataPlane, is_public
from virtci.rehearsal.azure.https import SecureEndpoint, serve_secure
from virtci.rehearsal.azure.server import Plain, Request, face
from virtci.rehearsal.azure.storage import ACCOUNTS
from virtci.rehearsal.azure.store import Record
from virtci.rehearsal.journal import CloudError

AUDIENCE = "https://storage.azure.com"
OLDEST_VERSION = "2017-11-09"
"""Before it, the service takes no tokens of Entra."""


class Blobs(DataPlane):
    """The data plane of one account."""

    CLOUD = "blobs"
    TYPE = ACCOUNTS

    def answer(self, request: Request) -> Response | None:
        """As every data plane, and tells the version of the protocol."""
        response = super().answer(request)
        version = request.headers.get("x-ms-version") or OLDEST_VERSION
        return response and replace(response, headers={**response.headers, "x-ms-version": version})

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
        try:
            found = self._holder(request, (AUDIENCE, f"https://{self.name}.blob.core.windows.net"))
        except tokens.TokenError as error:
            raise BlobError(401, "InvalidAuthenticationInfo", f"Authentication failed: {error}.") from error
        if not found:
            raise BlobError(401, "InvalidAuthenticationInfo", "Issuer validation failed.")
        return found

    def _check_network(self, account: Record) -> None:
        if not is_public(account) or self._is_shut_out(account):
            raise BlobError(403, "AuthorizationFailure", "This request is not authorized to perform this operation.")

    def _check_role(self, container: Record, principal: str, operation: Operation) -> None:
        if self._has_role(principal, operation.action, container.id, data=operation.data):
            return
        self.manager.clock.advance(self.seconds_per_refusal)
        text = "This request is not authorized to perform this operation using this permission."
        raise BlobError(403, "AuthorizationPermissionMismatch", text)

    def _code(self, response: Response) -> str:
        return response.headers.get("x-ms-error-code", "")

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
