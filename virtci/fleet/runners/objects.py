"""Small JSON objects that several launchers write: each write says which version it replaces, and loses otherwise.

In production an object is a blob of the state account, its version the ETag; in a rehearsal it is a file.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from virtci.core.problems import Refusal
from virtci.fleet.waiting import Backoff

if TYPE_CHECKING:
    from azure.storage.blob import ContainerClient

ATTEMPTS = 50
"""Writes of one object that may lose against others before something is wrong."""
Found = TypeVar("Found")
Document = dict[str, Any]


class LostRace(Exception):
    """Somebody wrote the object in between."""


@dataclass(frozen=True, slots=True)
class Versioned:
    """An object and its version."""

    document: Document
    version: str


class Objects(Protocol):
    """Where objects are; a key looks like a path."""

    @property
    def backoff(self) -> Backoff:
        """How long who lost a race waits until he tries again."""

    def read(self, key: str) -> Versioned | None:
        """The object, or nothing."""

    def write(self, key: str, document: Mapping[str, Any], version: str | None) -> None:
        """Replaces that version, or makes the object where there is none. Raises `LostRace`."""

    def delete(self, key: str) -> None:
        """Deletes; what is gone already is a success."""

    def keys(self, prefix: str = "") -> list[str]:
        """The keys with a prefix, in order."""


def update(objects: Objects, key: str, change: Callable[[Document | None], tuple[Document | None, Found]]) -> Found:
    """Changes an object so that no change of another is lost, and gives what the change gives.

    `change` gets the object (nothing: there is none) and gives the new one (nothing: leave it), and may run again.
    """
    for attempt in range(1, ATTEMPTS + 1):
        seen = objects.read(key)
        document, found = change(seen.document if seen else None)
        if document is None:
            return found
        try:
            objects.write(key, document, seen.version if seen else None)
        except LostRace:
            if attempt < ATTEMPTS:
                objects.backoff.pause(attempt)
            continue
        return found
    raise Refusal(
        f"{key} can be written",
        f"others were quicker {ATTEMPTS} times in a row",
        "look whether some launcher writes it without end; then run this again",
    )


@dataclass(frozen=True, slots=True)
class FileObjects:
    """Objects as files of a folder, for one machine."""

    folder: Path
    backoff: Backoff = field(default_factory=Backoff)

    def read(self, key: str) -> Versioned | None:
        """The object, or nothing."""
        try:
            content = self._path(key).read_bytes()
        except FileNotFoundError:
            return None
        return Versioned(json.loads(content), hashlib.sha256(content).hexdigest())

    def write(self, key: str, document: Mapping[str, Any], version: str | None) -> None:
        """Replaces that version, or makes the object where there is none. Raises `LostRace`."""
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._alone():
            seen = self.read(key)
            if (seen.version if seen else None) != version:
                raise LostRace(key)
            fresh = path.with_suffix(".new")
            fresh.write_text(json.dumps(document, indent=1, sort_keys=True))
            os.replace(fresh, path)  # noqa: PTH105, because it says that it is atomic

    def delete(self, key: str) -> None:
        """Deletes; what is gone already is a success."""
        self._path(key).unlink(missing_ok=True)

    def keys(self, prefix: str = "") -> list[str]:
        """The keys with a prefix, in order."""
        found = (path.relative_to(self.folder).with_suffix("").as_posix() for path in self.folder.rglob("*.json"))
        return sorted(key for key in found if key.startswith(prefix))

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.json"

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with (self.folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


@dataclass(frozen=True, slots=True)
class BlobObjects:
    """Objects as blobs of a container; conditional requests keep writers apart (Azure, "Specifying conditional headers")."""

    container: "ContainerClient"
    backoff: Backoff = field(default_factory=Backoff)

    def read(self, key: str) -> Versioned | None:
        """The object, or nothing."""
        from azure.core.exceptions import ResourceNotFoundError

        try:
            found = self.container.download_blob(f"{key}.json")
            return Versioned(json.loads(found.readall()), found.properties.etag)
        except ResourceNotFoundError:
            return None

    def write(self, key: str, document: Mapping[str, Any], version: str | None) -> None:
        """Replaces that version, or makes the object where there is none. Raises `LostRace`."""
        from azure.core import MatchConditions
        from azure.core.exceptions import ResourceExistsError, ResourceModifiedError, ResourceNotFoundError

        condition: dict[str, Any] = {"overwrite": False}
        if version is not None:
            condition = {"overwrite": True, "etag": version, "match_condition": MatchConditions.IfNotModified}
        try:
            self.container.upload_blob(f"{key}.json", json.dumps(document, sort_keys=True), **condition)
        except (ResourceExistsError, ResourceModifiedError, ResourceNotFoundError) as error:
            raise LostRace(key) from error

    def delete(self, key: str) -> None:
        """Deletes; what is gone already is a success."""
        from azure.core.exceptions import ResourceNotFoundError

        try:
            self.container.delete_blob(f"{key}.json")
        except ResourceNotFoundError:
            return

    def keys(self, prefix: str = "") -> list[str]:
        """The keys with a prefix, in order."""
        names = self.container.list_blob_names(name_starts_with=prefix)
        return sorted(name.removesuffix(".json") for name in names if name.endswith(".json"))
