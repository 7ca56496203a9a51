"""The simulated API: secrets, which nobody can read back, and variables, which everybody can."""

import base64
from typing import Any

import httpx
import pytest
from nacl.public import PrivateKey

from virtci.rehearsal.github.api import Server
from virtci.rehearsal.github.client import sealed

DEV = "/repos/octo-lab/virt-ci/environments/dev"
SECRETS = f"{DEV}/secrets"
VARIABLES = f"{DEV}/variables"
PLAIN = "correct-horse-battery"


@pytest.fixture(autouse=True)
def _environment(api: httpx.Client) -> None:
    api.put(DEV)


def put(api: httpx.Client, name: str, value: str = PLAIN, **other: Any) -> httpx.Response:
    key = api.get(f"{SECRETS}/public-key").json()
    body = {"key_id": key["key_id"], "encrypted_value": sealed(key["key"], value), **other}
    return api.put(f"{SECRETS}/{name}", json=body)


def test_a_secret_is_a_sealed_box_and_cannot_be_read_back(api: httpx.Client, server: Server) -> None:
    assert [put(api, "Token").status_code, put(api, "TOKEN", "another").status_code] == [201, 204]
    shown = api.get(f"{SECRETS}/token").json()
    assert shown.keys() == {"name", "created_at", "updated_at"}
    assert api.get(SECRETS).json() == {"total_count": 1, "secrets": [shown]}
    assert shown["name"] == "TOKEN"
    assert PLAIN not in repr(server.world)


def test_a_value_that_is_not_sealed_for_the_key_is_refused_without_repeating_it(api: httpx.Client) -> None:
    stranger = base64.b64encode(bytes(PrivateKey.generate().public_key)).decode()
    plain = base64.b64encode(PLAIN.encode()).decode()
    for wrong in ({"encrypted_value": sealed(stranger, PLAIN)}, {"encrypted_value": plain}, {"key_id": "1"}):
        answer = put(api, "TOKEN", **wrong)
        assert answer.status_code == 422
        assert PLAIN not in answer.text
        assert plain not in answer.text
    assert api.get(f"{SECRETS}/TOKEN").status_code == 404


def test_a_value_that_is_not_base64_or_not_text_is_refused_without_repeating_it(api: httpx.Client) -> None:
    for wrong in (f"{PLAIN}!", [PLAIN], None):
        answer = put(api, "TOKEN", encrypted_value=wrong)
        assert (answer.status_code, PLAIN in answer.text) == (422, False)


def test_a_secret_needs_its_key_id(api: httpx.Client) -> None:
    answer = api.put(f"{SECRETS}/TOKEN", json={"encrypted_value": "AAAA"})
    assert (answer.status_code, '"key_id" wasn\'t supplied' in answer.json()["message"]) == (422, True)


def test_each_environment_has_its_own_key(api: httpx.Client) -> None:
    other = "/repos/octo-lab/virt-ci/environments/test"
    api.put(other)
    keys = [api.get(f"{place}/secrets/public-key").json() for place in (DEV, other)]
    assert keys[0] != keys[1]
    body = {"key_id": keys[0]["key_id"], "encrypted_value": sealed(keys[0]["key"], PLAIN)}
    assert api.put(f"{other}/secrets/TOKEN", json=body).status_code == 422


def test_a_secret_holds_48_kilobytes_and_no_more(api: httpx.Client) -> None:
    assert put(api, "KUBE_CONFIG", "x" * 48 * 1024).status_code == 201
    assert put(api, "KUBE_CONFIG", "x" * (48 * 1024 + 1)).status_code == 422


def test_an_environment_holds_a_hundred_secrets(api: httpx.Client) -> None:
    key = api.get(f"{SECRETS}/public-key").json()
    body = {"key_id": key["key_id"], "encrypted_value": sealed(key["key"], PLAIN)}
    made = [api.put(f"{SECRETS}/S{number}", json=body).status_code for number in range(101)]
    assert made == [201] * 100 + [422]
    assert api.put(f"{SECRETS}/S1", json=body).status_code == 204


def test_a_deleted_secret_is_gone(api: httpx.Client) -> None:
    put(api, "TOKEN")
    assert [api.delete(f"{SECRETS}/TOKEN").status_code for _ in range(2)] == [204, 404]


