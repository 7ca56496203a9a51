"""Faults are data: which calls they meet, and for how long."""

import pytest

from virtci.rehearsal.clock import SimulatedClock
from virtci.rehearsal.journal import CloudError, Fault, FaultPlan, Journal


def met(fault: Fault, calls: int, seconds_between: float = 0) -> list[bool]:
    """Which of a row of equal calls a fault meets."""
    clock = SimulatedClock()
    journal = Journal(clock, FaultPlan(faults=(fault,)))
    found = []
    for _ in range(calls):
        try:
            journal.fault("azure", "PUT", "/vm/a")
        except CloudError:
            found.append(True)
        else:
            found.append(False)
        clock.advance(seconds_between)
    return found


def test_a_fault_meets_the_calls_from_its_first_on() -> None:
    assert met(Fault(first=2, times=2), 5) == [False, True, True, False, False]


def test_a_fault_with_seconds_lasts_from_its_first_call_on() -> None:
    assert met(Fault(first=2, seconds=25), 5, seconds_between=10) == [False, True, True, True, False]


@pytest.mark.parametrize("other", [{"cloud": "github"}, {"operation": "GET"}, {"target": "/vm/b*"}])
def test_a_fault_meets_only_what_its_patterns_name(other: dict[str, str]) -> None:
    assert met(Fault.model_validate(other), 2) == [False, False]


def test_every_met_call_is_in_the_log_with_its_code() -> None:
    journal = Journal(SimulatedClock(), FaultPlan(faults=(Fault(status=429, code="TooManyRequests"),)))

    with pytest.raises(CloudError):
        journal.fault("azure", "PUT", "/vm/a")

    assert [(call.status, call.code) for call in journal.calls] == [(429, "TooManyRequests")]
