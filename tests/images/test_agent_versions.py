"""When an agent's end puts an image at risk."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtci.core.runners.agent_versions import MARGIN, Schedule, agent_fault, schedule_of

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
AGENT = "2.337.0"


@given(st.integers(-2000, 2000), st.booleans())
def test_an_image_is_at_risk_exactly_when_its_agent_ends_within_the_margin(hours: int, registration: bool) -> None:
    end = NOW + timedelta(hours=hours)
    schedule = Schedule(registration=end) if registration else Schedule(runtime=end)
    assert bool(agent_fault(AGENT, schedule, NOW)) == (end - NOW < MARGIN)


def test_the_message_says_version_date_and_what_happens() -> None:
    ends = Schedule(registration=NOW + timedelta(days=5), runtime=NOW + timedelta(days=9))
    assert (
        agent_fault(AGENT, ends, NOW)
        == "agent 2.337.0 is not registered from 2026-11-26 on, in 5 days; the limit is 14"
    )
    assert agent_fault(AGENT, Schedule(runtime=NOW), NOW) == "agent 2.337.0 gets no jobs since 2026-11-21"


def test_the_newest_agent_has_no_end() -> None:
    assert agent_fault(AGENT, schedule_of({"runner_version": AGENT}), NOW) == ""
    assert schedule_of({"registration_deprecates_at": None, "runtime_deprecates_at": None}) == Schedule()


def test_dates_are_read_as_github_writes_them() -> None:
    found = schedule_of({"runner_version": AGENT, "runtime_deprecates_at": "2026-09-24T15:30:55Z"})
    assert found.runtime == datetime(2026, 9, 24, 15, 30, 55, tzinfo=UTC)


@pytest.mark.parametrize(
    ("version", "schedule", "words"),
    [
        ("2.328.0", Schedule(), "GitHub does not register it"),
        ("latest", Schedule(), "GitHub does not register it"),
        ("2.330.1", None, "GitHub has no schedule"),
    ],
)
def test_an_agent_that_github_does_not_know_is_a_fault(version: str, schedule: Schedule | None, words: str) -> None:
    assert words in agent_fault(version, schedule, NOW)
