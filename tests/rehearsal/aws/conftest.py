"""A simulated AWS with an image in it, its provider, and a network to put machines into."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.rehearsal.aws.account import Account
from virtci.rehearsal import clock
from virtci.rehearsal.aws.cloud import Aws, Scenario
from virtci.rehearsal.aws.provider import AwsProvider
from virtci.rehearsal.aws.server import serve
from virtci.rehearsal.clock import SimulatedClock
from virtci.rehearsal.journal import FaultPlan, Journal


@pytest.fixture(autouse=True)
def _hurried_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test has one caller; there is nobody to give a moment to."""
    monkeypatch.setattr(clock, "QUIET_SECONDS", 0.0005)


@pytest.fixture
def faults() -> list[Any]:
    """Planned faults; a test that wants some says so by `parametrize`."""
    return []


@pytest.fixture
def account(faults: list[Any]) -> Iterator[Account]:
    """An account with room for four machines of four vCPU."""
    time = SimulatedClock()
    journal = Journal(time, FaultPlan(faults=tuple(faults)))
    aws = Aws(time, journal, Scenario(vcpus={"us-east-2": 16}))
    with serve(aws) as endpoint:
        provider = AwsProvider(endpoint.url, time)
        provider.configure({"region": "us-east-2"})
        yield Account(aws, endpoint.url, provider)
