"""The provider under faults: it paces itself, tries again and waits, all in simulated time."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from virtci.rehearsal.bridge import Values
from virtci.rehearsal.clock import SimulatedClock
from virtci.rehearsal.github.api import GitHubScenario, Server, serve
from virtci.rehearsal.github.inputs import ENVIRONMENT, POLICY, SECRET, VARIABLE
from virtci.rehearsal.github.provider import GitHub
from virtci.rehearsal.journal import CloudError, Journal, calls_of

PLACE: Values = {"repository": "virt-ci", "environment": "dev"}
VARIABLE_INPUTS = {**PLACE, "variableName": "REGION", "value": "north"}
CUSTOM = {"customBranchPolicies": True, "protectedBranches": False}


def statuses(journal: Journal, operation: str) -> list[int]:
    return [call.status for call in calls_of(journal.calls, "github", operation)]


def test_requests_wait_a_second_after_a_write(github: GitHub, clock: SimulatedClock) -> None:
    github.configure({"owner": "octo-lab", "token": "rehearsal"})
    github.create(ENVIRONMENT, PLACE)
    assert clock.seconds == 1
    github.read(ENVIRONMENT, "virt-ci:dev", PLACE, PLACE)
    assert clock.seconds == 1


def test_requests_of_many_threads_go_one_after_the_other(github: GitHub, clock: SimulatedClock) -> None:
    github.configure({"owner": "octo-lab", "token": "rehearsal"})
    with ThreadPoolExecutor(4) as threads:
        places = [{**PLACE, "environment": f"test-{number}"} for number in range(4)]
        ids = list(threads.map(lambda inputs: github.create(ENVIRONMENT, inputs)[0], places))
    assert ids == [f"virt-ci:test-{number}" for number in range(4)]
    assert clock.seconds == 4


def test_a_server_error_is_tried_again_three_times(github: GitHub, clock: SimulatedClock, plan: Any) -> None:
    plan(operation="PUT", times=3, status=502, message="Server Error")
    github.create(ENVIRONMENT, PLACE)
    assert (clock.seconds, statuses(github.journal, "PUT")) == (3, [502, 502, 502, 200])


def test_a_server_error_that_stays_is_given_up(github: GitHub, clock: SimulatedClock, plan: Any) -> None:
    plan(operation="PUT", times=9, status=503, message="Unavailable")
    with pytest.raises(CloudError, match=r"PUT .*/environments/dev: 503 Unavailable \[\]") as refused:
        github.create(ENVIRONMENT, PLACE)
    assert (refused.value.status, clock.seconds, len(statuses(github.journal, "PUT"))) == (503, 3, 4)


def test_a_secondary_limit_is_waited_out(github: GitHub, clock: SimulatedClock, plan: Any) -> None:
    plan(operation="PUT", times=2, status=429, message="You have exceeded a secondary rate limit.")
    github.create(ENVIRONMENT, PLACE)
    assert (clock.seconds, statuses(github.journal, "PUT")) == (120, [429, 429, 200])


def test_a_limit_that_never_ends_is_given_up(github: GitHub, clock: SimulatedClock, plan: Any) -> None:
    plan(operation="PUT", times=99, status=429, message="Slow down")
    with pytest.raises(CloudError, match="429 Slow down"):
        github.create(ENVIRONMENT, PLACE)
    assert clock.seconds == 600


def test_an_allowance_that_is_used_up_is_waited_for(scenario: GitHubScenario, clock: SimulatedClock) -> None:
    journal = Journal(clock)
    with serve(scenario.model_copy(update={"requests_per_hour": 2}), clock, journal) as server:
        headers = {"Authorization": "Bearer rehearsal"}
        with httpx.Client(base_url=server.url, headers=headers, trust_env=False) as api:
            answers = [api.get("/users/octo-reviewer-1") for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 403]
        assert [answer.headers["x-ratelimit-remaining"] for answer in answers] == ["1", "0", "0"]
        github = GitHub(server.url, clock, journal, token="rehearsal", owner="octo-lab")
        assert github.invoke("github:index/getUser:getUser", {"username": "octo-reviewer-1"})["id"] == "301"
    assert clock.seconds == 3_600


def test_a_lost_answer_does_no_harm_where_writing_twice_is_the_same(github: GitHub, plan: Any) -> None:
    plan(operation="PUT", status=502, message="Server Error", after=True)
    github.create(ENVIRONMENT, PLACE)
    plan(operation="PUT", target="*/secrets/*", status=502, message="Server Error", after=True)
    github.create(SECRET, {**PLACE, "secretName": "TOKEN", "value": "x"})
    assert statuses(github.journal, "PUT") == [502, 200, 502, 204]


@pytest.mark.parametrize(
    ("kind", "inputs", "status"), [(VARIABLE, VARIABLE_INPUTS, 409), (POLICY, {**PLACE, "branchPattern": "main"}, 303)]
)
def test_a_lost_answer_to_a_post_leaves_something_that_the_next_try_trips_over(
    github: GitHub, plan: Any, kind: str, inputs: Values, status: int
) -> None:
    github.create(ENVIRONMENT, {**PLACE, "deploymentBranchPolicy": CUSTOM})
    plan(operation="POST", status=502, message="Server Error", after=True)
    with pytest.raises(CloudError) as refused:
        github.create(kind, inputs)
    assert refused.value.status == status
    assert statuses(github.journal, "POST") == [502, status]


def test_times_that_cannot_be_read_are_left_out(github: GitHub, plan: Any) -> None:
    github.create(ENVIRONMENT, PLACE)
    plan(operation="GET", target="*/variables/REGION", status=400, message="Bad Request")
    _, outputs = github.create(VARIABLE, VARIABLE_INPUTS)
    assert outputs == {**VARIABLE_INPUTS, "repositoryId": 201}


def test_a_delete_that_is_refused_is_an_error(github: GitHub, server: Server, plan: Any) -> None:
    github.create(ENVIRONMENT, PLACE)
    plan(operation="DELETE", status=403, message="Must have admin rights to Repository.")
    with pytest.raises(CloudError, match="403 Must have admin rights"):
        github.delete(ENVIRONMENT, "virt-ci:dev", {})
    assert len(server.world.environments) == 1
