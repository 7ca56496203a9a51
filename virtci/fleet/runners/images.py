"""The runner images of both clouds behind one interface: list, promote, roll back, prune, check."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

from virtci.core.problems import Refusal
from virtci.core.runners.agent_versions import MARGIN, Schedule, agent_fault, schedule_of
from virtci.core.runners.clouds import Cloud
from virtci.core.runners.images import (
    CANARY_TAG,
    KEPT,
    ImageVersion,
    Seen,
    State,
    Version,
    canary_faults,
    known,
    part_tags,
    require_latest,
    to_promote,
    to_prune,
    to_withdraw,
)
from virtci.fleet.github_answers import asked

if TYPE_CHECKING:
    import httpx

AGENT = "agent"
"""The part that is GitHub's runner agent."""
ARCHITECTURE = ("linux", "x64")
PERMISSION = "Administration: read"
"""What the GitHub App of GITHUB_TOKEN has to have."""
Schedules = Callable[[str], Schedule | None]
"""Asks when an agent of a version ends; nothing when GitHub has no schedule for it."""


class Images(Protocol):
    """The versions of one image in one cloud. Every method raises `Refusal` when the cloud does not answer."""

    @property
    def cloud(self) -> Cloud:
        """Where."""

    @property
    def name(self) -> str:
        """Name of the image."""

    def versions(self) -> list[ImageVersion]:
        """All of them, the oldest first."""

    def used(self) -> set[Version]:
        """Those that some machine, or what makes machines, refers to."""

    def mark(self, item: ImageVersion, state: State, tags: Mapping[str, str]) -> None:
        """Sets the state of a version and adds tags to it."""

    def remove(self, item: ImageVersion) -> None:
        """Deletes a version with its disks."""


def record(images: Images, seen: Seen) -> None:
    """Writes what the build put into a version to its tags. Raises `Refusal` for a document of another version."""
    item = known(images.versions(), Version.parse(seen.version))
    if (seen.image, seen.cloud) != (images.name, images.cloud):
        raise Refusal(
            f"the document is of image `{images.name}` in {images.cloud}; it is of `{seen.image}` in {seen.cloud}",
            "the version would tell of parts that it does not have",
            "name the document that this build wrote",
        )
    images.mark(item, item.state, part_tags(seen.parts))


def promote(images: Images, version: Version, seen: Seen | str, schedules: Schedules, now: datetime) -> None:
    """Offers a version when its canary passed. Raises `Refusal` when it did not; then nothing was changed.

    In place of what the canary saw, a text says why there was none; it stays with the version.
    """
    item = to_promote(images.versions(), version)
    faults = [seen_fault for seen_fault in _canary(images, item, seen) if seen_fault]
    faults += [fault for fault in [_agent_fault(item, schedules, now)] if fault]
    if faults:
        raise Refusal(
            f"version {version} of `{images.name}` in {images.cloud} passes its canary: {'; '.join(faults)}",
            "the latest stays what it was",
            "build a new version and run its canary",
        )
    words = f"passed {now:%Y-%m-%d %H:%M} UTC" if isinstance(seen, Seen) else f"none: {seen}"
    images.mark(item, State.OFFERED, {CANARY_TAG: words[:256]})


def rollback(images: Images, target: Version | None = None) -> tuple[ImageVersion, list[ImageVersion]]:
    """Makes an older version the latest again; gives it, and what was withdrawn. Raises `Refusal` when there is none."""
    found = images.versions()
    withdrawn = to_withdraw(found, target)
    for item in withdrawn:
        images.mark(item, State.WITHDRAWN, {})
    gone = {item.version for item in withdrawn}
    return require_latest([item for item in found if item.version not in gone], images.name, images.cloud), withdrawn


def prune(images: Images, keep: int = KEPT, *, dry_run: bool = False) -> list[ImageVersion]:
    """Deletes what is no longer needed; gives what was, or would be, deleted."""
    # What is used is asked first: a machine that is made in between is made from the latest, which stays.
    gone = to_prune(images.versions(), images.used(), keep)
    for item in () if dry_run else gone:
        images.remove(item)
    return gone


def faults(images: Images, schedules: Schedules, now: datetime, margin: timedelta = MARGIN) -> list[str]:
    """What is wrong with the latest version, a sentence each with the fix; empty when nothing is."""
    try:
        item = require_latest(images.versions(), images.name, images.cloud)
    except Refusal as refusal:
        return [f"not so: {refusal.rule}; {refusal.consequence}. {refusal.fix}"]
    fault = _agent_fault(item, schedules, now, margin)
    return [f"{item.version} in {images.cloud}: {fault}. Build a new version and promote it"] if fault else []


def agent_schedules(github: "httpx.Client", repository: str) -> Schedules:
    """Asks GitHub, each version once."""
    found: dict[str, Schedule | None] = {}

    def schedule(version: str) -> Schedule | None:
        if version not in found:
            answer = _asked(github, repository, f"deprecations/{version}", absent=(404,))
            found[version] = None if answer is None else schedule_of(answer)
        return found[version]

    return schedule


def agent_release(github: "httpx.Client", repository: str) -> dict[str, str]:
    """`version` and `sha256` of the agent that GitHub gives out now. Raises `Refusal` when it tells no checksum."""
    for item in _asked(github, repository, "downloads"):
        if (item["os"], item["architecture"]) == ARCHITECTURE and item.get("sha256_checksum"):
            name = str(item["filename"])
            version = name.removesuffix(".tar.gz").rpartition("-")[2]
            return {"version": version, "sha256": str(item["sha256_checksum"])}
    raise Refusal(
        "GitHub names the agent for linux-x64 with its checksum",
        "nobody could tell the right archive from a wrong one",
        "take version and checksum from the release notes of actions/runner and pass them to Packer",
    )


def _canary(images: Images, item: ImageVersion, seen: Seen | str) -> Iterable[str]:
    if isinstance(seen, Seen):
        return canary_faults(seen, images.name, images.cloud, item)
    return [] if seen.strip() else ["it had none, and nobody says why"]


def _agent_fault(item: ImageVersion, schedules: Schedules, now: datetime, margin: timedelta = MARGIN) -> str:
    version = item.parts.get(AGENT, "")
    if not version:
        return "it does not tell its agent; run: virtci images record"
    return agent_fault(version, schedules(version), now, margin)


def _asked(github: "httpx.Client", repository: str, path: str, absent: Sequence[int] = ()) -> Any:
    path = f"/repos/{repository}/actions/runners/{path}"
    what = f"GitHub, about agents for {repository},"
    answer = asked(github, "GET", path, what=what, permission=PERMISSION, tolerated=absent)
    return None if answer.status_code in absent else answer.json()
