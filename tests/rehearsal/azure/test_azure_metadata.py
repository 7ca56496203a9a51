"""The instance metadata service of a simulated machine, asked as a script on the machine does."""

from collections.abc import Iterator

import httpx
import pytest

from tests.rehearsal.azure.machines import MACHINE_ID, machine
from tests.rehearsal.azure.simulated import GROUP, Cloud, build
from virtci.rehearsal.azure.metadata import TOKEN_SECONDS, Metadata, serve_metadata
from virtci.rehearsal.azure.tokens import holder
from virtci.rehearsal.journal import Fault

VAULTS = "https://vault.azure.net"
TOKEN = f"/metadata/identity/oauth2/token?api-version=2018-02-01&resource={VAULTS}"
INSTANCE = "/metadata/instance?api-version=2021-02-01"
ASKING = {"Metadata": "true"}


@pytest.fixture
def service(ready: Cloud) -> Metadata:
    return Metadata(ready.manager, MACHINE_ID)


@pytest.fixture
def http(service: Metadata) -> Iterator[httpx.Client]:
    with serve_metadata(service) as endpoint, httpx.Client(base_url=endpoint.url, trust_env=False) as client:
        yield client


def test_a_token_names_the_principal_the_audience_and_its_end(ready: Cloud, http: httpx.Client) -> None:
    principal = machine(ready)
    answer = http.get(TOKEN, headers=ASKING).json()
    now = ready.clock.now.timestamp()
    assert holder(answer["access_token"], (VAULTS,), now) == principal
    assert (answer["resource"], answer["token_type"], answer["expires_in"]) == (VAULTS, "Bearer", str(TOKEN_SECONDS))
    assert int(answer["expires_on"]) == int(now) + TOKEN_SECONDS
    assert principal not in answer["access_token"]


def test_a_machine_tells_what_it_is(ready: Cloud, http: httpx.Client) -> None:
    machine(ready)
    ready.manager.request("PATCH", MACHINE_ID, {"tags": {"owner": "ci", "bootstage": "ready"}})
    compute = http.get(INSTANCE, headers=ASKING).json()["compute"]
    assert (compute["name"], compute["resourceId"], compute["location"]) == ("vm", MACHINE_ID, "westus")
    assert (compute["resourceGroupName"], compute["vmSize"]) == ("rg", "Standard_D2s_v5")
    assert compute["tags"] == "owner:ci;bootstage:ready"
    assert {"name": "owner", "value": "ci"} in compute["tagsList"]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("compute/resourceId", MACHINE_ID),
        ("network/interface/0/ipv4/ipAddress/0/privateIpAddress", "10.0.0.5"),
        ("network/interface/0/ipv4/subnet/0/address", "10.0.0.0"),
        ("network/interface/0/ipv4/subnet/0/prefix", "24"),
        ("network/interface", "0/"),
        ("network/interface/0/ipv4", "ipAddress/\nsubnet/"),
    ],
)
def test_single_facts_come_as_text(ready: Cloud, http: httpx.Client, path: str, text: str) -> None:
    machine(ready)
    answer = http.get(f"/metadata/instance/{path}?api-version=2021-02-01&format=text", headers=ASKING)
    assert (answer.status_code, answer.text, answer.headers["content-type"]) == (200, text, "text/plain")


@pytest.mark.parametrize(
    ("target", "headers", "status", "said"),
    [
        (TOKEN, {}, 400, "Required metadata header"),
        (INSTANCE, {}, 400, "Required metadata header"),
        (TOKEN, ASKING | {"X-Forwarded-For": "10.0.0.9"}, 400, "X-Forwarded-For"),
        (INSTANCE, ASKING | {"X-Forwarded-For": "10.0.0.9"}, 400, "X-Forwarded-For"),
        (TOKEN.replace("2018-02-01", "2016-01-01"), ASKING, 400, "api-version"),
        ("/metadata/instance", ASKING, 400, "api-version"),
        (TOKEN.split("&", maxsplit=1)[0], ASKING, 400, "'resource' is missing"),
        (f"{TOKEN}&client_id=00000000-0000-0000-0000-0000000000f1", ASKING, 400, "Identity not found"),
        ("/metadata/instance/compute/nothing?api-version=2021-02-01&format=text", ASKING, 404, "Not found"),
        ("/metadata/instance/compute/name?api-version=2021-02-01", ASKING, 400, "format=text"),
        ("/metadata/nothing", ASKING, 404, "Not found"),
    ],
)
def test_a_wrong_question_is_refused(
    ready: Cloud, http: httpx.Client, target: str, headers: dict[str, str], status: int, said: str
) -> None:
    machine(ready)
    answer = http.get(target, headers=headers)
    assert answer.status_code == status
    assert said in answer.text


