"""The simulated API: environments and who may deploy to them."""

from typing import Any

import httpx
import pytest

from virtci.rehearsal.clock import SimulatedClock
from virtci.rehearsal.journal import Journal

DEV = "/repos/octo-lab/virt-ci/environments/dev"
PATTERNS = f"{DEV}/deployment-branch-policies"
CUSTOM = {"protected_branches": False, "custom_branch_policies": True}
PROTECTED = {"protected_branches": True, "custom_branch_policies": False}


def rules_of(environment: dict[str, Any]) -> list[str]:
    return [rule["type"] for rule in environment["protection_rules"]]


def test_a_new_environment_is_unprotected_and_admins_may_bypass(api: httpx.Client) -> None:
    made = api.put(DEV).json()
    assert (made["name"], made["protection_rules"], made["deployment_branch_policy"]) == ("dev", [], None)
    assert made["can_admins_bypass"] is True
    assert api.get(DEV).json() == made


def test_a_put_replaces_everything_that_it_leaves_out(api: httpx.Client) -> None:
    reviewers = [{"type": "User", "id": 301}, {"type": "Team", "id": 401}]
    full = {
        "wait_timer": 30,
        "reviewers": reviewers,
        "prevent_self_review": True,
        "can_admins_bypass": False,
        "deployment_branch_policy": CUSTOM,
    }
    protected = api.put(DEV, json=full).json()
    assert rules_of(protected) == ["wait_timer", "required_reviewers", "branch_policy"]
    assert protected["can_admins_bypass"] is False
    api.post(PATTERNS, json={"name": "main"})

    bare = api.put(DEV, json={"wait_timer": 5}).json()
    assert (rules_of(bare), bare["can_admins_bypass"], bare["deployment_branch_policy"]) == (["wait_timer"], True, None)
    assert bare["id"] == protected["id"]
    assert api.get(PATTERNS).json() == {"total_count": 0, "branch_policies": []}


def test_names_are_not_case_sensitive_and_may_hold_a_slash(api: httpx.Client) -> None:
    api.put("/repos/octo-lab/virt-ci/environments/test%2Fkvm")
    assert api.get("/repos/Octo-Lab/VIRT-CI/environments/TEST%2FKVM").json()["name"] == "test/kvm"


def test_environments_are_listed_page_by_page(api: httpx.Client) -> None:
    for name in ("dev", "test", "prod"):
        api.put(f"/repos/octo-lab/virt-ci/environments/{name}")
    page = api.get("/repos/octo-lab/virt-ci/environments", params={"per_page": 2, "page": 2}).json()
    assert (page["total_count"], [item["name"] for item in page["environments"]]) == (3, ["prod"])


def test_a_deleted_environment_takes_its_variables_along(api: httpx.Client) -> None:
    api.put(DEV)
    api.post(f"{DEV}/variables", json={"name": "REGION", "value": "north"})
    assert api.delete(DEV).status_code == 204
    assert api.delete(DEV).status_code == 404
    api.put(DEV)
    assert api.get(f"{DEV}/variables").json()["total_count"] == 0


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"wait_timer": 43_201}, "Wait timer"),
        ({"wait_timer": -1}, "Wait timer"),
        ({"wait_timer": "soon"}, "'properties/wait_timer'"),
        ({"reviewers": [{"type": "User", "id": 300 + number} for number in range(1, 8)]}, "at most 6 reviewers"),
        ({"reviewers": [{"type": "User", "id": 999}]}, "User 999"),
        ({"reviewers": [{"type": "Team", "id": 301}]}, "Team 301"),
        ({"reviewers": [{"type": "Robot", "id": 301}]}, "'properties/reviewers/0/type'"),
        ({"deployment_branch_policy": {**CUSTOM, "protected_branches": True}}, "cannot be the same"),
        ({"deployment_branch_policy": {**PROTECTED, "protected_branches": False}}, "cannot be the same"),
        ({"deployment_branch_policy": {"protected_branches": True}}, '"custom_branch_policies" wasn\'t supplied'),
        ({"secrets": []}, '"secrets" is not a permitted key'),
    ],
)
def test_a_protection_that_breaks_a_rule_is_refused_and_nothing_is_made(
    api: httpx.Client, body: dict[str, Any], words: str
) -> None:
    answer = api.put(DEV, json=body)
    assert answer.status_code == 422
    assert words in answer.json()["message"]
    assert api.get(DEV).status_code == 404


@pytest.mark.parametrize("name", ["x" * 256, "%20dev", "de%0Av"])
def test_a_name_that_nobody_could_use_is_refused(api: httpx.Client, name: str) -> None:
    assert api.put(f"/repos/octo-lab/virt-ci/environments/{name}").status_code == 422


@pytest.mark.parametrize("body", [{"wait_timer": 5}, {"reviewers": [{"type": "User", "id": 301}]}])
def test_a_private_repository_needs_an_enterprise_for_reviewers_and_waiting(
    api: httpx.Client, body: dict[str, Any]
) -> None:
    answer = api.put("/repos/octo-lab/vault/environments/dev", json=body)
    assert (answer.status_code, "billing plan" in answer.json()["message"]) == (422, True)
    bare = {"wait_timer": 0, "reviewers": [], "deployment_branch_policy": CUSTOM}
    assert api.put("/repos/octo-lab/vault/environments/dev", json=bare).status_code == 200


