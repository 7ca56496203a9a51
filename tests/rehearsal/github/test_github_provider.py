"""The simulated provider: what the program sees of GitHub through Pulumi's protocol."""

from typing import Any

import httpx
import pytest
from pulumi.runtime.rpc import UNKNOWN

from virtci.rehearsal.bridge import HalfMadeError, Values
from virtci.rehearsal.clock import SimulatedClock
from virtci.rehearsal.github.client import sealed
from virtci.rehearsal.github.inputs import ENVIRONMENT, KINDS, POLICY, SECRET, VARIABLE
from virtci.rehearsal.github.provider import GitHub
from virtci.rehearsal.journal import CloudError, Journal

PLACE = {"repository": "virt-ci", "environment": "dev"}
DEV = "/repos/octo-lab/virt-ci/environments/dev"
CUSTOM = {"customBranchPolicies": True, "protectedBranches": False}
PROTECTED: Values = {
    **PLACE,
    "waitTimer": 30,
    "reviewers": [{"users": [302, 301], "teams": [401]}],
    "preventSelfReview": True,
    "canAdminsBypass": False,
    "deploymentBranchPolicy": CUSTOM,
}
PLAIN = "correct-horse-battery"
EXAMPLES: dict[str, Values] = {
    ENVIRONMENT: PROTECTED,
    POLICY: {**PLACE, "branchPattern": "refs/pull/*/merge"},
    SECRET: {**PLACE, "secretName": "TOKEN", "value": PLAIN},
    VARIABLE: {**PLACE, "variableName": "REGION", "value": "north"},
}


@pytest.fixture
def environment(github: GitHub) -> Values:
    return github.create(ENVIRONMENT, {**PLACE, "deploymentBranchPolicy": CUSTOM})[1]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (ENVIRONMENT, "virt-ci:dev"),
        (POLICY, "virt-ci:dev:{policyId}"),
        (SECRET, "virt-ci:dev:TOKEN"),
        (VARIABLE, "virt-ci:dev:REGION"),
    ],
)
@pytest.mark.usefixtures("environment")
def test_a_resource_lives_from_create_to_delete(github: GitHub, kind: str, expected: str) -> None:
    inputs = EXAMPLES[kind]
    assert github.check(kind, inputs) == []
    resource_id, outputs = github.create(kind, inputs)
    assert resource_id == expected.format(**outputs)
    assert outputs.items() >= inputs.items()
    assert outputs["repositoryId"] == 201
    assert set(outputs) <= set(KINDS[kind].inputs) | set(KINDS[kind].computed)
    assert github.preview(kind, inputs, outputs) == outputs
    assert github.update(kind, resource_id, inputs, outputs) == outputs
    assert github.read(kind, resource_id, inputs, outputs) == outputs
    github.delete(kind, resource_id, outputs)
    assert github.read(kind, resource_id, inputs, outputs) is None
    github.delete(kind, resource_id, outputs)


def test_a_preview_knows_inputs_and_defaults_and_nothing_computed(github: GitHub) -> None:
    assert github.preview(ENVIRONMENT, PLACE, None) == {
        **PLACE,
        "canAdminsBypass": True,
        "preventSelfReview": False,
        "repositoryId": UNKNOWN,
    }
    secret = github.preview(SECRET, EXAMPLES[SECRET], None)
    assert {name for name, value in secret.items() if value == UNKNOWN} == set(KINDS[SECRET].computed)


def test_a_colon_in_an_environment_s_name_is_escaped_in_the_id(github: GitHub) -> None:
    inputs = {"repository": "virt-ci", "environment": "test:kvm/big"}
    resource_id, outputs = github.create(ENVIRONMENT, inputs)
    assert resource_id == "virt-ci:test??kvm/big"
    assert github.read(ENVIRONMENT, resource_id, inputs, outputs) == outputs


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize("kind", [ENVIRONMENT, POLICY, VARIABLE])
def test_a_resource_can_be_imported_by_its_id(github: GitHub, kind: str) -> None:
    resource_id, outputs = github.create(kind, EXAMPLES[kind])
    imported = github.read(kind, resource_id, {}, {})
    assert imported is not None
    assert imported["environment"] == "dev"
    assert {key for key in EXAMPLES[kind] if key != "reviewers" and imported[key] != outputs[key]} == set()


def test_protection_that_was_loosened_by_hand_is_seen(github: GitHub, api: httpx.Client) -> None:
    resource_id, outputs = github.create(ENVIRONMENT, PROTECTED)
    api.put(DEV)
    seen = github.read(ENVIRONMENT, resource_id, PROTECTED, outputs)
    assert seen is not None
    assert {name: value for name, value in seen.items() if outputs.get(name) != value} == {
        "canAdminsBypass": True,
        "deploymentBranchPolicy": None,
        "preventSelfReview": False,
        "reviewers": [],
        "waitTimer": 0,
    }


def test_protection_that_was_added_by_hand_is_seen(github: GitHub, api: httpx.Client) -> None:
    resource_id, outputs = github.create(ENVIRONMENT, PLACE)
    api.put(DEV, json={"wait_timer": 5, "reviewers": [{"type": "User", "id": 301}]})
    seen = github.read(ENVIRONMENT, resource_id, PLACE, outputs)
    assert seen == {**outputs, "waitTimer": 5, "reviewers": [{"teams": [], "users": [301]}]}
    assert seen.keys() - github.settable(ENVIRONMENT, seen).keys() == {"repositoryId"}


def test_an_update_resets_what_the_program_does_not_ask_for_any_more(github: GitHub) -> None:
    resource_id, outputs = github.create(ENVIRONMENT, PROTECTED)
    updated = github.update(ENVIRONMENT, resource_id, PLACE, outputs)
    assert updated == {**PLACE, "canAdminsBypass": True, "preventSelfReview": False, "repositoryId": 201}
    assert github.read(ENVIRONMENT, resource_id, PLACE, updated) == updated


