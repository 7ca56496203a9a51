"""A pull request on the simulated GitHub, seen by the real client and from behind."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from virtci.fleet.clouds import github
from virtci.fleet.comments import Repository
from virtci.rehearsal.clock import SimulatedClock
from virtci.rehearsal.github.api import GitHubScenario, serve
from virtci.rehearsal.github.store import Issue, World
from virtci.rehearsal.journal import Journal

SLUG = "octo-lab/virt-ci"
RUN = "https://github.com/octo-lab/virt-ci/actions/runs/1"
SCENARIO = GitHubScenario.model_validate(
    {
        "owner": {"login": "octo-lab", "id": 100},
        "repositories": [{"name": "virt-ci", "id": 201}],
        "users": [{"login": "octo-author", "id": 301}],
    }
)


@dataclass
class Place:
    """A repository with one open pull request, seen from both sides."""

    world: World
    journal: Journal
    repository: Repository
    pull_request: Issue

    @property
    def issues(self) -> list[Issue]:
        return [item for item in self.world.issues.values() if not item.is_pull_request]

    def written(self) -> list[str]:
        """Everything that changed something, by method."""
        return [call.operation for call in self.journal.calls if call.operation != "GET"]


@contextmanager
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """The repository, with the environment that GitHub Actions gives to a job."""
    clock = SimulatedClock()
    journal = Journal(clock)
    with serve(SCENARIO, clock, journal) as server:
        monkeypatch.setenv("GITHUB_API_URL", server.url)
        monkeypatch.setenv("GITHUB_TOKEN", "rehearsal")
        monkeypatch.setenv("GITHUB_REPOSITORY", SLUG)
        monkeypatch.setenv("GITHUB_RUN_ID", "1")
        made = server.world.open(server.world.repository(*SLUG.split("/")), "octo-author", "x", is_pull_request=True)
        with github() as client:
            yield Place(server.world, journal, Repository(client, SLUG), made)
