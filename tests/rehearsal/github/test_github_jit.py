"""Just-in-time configurations of the simulated GitHub: one record, one job, and what is refused."""

import base64
import json
from typing import Any

import httpx
import pytest

from virtci.rehearsal.clock import SimulatedClock
from virtci.rehearsal.github.api import Server
from virtci.rehearsal.github.runners import connect, disconnect, enrol
from virtci.rehearsal.github.workflow_runs import finish_job, open_run, queue_job, take_job
from virtci.rehearsal.journal import CloudError

PLACE = "octo-lab/virt-ci"
RUNNERS = f"/repos/{PLACE}/actions/runners"
LABELS = ["self-hosted", "linux", "x64", "virt-ci-azure-1-1-1-Abc"]
DAY = 86_400


def asked(api: httpx.Client, name: str = "one", **more: Any) -> httpx.Response:
    body = {"name": name, "runner_group_id": 1, "labels": LABELS}
    return api.post(f"{RUNNERS}/generate-jitconfig", json=body | more)


def files(answer: httpx.Response) -> dict[str, Any]:
    packed = json.loads(base64.b64decode(answer.json()["encoded_jit_config"]))
    return {name: json.loads(base64.b64decode(content)) for name, content in packed.items()}


def credential(answer: httpx.Response) -> str:
    return str(files(answer)[".credentials_rsaparams"]["d"])


def names(api: httpx.Client) -> list[str]:
    return [item["name"] for item in api.get(RUNNERS).json()["runners"]]


def test_a_configuration_makes_an_offline_record_with_its_labels_in_lower_case(api: httpx.Client) -> None:
    answer = asked(api)
    runner = answer.json()["runner"]
    assert (answer.status_code, runner["status"], runner["busy"], runner["ephemeral"]) == (201, "offline", False, True)
    assert [item["name"] for item in runner["labels"]] == ["self-hosted", "linux", "x64", "virt-ci-azure-1-1-1-abc"]
    assert names(api) == ["one"]


def test_a_configuration_holds_the_files_of_an_agent(api: httpx.Client) -> None:
    found = files(asked(api))
    assert set(found) == {".runner", ".credentials", ".credentials_rsaparams"}
    assert (found[".runner"]["agentName"], found[".runner"]["ephemeral"]) == ("one", True)


def test_a_configuration_is_larger_than_a_standard_parameter_and_fits_an_advanced_one(api: httpx.Client) -> None:
    assert 4_096 < len(asked(api).json()["encoded_jit_config"]) < 8_192


def test_asking_twice_is_a_conflict_until_the_record_is_gone(api: httpx.Client) -> None:
    first = asked(api).json()["runner"]["id"]
    assert asked(api).status_code == 409
    assert api.delete(f"{RUNNERS}/{first}").status_code == 204
    assert asked(api).status_code == 201


def test_an_answer_that_was_lost_leaves_a_record(api: httpx.Client, plan: Any) -> None:
    plan(operation="POST", status=502, message="Server Error", after=True)
    assert [asked(api).status_code, names(api), asked(api).status_code] == [502, ["one"], 409]


@pytest.mark.parametrize(
    ("more", "status"),
    [({"labels": []}, 422), ({"labels": ["a"] * 101}, 422), ({"runner_group_id": 2}, 404), ({"group": 1}, 422)],
)
def test_what_cannot_be_is_refused_and_makes_nothing(api: httpx.Client, more: dict[str, Any], status: int) -> None:
    assert asked(api, **more).status_code == status
    assert names(api) == []


def test_a_runner_group_is_mandatory(api: httpx.Client) -> None:
    answer = api.post(f"{RUNNERS}/generate-jitconfig", json={"name": "one", "labels": ["a"]})
    assert (answer.status_code, "runner_group_id" in answer.json()["message"]) == (422, True)


def test_a_record_goes_with_its_job_and_so_does_its_credential(api: httpx.Client, server: Server) -> None:
    given = credential(asked(api))
    with server.held() as world:
        run = open_run(world, world.scenario.repositories[0], "CI", 1)
        queue_job(world, run, "test", ["VIRT-CI-azure-1-1-1-abc"])
        job = take_job(world, connect(world, given, "2.336.0"))
        assert job is not None
    busy = api.get(RUNNERS).json()["runners"][0]
    assert (busy["status"], busy["busy"], busy["version"]) == ("online", True, "2.336.0")
    assert api.delete(f"{RUNNERS}/{busy['id']}").status_code == 422
    with server.held() as world:
        finish_job(world, job, "success")
        with pytest.raises(CloudError, match="has been deleted"):
            connect(world, given)
    assert names(api) == []


def test_an_agent_that_is_too_old_does_not_come_online(api: httpx.Client, server: Server) -> None:
    given = credential(asked(api))
    with server.held() as world, pytest.raises(CloudError, match="deprecated"):
        connect(world, given, "2.300.0")


def test_records_of_agents_that_stay_away_go_after_a_day_or_a_fortnight(
    api: httpx.Client, server: Server, clock: SimulatedClock
) -> None:
    given = credential(asked(api, "never-came"))
    token = api.post(f"{RUNNERS}/registration-token").json()["token"]
    with server.held() as world:
        enrol(world, token, PLACE, "persistent", ("a",), "2.336.0", replace=False)
        connect(world, given)
        clock.advance(2 * DAY)
        disconnect(world, given)
    clock.advance(DAY - 1)
    assert names(api) == ["never-came", "persistent"]
    clock.advance(1)
    assert names(api) == ["persistent"]
    clock.advance(11 * DAY)
    assert names(api) == []


def test_an_agent_without_the_usual_labels_has_only_its_own(api: httpx.Client, server: Server) -> None:
    token = api.post(f"{RUNNERS}/registration-token").json()["token"]
    with server.held() as world:
        enrol(world, token, PLACE, "one", ("self-hosted", "mine"), "2.336.0", replace=False, default_labels=False)
    assert [item["name"] for item in api.get(RUNNERS).json()["runners"][0]["labels"]] == ["self-hosted", "mine"]


def test_a_list_comes_in_pages(api: httpx.Client) -> None:
    for number in range(5):
        asked(api, f"runner-{number}")
    pages = [api.get(RUNNERS, params={"per_page": 2, "page": page}).json() for page in (1, 2, 3, 4)]
    assert [[item["name"][-1] for item in page["runners"]] for page in pages] == [["0", "1"], ["2", "3"], ["4"], []]
    assert {page["total_count"] for page in pages} == {5}
