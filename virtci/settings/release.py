"""A release of KubeVirt: what a build makes once, and every environment gets unchanged.

A release is a folder with `release.json` and the operator's manifest. Its own digest is that of `release.json`, which
names the digests of everything else; two environments with the same release digest run the same bytes.
"""

import hashlib
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from virtci.core.problems import Problem, ProblemsError, Refusal
from virtci.settings.types import Digest, Form, Sha256

FILE = "release.json"
IMAGES = ("virt-operator", "virt-api", "virt-controller", "virt-handler", "virt-launcher")
MANIFEST_LIMIT = 4 * 1024 * 1024


def _complete(images: dict[str, str]) -> dict[str, str]:
    missing = [image for image in IMAGES if image not in images]
    if missing:
        raise Refusal(
            f"a release names the digest of each of: {', '.join(IMAGES)}",
            f"the operator would pull {', '.join(missing)} by a tag",
            "let the build write the digests of all images that it pushed",
        )
    return images


class Release(BaseModel):
    """What `release.json` says."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel)

    version: Annotated[str, Form("KubeVirt version")] = Field(
        pattern=r"^v\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$", description="Version of KubeVirt, for example v1.8.2-l1vh.17."
    )
    registry: str = Field(pattern=r"^[a-z0-9.-]+(:\d+)?(/[a-z0-9._-]+)+$", description="Registry and prefix of images.")
    images: Annotated[dict[str, Digest], AfterValidator(_complete)] = Field(description="Digests by image.")
    manifest: str = Field(pattern=r"^[\w.-]+\.yaml$", description="File with the operator and what it needs.")
    manifest_sha256: Sha256 = Field(description="Checksum of that file.")

    def image(self, name: str) -> str:
        """An image of the release, by digest."""
        return f"{self.registry}/{name}@{self.images[name]}"


def read_release(folder: Path) -> Release:
    """The release in a folder, its manifest verified. Raises `ProblemsError` with everything that is wrong."""
    source = folder / FILE
    try:
        release = Release.model_validate_json(source.read_bytes())
    except OSError as error:
        raise ProblemsError(str(source), [_unreadable(error)]) from None
    except ValidationError as error:
        raise ProblemsError(str(source), [_problem(dict(details)) for details in error.errors()]) from None
    try:
        content = (folder / release.manifest).read_bytes()
    except OSError as error:
        raise ProblemsError(str(source), [_unreadable(error)]) from None
    found = hashlib.sha256(content).hexdigest()
    if found != release.manifest_sha256:
        problem = Problem(
            "manifestSha256", release.manifest_sha256, f"the checksum of {release.manifest}, which is {found}",
            "what was tested is not what would be deployed", "take both files from the same build",
        )  # fmt: skip
        raise ProblemsError(str(source), [problem])
    return release


def release_digest(folder: Path) -> str:
    """The digest of a release: that of `release.json`."""
    return f"sha256:{hashlib.sha256((folder / FILE).read_bytes()).hexdigest()}"


def _unreadable(error: OSError) -> Problem:
    return Problem(
        "release", error.filename, "a folder with release.json and the manifest that it names",
        f"there is nothing to deploy: {error.strerror}", "download the artifact of the build into that folder",
    )  # fmt: skip


def _problem(details: dict[str, object]) -> Problem:
    location = details["loc"]
    key = ".".join(str(part) for part in location) if isinstance(location, tuple) else str(location)
    context = details.get("ctx")
    cause = context.get("error") if isinstance(context, dict) else None
    if isinstance(cause, Refusal):
        return Problem(key, details["input"], cause.rule, cause.consequence, cause.fix)
    return Problem(
        key or FILE,
        details["input"],
        str(details["msg"]),
        "the release cannot be deployed",
        "let the build write it anew",
    )
