r"""The tags by which a machine, a disk or a snapshot of a run is known on both clouds.

EC2 takes letters, digits, spaces and `+ - = . _ : / @` in values (AWS, "Tag your Amazon EC2 resources"), Azure forbids
`<>%&\\?/` in names: ours fit both.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from virtci.core.lifetimes import Lifetime
from virtci.core.problems import Refusal
from virtci.core.runners.clouds import Cloud
from virtci.core.runners.substrate import ENVIRONMENT
from virtci.core.tags import MANAGED_BY, TagSet, tags

KEPT_UNTIL = "keep-until"
FORMAT = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True, kw_only=True, slots=True)
class RunTags:
    """What a machine says of itself: its stack, label, name, run (`owner/name/id/attempt`), slot and times."""

    stack: str
    label: str
    shown: str
    run: str
    slot: str
    deadline: datetime
    keep_until: datetime | None = None

    def kept(self, until: datetime) -> "RunTags":
        """The same machine, kept."""
        return replace(self, keep_until=until)


def run_tags(common: TagSet, cloud: Cloud, item: RunTags) -> dict[str, str]:
    """All tags of one machine."""
    found = tags(common, ENVIRONMENT, Lifetime.RUN_SCOPED) | {
        "run": item.run,
        "label": item.label,
        "slot": item.slot,
        "display-name": item.shown,
        "deadline": item.deadline.strftime(FORMAT),
    }
    if cloud is Cloud.EC2:
        found["Name"] = item.shown
    if item.keep_until:
        found[KEPT_UNTIL] = item.keep_until.strftime(FORMAT)
    return found


def read_run_tags(found: Mapping[str, str], system: str) -> RunTags | None:
    """What tags say; nothing for what is not ours or of another system: whoever asks must not touch it.

    Raises `Refusal` for something of ours whose tags somebody changed.
    """
    if found.get("managed-by") != MANAGED_BY or found.get("system") != system or "run" not in found:
        return None
    try:
        kept = found.get(KEPT_UNTIL)
        return RunTags(
            stack=found["stack"],
            label=found["label"],
            shown=found.get("display-name", found["stack"]),
            run=_run(found["run"]),
            slot=found["slot"],
            deadline=_moment(found["deadline"]),
            keep_until=_moment(kept) if kept else None,
        )
    except (KeyError, ValueError) as error:
        raise Refusal(
            f"a machine of ours has the tags that it was made with; `{found.get('stack', 'unnamed')}` has not: {error}",
            "nobody can tell from it whose it is, and until when",
            "put the tags back, or take it down: virtci runners sweep goes by the record of a machine in a slot",
        ) from None


def untold(stack: str) -> RunTags:
    """What is known of a machine of ours that says nothing, or nothing true: the rest is in its record."""
    return RunTags(stack=stack, label="", shown=stack, run="", slot="", deadline=datetime.max.replace(tzinfo=UTC))


def _run(value: str) -> str:
    owner, name, run_id, attempt = value.split("/")
    int(run_id), int(attempt)
    return f"{owner}/{name}/{run_id}/{attempt}"


def _moment(value: str) -> datetime:
    return datetime.strptime(value, FORMAT).replace(tzinfo=UTC)
