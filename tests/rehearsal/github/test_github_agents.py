"""The runner agent: which one GitHub gives out, and when the versions end."""

import json

import httpx

from virtci.core.tables import DATA
from virtci.rehearsal.github.younger import PATHS

RUNNERS = "/repos/octo-lab/virt-ci/actions/runners"


def test_an_agent_that_ends_says_when(api: httpx.Client) -> None:
    assert api.get(f"{RUNNERS}/deprecations/2.335.1").json() == {
        "runner_version": "2.335.1",
        "runtime_deprecates_at": "2026-09-24T15:30:55Z",
    }


def test_the_newest_agent_has_no_dates(api: httpx.Client) -> None:
    assert api.get(f"{RUNNERS}/deprecations/2.337.0").json() == {"runner_version": "2.337.0"}


def test_an_agent_that_github_has_no_schedule_for_is_not_found(api: httpx.Client) -> None:
    assert api.get(f"{RUNNERS}/deprecations/2.327.0").status_code == 404
    assert api.get(f"{RUNNERS.replace('virt-ci', 'nothing')}/deprecations/2.337.0").status_code == 404


def test_the_newest_agent_is_given_out(api: httpx.Client) -> None:
    found = api.get(f"{RUNNERS}/downloads").json()
    assert {item["architecture"]: item["filename"] for item in found} == {
        "x64": "actions-runner-linux-x64-2.337.0.tar.gz",
        "arm64": "actions-runner-linux-arm64-2.337.0.tar.gz",
    }


def test_what_is_younger_than_the_description_is_written_only_while_it_is() -> None:
    described = json.loads((DATA / "github-openapi.json").read_text())["paths"]
    assert PATHS.keys() & described.keys() == set()