def test_name_patterns_are_made_renamed_and_removed(api: httpx.Client) -> None:
    api.put(DEV, json={"deployment_branch_policy": CUSTOM})
    branch = api.post(PATTERNS, json={"name": "main"}).json()
    tag = api.post(PATTERNS, json={"name": "main", "type": "tag"}).json()
    assert (branch["type"], tag["type"]) == ("branch", "tag")

    one = f"{PATTERNS}/{branch['id']}"
    assert api.put(one, json={"name": "release/*"}).json() == {**branch, "name": "release/*"}
    assert api.get(one).json()["name"] == "release/*"
    assert api.delete(one).status_code == 204
    assert [api.get(one).status_code, api.put(one, json={"name": "x"}).status_code] == [404, 404]
    assert [item["id"] for item in api.get(PATTERNS).json()["branch_policies"]] == [tag["id"]]


def test_a_pattern_that_exists_already_is_answered_with_a_redirection(api: httpx.Client) -> None:
    api.put(DEV, json={"deployment_branch_policy": CUSTOM})
    api.post(PATTERNS, json={"name": "main"})
    other = api.post(PATTERNS, json={"name": "next"}).json()
    assert api.post(PATTERNS, json={"name": "main"}).status_code == 303
    assert api.put(f"{PATTERNS}/{other['id']}", json={"name": "main"}).status_code == 422


@pytest.mark.parametrize("policy", [None, PROTECTED])
def test_patterns_need_an_environment_that_asks_for_them(api: httpx.Client, policy: dict[str, bool] | None) -> None:
    api.put(DEV, json={"deployment_branch_policy": policy})
    assert api.post(PATTERNS, json={"name": "main"}).status_code == 404


def test_a_pattern_without_a_name_or_of_an_unknown_type_is_refused(api: httpx.Client) -> None:
    api.put(DEV, json={"deployment_branch_policy": CUSTOM})
    for body in ({}, {"name": ""}, {"name": "main", "type": "commit"}):
        assert api.post(PATTERNS, json=body).status_code == 422
    assert api.get(f"{PATTERNS}/main").status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/repos/octo-lab/other",
        "/repos/somebody/virt-ci",
        "/repos/octo-lab/other/environments/dev",
        "/repos/octo-lab/virt-ci/environments/absent",
        "/repos/octo-lab/virt-ci/environments/absent/variables",
        "/repos/octo-lab/virt-ci/environments/absent/secrets/public-key",
        "/users/nobody",
        "/orgs/octo-lab/teams/nobody",
        "/orgs/somebody/teams/keepers",
        "/repos/octo-lab/virt-ci/pulls",
    ],
)
def test_what_is_absent_or_not_declared_is_not_found(api: httpx.Client, path: str) -> None:
    answer = api.get(path)
    assert (answer.status_code, answer.json()["message"]) == (404, "Not Found")


def test_accounts_teams_and_repositories_can_be_looked_up(api: httpx.Client) -> None:
    repository = api.get("/repos/octo-lab/vault").json()
    assert (repository["id"], repository["private"], repository["owner"]["login"]) == (202, True, "octo-lab")
    assert api.get("/users/Octo-Reviewer-1").json()["id"] == 301
    assert api.get("/users/octo-lab").json()["type"] == "Organization"
    assert api.get("/orgs/octo-lab/teams/keepers").json()["organization"]["id"] == 100


def test_a_request_without_a_token_is_refused(api: httpx.Client) -> None:
    del api.headers["Authorization"]
    assert api.get("/users/octo-reviewer-1").status_code == 401


def test_requests_that_are_not_well_formed_are_refused(api: httpx.Client) -> None:
    assert api.put(DEV, content=b"{").status_code == 400
    assert api.put(DEV, json=[]).status_code == 422
    assert api.get(DEV, params={"colour": "red"}).status_code == 422
    assert api.get("/repos/octo-lab/virt-ci/environments", params={"page": "two"}).status_code == 422


def test_a_planned_fault_meets_the_call_and_a_lost_answer_leaves_its_effect(api: httpx.Client, plan: Any) -> None:
    plan(operation="PUT", target=DEV, status=502, message="Server Error")
    plan(operation="PUT", target=DEV, first=1, status=504, message="Timeout", after=True)
    assert [api.put(DEV).status_code, api.get(DEV).status_code] == [502, 404]
    assert [api.put(DEV).status_code, api.get(DEV).status_code] == [504, 200]


def test_every_call_is_in_the_journal_once(api: httpx.Client, journal: Journal, plan: Any) -> None:
    plan(operation="DELETE", status=503)
    api.put(DEV, json={"wait_timer": 1})
    api.get("/users/nobody")
    api.delete(DEV)
    seen = [(call.cloud, call.operation, call.target, call.status) for call in journal.calls]
    assert seen == [
        ("github", "PUT", DEV, 200),
        ("github", "GET", "/users/nobody", 404),
        ("github", "DELETE", DEV, 503),
    ]


def test_times_come_from_the_simulated_clock(api: httpx.Client, clock: SimulatedClock) -> None:
    first = api.put(DEV).json()
    clock.advance(60)
    second = api.put(DEV).json()
    assert (first["created_at"], second["created_at"]) == ("2026-01-05T08:00:00Z", "2026-01-05T08:00:00Z")
    assert second["updated_at"] == "2026-01-05T08:01:00Z"
