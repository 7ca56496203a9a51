"""A release as it goes into a cluster: its description, its digest, and the checked objects of its manifest."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from virtci.core.manifests import objects_of, release_problems
from virtci.core.problems import ProblemsError
from virtci.settings.release import Release, read_release, release_digest

NAMESPACE = "kubevirt"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One release, read and checked; `objects` in the order in which they are made."""

    release: Release
    digest: str
    objects: tuple[dict[str, Any], ...]


def read_delivery(folder: Path) -> Delivery:
    """The release in a folder. Raises `ProblemsError` when a file is unreadable or an object is not the release's."""
    release = read_release(folder)
    manifest = folder / release.manifest
    objects = objects_of(manifest.read_text(), release.manifest)
    problems = list(
        release_problems(
            objects,
            namespace=NAMESPACE,
            registry=release.registry,
            version=release.version,
            images=release.images,
        )
    )
    if problems:
        raise ProblemsError(release.manifest, problems)
    return Delivery(release, release_digest(folder), tuple(objects))
