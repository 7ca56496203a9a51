"""Self-hosted runners of the simulated GitHub: the API, and what agents do."""

import httpx
import pytest

from virtci.core.runner_agent import MINIMUM
from virtci.rehearsal.clock import SimulatedClock
from virtci.rehearsal.github.api import Server
from virtci.rehearsal.github.runners import connect, enrol
from virtci.rehearsal.github.store import Runner
from virtci.rehearsal.journal import CloudError

PLACE = "octo-lab/virt-ci"
RUNNERS = f"/repos/{PLACE}/actions/runners"


def token(api: httpx.Client, place: str = PLACE) -> str:
    answer = api.post(f"/repos/{place}/actions/runners/registration-token")
    assert answer.status_code == 201
    return str(answer.json()["token"])


def enrolled(
    server: Server, given: str, name: str = "runner-1", version: str = "2.336.0", *, replace: bool = False
) -> Runner:
    with server.held() as world:
        return enrol(world, given, PLACE, name, ("l1vh",), version, replace)


def refusal(server: Server, given: str, name: str = "runner-1", version: str = "2.336.0") -> tuple[int, str]:
    with pytest.raises(CloudError) as refused:
        enrolled(server, given, name, version)
    return refused.value.status, refused.value.message


def test_a_token_lives_for_an_hour_and_serves_more_than_once(
    server: Server, api: httpx.Client, clock: SimulatedClock
) -> None:
    given = token(api)
    enrolled(server, given, "runner-1")
    clock.advance(3_599)
    enrolled(server, given, "runner-2")
    clock.advance(1)
    assert refusal(server, given, name="runner-3") == (404, "Not Found")


def test_a_token_is_for_its_repository_alone(server: Server, api: httpx.Client) -> None:
    assert refusal(server, token(api, "octo-lab/vault"))[0] == 404
    assert refusal(server, "made-up")[0] == 404


def test_a_runner_is_listed_with_its_labels_and_whether_it_is_there(server: Server, api: httpx.Client) -> None:
    runner = enrolled(server, token(api))
    before = api.get(RUNNERS, params={"name": "runner-1"}).json()
    with server.held() as world:
        connect(world, runner.credential)
    after = api.get(f"{RUNNERS}/{runner.id}").json()
    assert (before["total_count"], before["runners"][0]["status"], after["status"]) == (1, "offline", "online")
    assert {item["name"]: item["type"] for item in after["labels"]} == {
        "self-hosted": "read-only", "Linux": "read-only", "X64": "read-only", "l1vh": "custom"
    }  # fmt: skip
    assert after["version"] == "2.336.0"


def test_a_list_is_narrowed_by_name(server: Server, api: httpx.Client) -> None:
    given = token(api)
    for name in ("runner-1", "runner-2"):
        enrolled(server, given, name)
    assert api.get(RUNNERS).json()["total_count"] == 2
    assert [item["name"] for item in api.get(RUNNERS, params={"name": "runner-2"}).json()["runners"]] == ["runner-2"]
    assert api.get(RUNNERS, params={"name": "runner"}).json()["runners"] == []


def test_a_name_is_taken_until_it_is_replaced_which_keeps_its_id(server: Server, api: httpx.Client) -> None:
    given = token(api)
    first = enrolled(server, given)
    assert refusal(server, given)[0] == 409
    second = enrolled(server, given, replace=True)
    assert (second.id, second.credential != first.credential) == (first.id, True)
    with server.held() as world, pytest.raises(CloudError, match="has been deleted"):
        connect(world, first.credential)


def test_an_agent_below_the_minimum_is_refused(server: Server, api: httpx.Client) -> None:
    major, minor, _ = MINIMUM
    status, said = refusal(server, token(api), version=f"{major}.{minor - 1}.9")
    assert (status, "deprecated" in said) == (403, True)
    enrolled(server, token(api), version=f"{major}.{minor}.0")


def test_a_busy_runner_is_not_removed(server: Server, api: httpx.Client) -> None:
    runner = enrolled(server, token(api))
    runner.busy = True
    assert api.delete(f"{RUNNERS}/{runner.id}").status_code == 422
    runner.busy = False
    assert api.delete(f"{RUNNERS}/{runner.id}").status_code == 204
    assert api.get(f"{RUNNERS}/{runner.id}").status_code == 404


def test_other_repositories_have_no_such_runner(server: Server, api: httpx.Client) -> None:
    runner = enrolled(server, token(api))
    assert api.get("/repos/octo-lab/vault/actions/runners").json() == {"total_count": 0, "runners": []}
    assert api.get(f"/repos/octo-lab/vault/actions/runners/{runner.id}").status_code == 404
    assert api.post("/repos/octo-lab/nothing/actions/runners/registration-token").status_code == 404
