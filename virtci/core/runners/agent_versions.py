"""How long GitHub's runner agent of a version is good for.

Source: `GET /repos/{owner}/{repo}/actions/runners/deprecations/{version}` (GitHub's changelog, 2026-09-03), with the fields
`runner_version`, `registration_deprecates_at` and `runtime_deprecates_at`. Measured by others on 2026-09-30 (DevOps Daily,
"GitHub started enforcing self-hosted runner versions"): the newest version has no dates, a field without a date may be
absent, and a version that GitHub has no schedule for is answered with 404. An agent past its runtime date registers, but
takes no job; without a warning the job waits in the queue.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from virtci.core.problems import Refusal
from virtci.core.runner_agent import require_agent

MARGIN = timedelta(days=14)
"""How long before an agent ends its images are rebuilt: they are built every fortnight."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Schedule:
    """When GitHub stops to register an agent of a version, and to give it jobs; absent: no date is set."""

    registration: datetime | None = None
    runtime: datetime | None = None


def schedule_of(answer: Mapping[str, Any]) -> Schedule:
    """The schedule in GitHub's answer."""
    return Schedule(
        registration=_moment(answer.get("registration_deprecates_at")),
        runtime=_moment(answer.get("runtime_deprecates_at")),
    )


def agent_fault(version: str, schedule: Schedule | None, now: datetime, margin: timedelta = MARGIN) -> str:
    """Why machines with an agent are at risk, in a sentence; empty when they are not. No schedule: GitHub has none."""
    try:
        require_agent(version)
    except Refusal as refusal:
        return f"agent {version}: GitHub does not register it; {refusal.rule}"
    if schedule is None:
        return f"agent {version}: GitHub has no schedule for this version, so it is too old, or not released"
    ends = [("is not registered", schedule.registration), ("gets no jobs", schedule.runtime)]
    dated = sorted((moment, words) for words, moment in ends if moment is not None)
    for moment, words in dated:
        if moment <= now:
            return f"agent {version} {words} since {moment:%Y-%m-%d}"
        if moment - now < margin:
            left = (moment - now).days
            return f"agent {version} {words} from {moment:%Y-%m-%d} on, in {left} days; the limit is {margin.days}"
    return ""


def _moment(text: object) -> datetime | None:
    return datetime.fromisoformat(str(text)) if text else None
