"""A small simulated GitHub, a plain client for it, and the provider on top of it."""

from collections.abc import Callable, Iterator

import httpx
import pytest

from virtci.rehearsal.clock import SimulatedClock
from virtci.rehearsal.github.api import GitHubScenario, Server, serve
from virtci.rehearsal.github.provider import GitHub
from virtci.rehearsal.journal import Fault, FaultPlan, Journal

Planner = Callable[..., None]


@pytest.fixture
def scenario() -> GitHubScenario:
    return GitHubScenario.model_validate(
        {
            "owner": {"login": "octo-lab", "id": 100, "type": "Organization"},
            "repositories": [
                {"name": "virt-ci", "id": 201, "visibility": "public"},
                {"name": "vault", "id": 202, "visibility": "private"},
            ],
            "users": [{"login": f"octo-reviewer-{number}", "id": 300 + number} for number in range(1, 8)],
            "teams": [{"slug": "keepers", "id": 401}],
        }
    )


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock()


@pytest.fixture
def journal(clock: SimulatedClock) -> Journal:
    return Journal(clock)


@pytest.fixture
def server(scenario: GitHubScenario, clock: SimulatedClock, journal: Journal) -> Iterator[Server]:
    with serve(scenario, clock, journal) as running:
        yield running


@pytest.fixture
def api(server: Server) -> Iterator[httpx.Client]:
    headers = {"Authorization": "Bearer rehearsal"}
    with httpx.Client(base_url=server.url, headers=headers, trust_env=False) as client:
        yield client


@pytest.fixture
def github(server: Server, clock: SimulatedClock, journal: Journal) -> GitHub:
    provider = GitHub(server.url, clock, journal)
    # Simulated waits cost a little real time, so only the tests about pacing ask for them.
    provider.configure({"owner": "octo-lab", "token": "rehearsal", "writeDelayMs": "0"})
    return provider


@pytest.fixture
def plan(journal: Journal) -> Planner:
    """Plans one fault."""

    def add(**fault: object) -> None:
        planned = Fault.model_validate({"cloud": "github", **fault})
        journal.plan = FaultPlan(faults=(*journal.plan.faults, planned))

    return add