def test_a_variable_is_made_changed_renamed_and_removed(api: httpx.Client) -> None:
    assert api.post(VARIABLES, json={"name": "Region", "value": "north"}).status_code == 201
    assert api.get(f"{VARIABLES}/region").json()["value"] == "north"
    assert api.patch(f"{VARIABLES}/REGION", json={"value": "south"}).status_code == 204
    assert api.patch(f"{VARIABLES}/REGION", json={"name": "PLACE"}).status_code == 204
    assert api.get(f"{VARIABLES}/PLACE").json()["value"] == "south"
    assert [api.delete(f"{VARIABLES}/PLACE").status_code for _ in range(2)] == [204, 404]


def test_a_variable_that_exists_already_is_a_conflict(api: httpx.Client) -> None:
    for name in ("REGION", "PLACE"):
        api.post(VARIABLES, json={"name": name, "value": "north"})
    assert api.post(VARIABLES, json={"name": "region", "value": "south"}).status_code == 409
    assert api.patch(f"{VARIABLES}/PLACE", json={"name": "REGION"}).status_code == 409


def test_an_absent_variable_cannot_be_changed(api: httpx.Client) -> None:
    assert api.patch(f"{VARIABLES}/REGION", json={"value": "south"}).status_code == 404
    assert api.get(f"{VARIABLES}/REGION").status_code == 404


def test_a_variable_holds_48_kilobytes_and_an_environment_a_hundred_variables(api: httpx.Client) -> None:
    assert api.post(VARIABLES, json={"name": "LARGE", "value": "x" * (48 * 1024 + 1)}).status_code == 422
    made = [api.post(VARIABLES, json={"name": f"V{n}", "value": "x"}).status_code for n in range(101)]
    assert made == [201] * 100 + [422]
    page = api.get(VARIABLES, params={"per_page": 100}).json()
    assert (page["total_count"], len(page["variables"])) == (100, 30)


@pytest.mark.parametrize("name", ["1ST", "A-B", "GITHUB_TOKEN", "github_token", "A B", ""])
def test_names_that_a_workflow_cannot_use_are_refused(api: httpx.Client, name: str) -> None:
    assert api.post(VARIABLES, json={"name": name, "value": "x"}).status_code == 422
    if name:
        assert put(api, name).status_code == 422


@pytest.mark.parametrize("body", [{"name": "A"}, {"name": "A", "value": 1}, {"name": "A", "value": "x", "size": 1}])
def test_a_variable_with_a_body_that_is_not_declared_is_refused(api: httpx.Client, body: dict[str, Any]) -> None:
    assert api.post(VARIABLES, json=body).status_code == 422


def test_an_absent_environment_holds_nothing(api: httpx.Client) -> None:
    absent = "/repos/octo-lab/virt-ci/environments/absent"
    assert api.post(f"{absent}/variables", json={"name": "A", "value": "x"}).status_code == 404
    assert api.put(f"{absent}/secrets/A", json={"key_id": "1", "encrypted_value": "AAAA"}).status_code == 404


def test_a_repository_has_variables_of_its_own(api: httpx.Client) -> None:
    own = "/repos/octo-lab/virt-ci/actions/variables"
    api.post(VARIABLES, json={"name": "REGION", "value": "of the environment"})
    assert api.get(f"{own}/REGION").status_code == 404
    assert api.post(own, json={"name": "Region", "value": "north"}).status_code == 201
    assert api.post(own, json={"name": "REGION", "value": "south"}).status_code == 409
    assert api.patch(f"{own}/region", json={"value": "south"}).status_code == 204
    assert [item["value"] for item in api.get(own).json()["variables"]] == ["south"]
    assert api.get(f"{VARIABLES}/REGION").json()["value"] == "of the environment"
    assert api.get("/repos/octo-lab/vault/actions/variables").json()["total_count"] == 0
    assert [api.delete(f"{own}/REGION").status_code for _ in range(2)] == [204, 404]


def test_a_repository_holds_five_hundred_variables_and_48_kilobytes_in_each(api: httpx.Client) -> None:
    own = "/repos/octo-lab/virt-ci/actions/variables"
    assert api.post(own, json={"name": "LARGE", "value": "x" * (48 * 1024 + 1)}).status_code == 422
    made = [api.post(own, json={"name": f"V{n}", "value": "x"}).status_code for n in range(501)]
    assert made == [201] * 500 + [422]