@pytest.mark.usefixtures("environment")
def test_variables_and_patterns_that_were_changed_by_hand_are_seen(github: GitHub, api: httpx.Client) -> None:
    variable_id, variable = github.create(VARIABLE, EXAMPLES[VARIABLE])
    policy_id, policy = github.create(POLICY, EXAMPLES[POLICY])
    api.patch(f"{DEV}/variables/REGION", json={"value": "south"})
    api.put(f"{DEV}/deployment-branch-policies/{policy['policyId']}", json={"name": "*"})
    seen = github.read(VARIABLE, variable_id, EXAMPLES[VARIABLE], variable)
    assert seen is not None
    assert seen["value"] == "south"
    seen = github.read(POLICY, policy_id, EXAMPLES[POLICY], policy)
    assert seen is not None
    assert seen["branchPattern"] == "*"


@pytest.mark.usefixtures("environment")
def test_a_secret_that_was_set_by_hand_is_not_known_any_more(
    github: GitHub, api: httpx.Client, clock: SimulatedClock
) -> None:
    resource_id, outputs = github.create(SECRET, EXAMPLES[SECRET])
    clock.advance(60)
    key = api.get(f"{DEV}/secrets/public-key").json()
    body = {"key_id": key["key_id"], "encrypted_value": sealed(key["key"], "other")}
    api.put(f"{DEV}/secrets/TOKEN", json=body)
    seen = github.read(SECRET, resource_id, EXAMPLES[SECRET], outputs)
    assert seen is not None
    assert (seen["value"], seen["updatedAt"]) == (None, "2026-01-05 08:00:00 +0000 UTC")
    assert seen["remoteUpdatedAt"] == "2026-01-05 08:01:00 +0000 UTC"


@pytest.mark.usefixtures("environment")
def test_a_secret_that_is_sealed_already_goes_as_it_is(github: GitHub, api: httpx.Client) -> None:
    key = api.get(f"{DEV}/secrets/public-key").json()
    place = {**PLACE, "secretName": "TOKEN"}
    box = sealed(key["key"], PLAIN)
    for inputs in ({"keyId": key["key_id"], "valueEncrypted": box}, {"encryptedValue": box}):
        assert github.check(SECRET, {**place, **inputs}) == []
        assert github.create(SECRET, {**place, **inputs})[1]["keyId"] == key["key_id"]


@pytest.mark.usefixtures("environment")
def test_a_secret_is_nowhere_in_the_clear(github: GitHub, journal: Journal, plan: Any) -> None:
    github.create(SECRET, EXAMPLES[SECRET])
    plan(operation="PUT", target="*/secrets/*", status=400, message="Bad Request")
    with pytest.raises(CloudError) as refused:
        github.update(SECRET, "virt-ci:dev:TOKEN", EXAMPLES[SECRET], {})
    with pytest.raises(CloudError) as too_large:
        github.create(SECRET, {**EXAMPLES[SECRET], "value": PLAIN * 4_000})
    failures = github.check(SECRET, {**EXAMPLES[SECRET], "value": [PLAIN], "encryptedValue": f"{PLAIN}!"})
    told = [str(refused.value), str(too_large.value), repr(failures), repr(journal), repr(github)]
    assert all(PLAIN not in text for text in told)
    assert len(failures) == 3


def test_a_variable_that_exists_already_cannot_be_created_over(github: GitHub, environment: Values) -> None:
    assert environment["environment"] == "dev"
    github.create(VARIABLE, EXAMPLES[VARIABLE])
    with pytest.raises(CloudError, match="409 Already exists"):
        github.create(VARIABLE, EXAMPLES[VARIABLE])


def test_a_resource_whose_completion_fails_is_half_made(github: GitHub, plan: Any) -> None:
    plan(operation="GET", target="/repos/octo-lab/virt-ci", status=403, message="Forbidden")
    with pytest.raises(HalfMadeError) as half:
        github.create(ENVIRONMENT, PLACE)
    assert half.value.resource_id == "virt-ci:dev"
    updated = github.update(ENVIRONMENT, half.value.resource_id, PLACE, half.value.outputs)
    assert updated["repositoryId"] == 201


def test_a_provider_without_owner_or_token_cannot_work(github: GitHub, api: httpx.Client) -> None:
    github.token = ""
    github.configure({"owner": "octo-lab"})
    with pytest.raises(CloudError, match="401 Requires authentication"):
        github.create(ENVIRONMENT, PLACE)
    github.configure({"token": "rehearsal"})
    with pytest.raises(CloudError, match="no owner"):
        github.create(ENVIRONMENT, PLACE)
    assert api.get(DEV).status_code == 404


def test_messages_name_the_api_of_the_configuration(github: GitHub) -> None:
    github.configure({"owner": "octo-lab", "token": "x", "baseUrl": "https://github.example/api/v3"})
    with pytest.raises(CloudError, match=r"GET https://github\.example/api/v3/users/nobody: 404"):
        github.invoke("github:index/getUser:getUser", {"username": "nobody"})


def test_owner_and_token_can_come_from_outside_the_configuration(github: GitHub) -> None:
    other = GitHub(github.url, github.clock, github.journal, token="rehearsal", owner="octo-lab")
    assert other.create(ENVIRONMENT, PLACE)[0] == "virt-ci:dev"


def test_a_token_is_not_shown(github: GitHub) -> None:
    other = GitHub(github.url, github.clock, github.journal, token="ghs-not-shown", owner="octo-lab")
    other.configure({})
    assert "ghs-not-shown" not in repr(other)
