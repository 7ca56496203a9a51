"""What becomes of a run's machines when its jobs are over, and until when a kept one stays."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from virtci.core.problems import Refusal, nearest


class Result(StrEnum):
    """How GitHub says that a job ended."""

    SUCCESS = "success"
    FAILURE = "failure"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"


class OnCancel(StrEnum):
    """What a cancelled run does with its machines: kept only when a step was hanging, always, or never."""

    IF_HANGING = "if-hanging"
    KEEP = "keep"
    DESTROY = "destroy"


HANGING = timedelta(minutes=30)
"""A step that ran for so long when its run was cancelled is what somebody will want to look at."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether machines are kept, and why."""

    keep: bool
    why: str


def results_of(needs: Mapping[str, object]) -> dict[str, Result]:
    """The results in GitHub's `toJSON(needs)`. Raises `Refusal` for what is none."""
    found = {}
    for job, value in needs.items():
        said = value.get("result") if isinstance(value, Mapping) else None
        if said not in tuple(Result):
            raise Refusal(
                f"job `{job}` of `needs` has a result, not {said!r}",
                "nobody could tell whether its machine is worth keeping",
                f"hand over toJSON(needs); {nearest(str(said), tuple(Result))}",
            )
        found[job] = Result(said)
    return found


def verdict(results: Iterable[Result], on_cancel: OnCancel, longest_step: timedelta) -> Verdict:
    """Whether the machines of a run are kept; one failed job is enough. `longest_step`: of those that were running."""
    found = set(results)
    if Result.FAILURE in found:
        return Verdict(True, "a job failed")
    if Result.CANCELLED in found:
        if on_cancel is OnCancel.KEEP:
            return Verdict(True, "the run was cancelled, and cancelled runs are kept")
        if on_cancel is OnCancel.IF_HANGING and longest_step >= HANGING:
            minutes = int(longest_step.total_seconds() // 60)
            return Verdict(True, f"the run was cancelled while a step had been running for {minutes} minutes")
        return Verdict(False, "the run was cancelled")
    return Verdict(False, "no job failed")


def keep_until(failed_at: datetime, days: int) -> datetime:
    """When a kept machine is gone. It counts from the failure, whatever happens to the machine in between."""
    return failed_at + timedelta(days=days)