def test_a_machine_without_an_identity_gets_no_token(ready: Cloud, http: httpx.Client) -> None:
    ready.machine()
    answer = http.get(TOKEN, headers=ASKING)
    assert (answer.status_code, answer.json()) == (
        400, {"error": "invalid_request", "error_description": "Identity not found"}
    )  # fmt: skip


def test_an_identity_of_another_machine_is_not_given(ready: Cloud, http: httpx.Client) -> None:
    machine(ready)
    _, other = ready.identity("other")
    assert http.get(f"{TOKEN}&client_id={other['clientId']}", headers=ASKING).status_code == 400


def test_among_several_identities_one_must_be_named(ready: Cloud, http: httpx.Client) -> None:
    made = {name: ready.identity(name) for name in ("first", "second")}
    assigned = {"type": "UserAssigned", "userAssignedIdentities": [place for place, _ in made.values()]}
    ready.machine(identity=assigned)
    assert "Multiple user assigned identities" in http.get(TOKEN, headers=ASKING).text
    for place, outputs in made.values():
        for choice in (
            f"client_id={outputs['clientId']}",
            f"object_id={outputs['principalId']}",
            f"msi_res_id={place}",
        ):
            token = http.get(f"{TOKEN}&{choice}", headers=ASKING).json()["access_token"]
            assert holder(token, (VAULTS,), ready.clock.now.timestamp()) == outputs["principalId"]


def test_the_machines_own_identity_is_the_usual_one(ready: Cloud, http: httpx.Client) -> None:
    place, assigned = ready.identity()
    both = {"type": "SystemAssigned, UserAssigned", "userAssignedIdentities": [place]}
    _, outputs = ready.machine(identity=both)
    token = http.get(TOKEN, headers=ASKING).json()["access_token"]
    found = holder(token, (VAULTS,), ready.clock.now.timestamp())
    assert found == outputs["identity"]["principalId"] != assigned["principalId"]


@pytest.mark.parametrize("status", [404, 410, 429, 500])
def test_a_service_that_starts_answers_later(ready: Cloud, service: Metadata, http: httpx.Client, status: int) -> None:
    machine(ready)
    service.unready, service.unready_status = 2, status
    assert [http.get(TOKEN, headers=ASKING).status_code for _ in range(3)] == [status, status, 200]


def test_the_fault_plan_reaches_the_service() -> None:
    cloud = build(None, Fault(cloud="metadata", target="*/token", status=429, code="too_many_requests"))
    cloud.group()
    cloud.network()
    machine(cloud)
    with serve_metadata(Metadata(cloud.manager, MACHINE_ID)) as endpoint:
        asked = [httpx.get(f"{endpoint.url}{TOKEN}", headers=ASKING, trust_env=False).status_code for _ in range(2)]
    assert asked == [429, 200]


def test_a_machine_that_is_off_has_no_service(ready: Cloud, http: httpx.Client) -> None:
    machine(ready)
    ready.request("POST", f"{MACHINE_ID}/deallocate")
    with pytest.raises(httpx.RemoteProtocolError):
        http.get(TOKEN, headers=ASKING)
    ready.request("POST", f"{MACHINE_ID}/start")
    assert http.get(TOKEN, headers=ASKING).status_code == 200


def test_a_machine_that_is_gone_has_no_service(ready: Cloud, http: httpx.Client) -> None:
    assert not ready.exists(f"{GROUP}/providers/Microsoft.Compute/virtualMachines/vm")
    with pytest.raises(httpx.RemoteProtocolError):
        http.get(TOKEN, headers=ASKING)


def test_an_eviction_is_announced_with_the_machine_it_meets(
    ready: Cloud, service: Metadata, http: httpx.Client
) -> None:
    machine(ready)
    path = "/metadata/scheduledevents?api-version=2020-07-01"
    assert http.get(path, headers=ASKING).json()["Events"] == []
    service.preempted = "Mon, 19 Sep 2026 18:29:47 GMT"
    (event,) = http.get(path, headers=ASKING).json()["Events"]
    assert (event["EventType"], event["Resources"], event["NotBefore"]) == ("Preempt", ["vm"], service.preempted)
    assert http.get("/metadata/scheduledevents", headers=ASKING).status_code == 400
