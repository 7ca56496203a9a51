"""What each operation on the blobs of a simulated storage account does, once the caller may do it.

Sources: Blob service REST reference (Put Blob, Get Blob, Get Blob Properties, Delete Blob, List Blobs, Get Container
Properties; "Specifying conditional headers"; "Blob service error codes"). Block blobs in one piece are simulated; blocks,
pages, appends, copies, leases, snapshots and blob tags are refused, and older versions are not shown.
"""

import base64
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime, parsedate_to_datetime
from http import HTTPStatus
from xml.etree import ElementTree

from virtci.rehearsal.azure.arm import Response
from virtci.rehearsal.azure.server import Plain, Request
from virtci.rehearsal.azure.store import Record, Store, at
from virtci.rehearsal.journal import CloudError

BLOBS = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs"
CONTAINER = "Microsoft.Storage/storageAccounts/blobServices/containers/read"
LONGEST_NAME = 1024
PAGE = 5000
XML = "application/xml"
METADATA = "x-ms-meta-"
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")


class BlobError(CloudError):
    """A refusal in the words of the blob service."""


@dataclass
class Blob:
    """One blob as the service keeps it."""

    content: bytes = field(repr=False)
    kind: str
    etag: str
    created: datetime
    modified: datetime
    metadata: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that the caller may make: the account, and what of it is meant."""

    store: Store
    account: Record
    container: Record
    name: str
    query: Mapping[str, str]
    request: Request

    @property
    def blobs(self) -> dict[str, Blob]:
        """All blobs of the container, by name."""
        return blobs_in(self.container)

    @property
    def blob(self) -> Blob:
        """The blob. Raises `BlobError` when there is none."""
        found = self.blobs.get(self.name)
        if found is None:
            raise BlobError(404, "BlobNotFound", "The specified blob does not exist.")
        return found

    def header(self, name: str) -> str:
        """A header, or nothing."""
        return self.request.headers.get(name) or ""

    def next_etag(self) -> str:
        """An ETag that no blob of the container ever had."""
        number = self.container.notes["writes"] = self.container.notes.get("writes", 0) + 1
        digest = hashlib.sha256(f"{self.container.guid} {number}".encode()).hexdigest()
        return f'"0x8{digest[:14].upper()}"'


def blobs_in(container: Record) -> dict[str, Blob]:
    """The blobs of a container, by name."""
    found: dict[str, Blob] = container.notes.setdefault("blobs", {})
    return found


def _get(asked: Asked) -> Response:
    blob = asked.blob
    if not_modified := _check_conditions(asked, blob):
        return not_modified
    asked_range = _RANGE.fullmatch(asked.header("x-ms-range") or asked.header("Range"))
    headers = _headers(blob)
    if asked_range is None:
        return Plain(200, None, headers, blob.content, blob.kind)
    first, last = int(asked_range[1]), int(asked_range[2] or len(blob.content))
    if first >= len(blob.content) or last < first:
        raise BlobError(416, "InvalidRange", "The range specified is invalid for the current size of the resource.")
    part = blob.content[first : last + 1]
    headers |= {"Content-Range": f"bytes {first}-{first + len(part) - 1}/{len(blob.content)}"}
    return Plain(206, None, headers, part, blob.kind)


def _properties(asked: Asked) -> Response:
    blob = asked.blob
    return _check_conditions(asked, blob) or Plain(200, None, _headers(blob), blob.content, blob.kind)


def _put(asked: Asked) -> Response:
    _check_put(asked)
    old = asked.blobs.get(asked.name)
    _check_conditions(asked, old)
    now = asked.store.clock.now
    blob = asked.blobs[asked.name] = Blob(
        content=asked.request.body,
        kind=asked.header("x-ms-blob-content-type") or asked.header("Content-Type") or "application/octet-stream",
        etag=asked.next_etag(),
        created=old.created if old else now,
        modified=now,
        metadata={
            name[len(METADATA) :].lower(): value
            for name, value in asked.request.headers.items()
            if name.lower().startswith(METADATA)
        },
    )
    headers = {"ETag": blob.etag, "Last-Modified": _date(now), "x-ms-request-server-encrypted": "true"}
    if at(_service(asked), "isVersioningEnabled"):
        headers["x-ms-version-id"] = now.isoformat()
    return Plain(201, None, headers, kind=XML)


def _check_put(asked: Asked) -> None:
    if not 0 < len(asked.name) <= LONGEST_NAME:
        raise BlobError(400, "OutOfRangeInput", f"A blob's name has 1 to {LONGEST_NAME} characters.")
    kind = asked.header("x-ms-blob-type")
    if not kind:
        text = "An HTTP header that's mandatory for this request is not specified: x-ms-blob-type."
        raise BlobError(400, "MissingRequiredHeader", text)
    if kind != "BlockBlob" or asked.header("x-ms-copy-source"):
        raise BlobError(
            400, "InvalidHeaderValue", f"This simulated service takes block blobs in one piece, not {kind}."
        )
    digest = base64.b64encode(hashlib.md5(asked.request.body, usedforsecurity=False).digest()).decode()
    if asked.header("Content-MD5") not in ("", digest):
        raise BlobError(
            400, "Md5Mismatch", "The MD5 value specified in the request did not match the calculated value."
        )


def _delete(asked: Asked) -> Response:
    _check_conditions(asked, asked.blob)
    del asked.blobs[asked.name]
    permanent = not at(_service(asked), "deleteRetentionPolicy.enabled")
    return Plain(202, None, {"x-ms-delete-type-permanent": str(permanent).lower()}, kind=XML)


def _list(asked: Asked) -> Response:
    prefix, delimiter = asked.query.get("prefix", ""), asked.query.get("delimiter", "")
    size = asked.query.get("maxresults", str(PAGE))
    if not size.isdecimal() or not 1 <= int(size) <= PAGE:
        text = "A query parameter specified in the request URI is outside the permissible range: maxresults."
        raise BlobError(400, "OutOfRangeQueryParameterValue", text)
    entries = _entries(asked.blobs, prefix, delimiter)
    rest = [entry for entry in entries if entry >= asked.query.get("marker", "")]
    page, after = rest[: int(size)], rest[int(size) :]
    uri = f"https://{asked.account.name}.blob.core.windows.net/"
    root = ElementTree.Element("EnumerationResults", ServiceEndpoint=uri, ContainerName=asked.container.name)
    for tag, text in (("Prefix", prefix), ("Delimiter", delimiter), ("MaxResults", size)):
        ElementTree.SubElement(root, tag).text = text
    listed = ElementTree.SubElement(root, "Blobs")
    for entry in page:
        _show(listed, entry, asked.blobs.get(entry))
    ElementTree.SubElement(root, "NextMarker").text = after[0] if after else ""
    return Plain(200, content=ElementTree.tostring(root, "utf-8", xml_declaration=True), kind=XML)


def _entries(blobs: Mapping[str, Blob], prefix: str, delimiter: str) -> list[str]:
    """Names, and the prefixes that stand for all names below them; the latter end with the delimiter."""
    found = set()
    for name in blobs:
        if name.startswith(prefix):
            inner, parted, _ = name[len(prefix) :].partition(delimiter) if delimiter else (name, "", "")
            found.add(f"{prefix}{inner}{delimiter}" if parted else name)
    return sorted(found)


def _show(parent: ElementTree.Element, entry: str, blob: Blob | None) -> None:
    element = ElementTree.SubElement(parent, "Blob" if blob else "BlobPrefix")
    ElementTree.SubElement(element, "Name").text = entry
    if blob is None:
        return
    properties = ElementTree.SubElement(element, "Properties")
    shown = {
        "Creation-Time": _date(blob.created),
        "Last-Modified": _date(blob.modified),
        "Etag": blob.etag.strip('"'),
        "Content-Length": str(len(blob.content)),
        "Content-Type": blob.kind,
        "BlobType": "BlockBlob",
        "AccessTier": "Hot",
        "LeaseStatus": "unlocked",
        "LeaseState": "available",
        "ServerEncrypted": "true",
    }
    for tag, text in shown.items():
        ElementTree.SubElement(properties, tag).text = text


def _container(asked: Asked) -> Response:
    modified = datetime.fromisoformat(asked.container.properties["lastModifiedTime"])
    headers = {
        "ETag": str(asked.container.body["etag"]),
        "Last-Modified": _date(modified),
        "x-ms-lease-status": "unlocked",
        "x-ms-lease-state": "available",
        "x-ms-has-immutability-policy": "false",
        "x-ms-has-legal-hold": "false",
    }
    return Plain(200, None, headers, kind=XML)


def _check_conditions(asked: Asked, blob: Blob | None) -> Response | None:
    """Raises `BlobError` for a condition that does not hold; a read of what has not changed gets an answer of its own."""
    match, none_match = _tags(asked.header("If-Match")), _tags(asked.header("If-None-Match"))
    since, until = _moment(asked, "If-Modified-Since"), _moment(asked, "If-Unmodified-Since")
    if blob is None:
        if match:
            raise _not_met()
        return None
    reads = asked.request.method in ("GET", "HEAD")
    if reads and "*" in none_match:
        raise BlobError(400, "UnsupportedHeader", "One of the HTTP headers specified in the request is not supported.")
    if match and not {"*", blob.etag.strip('"')} & set(match):
        raise _not_met()
    if until and _seconds(blob.modified) > until:
        raise _not_met()
    if "*" in none_match and asked.request.method == "PUT":
        raise BlobError(409, "BlobAlreadyExists", "The specified blob already exists.")
    if not none_match and not since:
        return None
    changed = bool(none_match) and blob.etag.strip('"') not in none_match
    changed = changed or (since is not None and _seconds(blob.modified) > since)
    if changed:
        return None
    if reads:
        return Plain(HTTPStatus.NOT_MODIFIED, None, {"ETag": blob.etag, "x-ms-error-code": "ConditionNotMet"})
    raise _not_met()


def _not_met() -> BlobError:
    text = "The condition specified using HTTP conditional header(s) is not met."
    return BlobError(412, "ConditionNotMet", text)


def _tags(header: str) -> list[str]:
    return [item.strip().strip('"') for item in header.split(",") if item.strip()]


def _moment(asked: Asked, header: str) -> float | None:
    text = asked.header(header)
    if not text:
        return None
    try:
        return parsedate_to_datetime(text).timestamp()
    except ValueError:
        raise BlobError(400, "InvalidHeaderValue", f"The value of header {header} is not a date.") from None


def _seconds(moment: datetime) -> float:
    return float(int(moment.timestamp()))


def _date(moment: datetime) -> str:
    return format_datetime(moment, usegmt=True)


def _headers(blob: Blob) -> dict[str, str]:
    return {
        "ETag": blob.etag,
        "Last-Modified": _date(blob.modified),
        "Accept-Ranges": "bytes",
        "x-ms-blob-type": "BlockBlob",
        "x-ms-creation-time": _date(blob.created),
        "x-ms-lease-state": "available",
        "x-ms-lease-status": "unlocked",
        "x-ms-server-encrypted": "true",
        **{f"{METADATA}{name}": value for name, value in blob.metadata.items()},
    }


def _service(asked: Asked) -> Mapping[str, object]:
    service = asked.store.get(f"{asked.account.id}/blobServices/default")
    return service.properties if service else {}


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation: on a blob or on its container, the action that it is, and whether that is one on data."""

    on_blob: bool
    query: Mapping[str, str]
    action: str
    perform: Callable[[Asked], Response]
    data: bool = True


OPERATIONS: dict[str, tuple[Operation, ...]] = {
    "GET": (
        Operation(True, {}, f"{BLOBS}/read", _get),
        Operation(False, {"restype": "container", "comp": "list"}, f"{BLOBS}/read", _list),
        Operation(False, {"restype": "container"}, CONTAINER, _container, data=False),
    ),
    "HEAD": (
        Operation(True, {}, f"{BLOBS}/read", _properties),
        Operation(False, {"restype": "container"}, CONTAINER, _container, data=False),
    ),
    "PUT": (Operation(True, {}, f"{BLOBS}/write", _put),),
    "DELETE": (Operation(True, {}, f"{BLOBS}/delete", _delete),),
}
SELECTORS = ("restype", "comp", "versionid", "snapshot")
"""Query parameters that make another operation of a request."""
