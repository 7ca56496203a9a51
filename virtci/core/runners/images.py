"""The versions of a runner image: how they are numbered, which one machines are made from, which ones go.

A version is built as a candidate. It is offered when its canary has passed; the newest offered one is the latest, from
which machines are made. A rollback withdraws versions, so that an older offered one is the latest again: nothing is built
or copied.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from virtci.core.problems import Refusal
from virtci.core.runners.clouds import Cloud

KEPT = 3
"""How many offered versions are kept: the latest, and two to go back to."""
IMAGE_TAG, VERSION_TAG, STATE_TAG, CANARY_TAG = "image", "version", "state", "canary"
PART_PREFIX = "part-"
"""Before the names of parts in tags, as in `part-agent`."""
_SHAPE = re.compile(r"(\d{4})\.(\d{1,2})\.(\d{1,9})")


class State(StrEnum):
    """What may be made of a version."""

    CANDIDATE = "candidate"
    OFFERED = "offered"
    WITHDRAWN = "withdrawn"
    FAILED = "failed"
    """The cloud could not make it."""


@dataclass(frozen=True, order=True, slots=True)
class Version:
    """`YYYY.MM.N`: the Nth version of a month, from 1. Both clouds order versions by their three numbers."""

    year: int
    month: int
    number: int

    def __str__(self) -> str:
        return f"{self.year:04}.{self.month:02}.{self.number}"

    @classmethod
    def parse(cls, text: str) -> "Version":
        """Reads a version. Raises `Refusal` for another text."""
        found = _SHAPE.fullmatch(text)
        if found is None or not 1 <= int(found[2]) <= 12:
            raise Refusal(
                f"a version of an image is YYYY.MM.N, as in 2026.11.2; it is {text!r}",
                "it cannot be told which version is newer",
                "virtci images list shows the versions",
            )
        return cls(*map(int, found.groups()))


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageVersion:
    """One version of an image in one cloud."""

    version: Version
    state: State
    made: datetime
    ready: bool
    """Whether the cloud has made it, in every region."""
    ids: tuple[str, ...]
    parts: Mapping[str, str] = field(default_factory=dict)
    """What is in it, by part: `agent`, `docker`, `kernel` …"""

    @property
    def usable(self) -> bool:
        """Whether machines may be made from it without being told to."""
        return self.ready and self.state is State.OFFERED


def next_version(known: Iterable[Version], today: date) -> Version:
    """The version of the next build: newer than all that are known, also when a clock was wrong."""
    newest = max(known, default=Version(today.year, today.month, 0))
    year, month = max((today.year, today.month), (newest.year, newest.month))
    same = (newest.year, newest.month) == (year, month)
    return Version(year, month, newest.number + 1 if same else 1)


def latest(images: Iterable[ImageVersion]) -> ImageVersion | None:
    """What machines are made from: the newest version that is offered."""
    return max((item for item in images if item.usable), key=lambda item: item.version, default=None)


def require_latest(images: Sequence[ImageVersion], image: str, cloud: Cloud) -> ImageVersion:
    """The same. Raises `Refusal` for an image without versions, and for one whose versions are not offered."""
    found = latest(images)
    if found is None:
        have = ", ".join(f"{item.version} ({item.state})" for item in images) or "none at all"
        raise Refusal(
            f"image `{image}` has a version in {cloud} that is offered; it has {have}",
            f"no machine can be made in {cloud}",
            f"build one (make -C cloud/{folder(cloud)} {image}), run its canary, and virtci images promote VERSION",
        )
    return found


def folder(cloud: Cloud) -> str:
    """The folder below `cloud/` with what builds the images of a cloud."""
    return {Cloud.AZURE: "azure", Cloud.EC2: "aws"}[cloud]


def known(images: Iterable[ImageVersion], version: Version) -> ImageVersion:
    """The version of a number. Raises `Refusal` when there is none."""
    listed = list(images)
    for item in listed:
        if item.version == version:
            return item
    raise Refusal(
        f"there is a version {version} of the image",
        "nothing was changed",
        f"choose one of: {', '.join(str(item.version) for item in sorted(listed, key=_by_version)) or 'none'}",
    )


def to_promote(images: Sequence[ImageVersion], version: Version) -> ImageVersion:
    """The version to be offered. Raises `Refusal` for one that would not become the latest."""
    chosen, now = known(images, version), latest(images)
    if not chosen.ready:
        raise Refusal(
            f"version {version} is there in every region",
            "machines elsewhere could not be made from it",
            "wait until the cloud has copied it (virtci images list), then run this again",
        )
    if now and now.version > version:
        raise Refusal(
            f"version {version} is newer than the latest, {now.version}",
            "it would not become the latest",
            f"to go back to it: virtci images rollback --to {version}",
        )
    return chosen


def to_withdraw(images: Sequence[ImageVersion], target: Version | None = None) -> list[ImageVersion]:
    """What a rollback withdraws, the newest first: the latest, or all that are newer than a target.

    Raises `Refusal` when nothing that is offered would be left to go back to.
    """
    offered = sorted((item for item in images if item.usable), key=_by_version, reverse=True)
    if target is None:
        if len(offered) < 2:
            have = f"it has {offered[0].version} alone" if offered else "it has none"
            raise Refusal(
                f"the image has an offered version before the latest; {have}",
                "machines would have nothing to be made from",
                "build a new version, run its canary and promote it",
            )
        return offered[:1]
    if target not in [item.version for item in offered]:
        have = ", ".join(str(item.version) for item in offered) or "none"
        raise Refusal(
            f"version {target} is offered",
            "nobody has seen it pass its canary",
            f"go back to one of: {have}",
        )
    return [item for item in offered if item.version > target]


def to_prune(images: Iterable[ImageVersion], used: Collection[Version], keep: int = KEPT) -> list[ImageVersion]:
    """The versions that can go, the oldest first.

    Never: the newest offered ones, as many as are kept, so never the latest; one that a machine is made from; one that
    the cloud still makes; and the newest of all, because its number must not be given again.
    """
    oldest_first = sorted(images, key=_by_version)
    offered = [item.version for item in oldest_first if item.usable][-max(keep, 1) :]
    kept = {*offered, *used, *(item.version for item in oldest_first[-1:])}
    made = [item for item in oldest_first if item.ready or item.state is State.FAILED]
    return [item for item in made if item.version not in kept]


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """What a machine says of the image that it was made from: `cloud/scripts/image-check.sh` writes it."""

    image: str
    version: str
    cloud: str
    parts: Mapping[str, str]
    faults: tuple[str, ...] = ()

    @classmethod
    def read(cls, found: Any) -> "Seen":
        """Reads the document. Raises `Refusal` for another one."""
        try:
            texts = {name: str(found[name]) for name in ("image", "version", "cloud")}
            parts = {str(name): str(value) for name, value in found["parts"].items()}
            return cls(**texts, parts=parts, faults=tuple(str(item) for item in found.get("faults", ())))
        except (KeyError, TypeError, AttributeError):
            raise Refusal(
                "the document names `image`, `version`, `cloud` and `parts`, as cloud/scripts/image-check.sh writes them",
                "it cannot be told what was seen of the image",
                "run the canary again: make -C cloud/azure canary, or make -C cloud/aws canary",
            ) from None


def canary_faults(seen: Seen, image: str, cloud: Cloud, chosen: ImageVersion) -> list[str]:
    """Why a canary does not speak for a version, a sentence each; empty when it passed."""
    wanted = {"image": image, "cloud": cloud.value, "version": str(chosen.version)}
    faults = [
        f"it was made from {name} {getattr(seen, name)}, not {value}"
        for name, value in wanted.items()
        if getattr(seen, name) != value
    ]
    names = sorted({*seen.parts, *chosen.parts})
    faults += [
        f"{name} is {seen.parts.get(name, 'absent')}; the build recorded {chosen.parts.get(name, 'none')}"
        for name in names
        if seen.parts.get(name) != chosen.parts.get(name)
    ]
    return [*faults, *seen.faults]


def part_tags(parts: Mapping[str, str]) -> dict[str, str]:
    """The tags that tell what is in a version; both clouds take values of up to 256 characters."""
    return {f"{PART_PREFIX}{name}": value[:256] for name, value in parts.items()}


def parts_of(tags: Mapping[str, str]) -> dict[str, str]:
    """What the tags of a version tell of its parts."""
    return {
        name.removeprefix(PART_PREFIX): value for name, value in sorted(tags.items()) if name.startswith(PART_PREFIX)
    }


def _by_version(item: ImageVersion) -> Version:
    return item.version
