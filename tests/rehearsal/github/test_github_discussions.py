"""Issues and comments of the simulated GitHub."""

import httpx
import pytest

from virtci.rehearsal.github.api import Server

REPOSITORY = "/repos/octo-lab/virt-ci"
ISSUES = f"{REPOSITORY}/issues"


def opened(api: httpx.Client, title: str, **more: object) -> int:
    answer = api.post(ISSUES, json={"title": title, **more})
    assert answer.status_code == 201
    return int(answer.json()["number"])


def test_an_issue_is_written_by_the_workflow_s_account_and_found_by_its_label(api: httpx.Client) -> None:
    number = opened(api, "drift", body="text", labels=["drift"])
    opened(api, "something else")

    found = api.get(ISSUES, params={"labels": "drift"}).json()

    assert [(item["number"], item["body"], item["state"]) for item in found] == [(number, "text", "open")]
    assert (found[0]["user"]["login"], found[0]["user"]["type"]) == ("github-actions[bot]", "Bot")


def test_a_closed_issue_is_listed_only_when_asked_for(api: httpx.Client) -> None:
    number = opened(api, "drift")
    closed = api.patch(f"{ISSUES}/{number}", json={"state": "closed"}).json()

    assert (closed["state"], closed["state_reason"], bool(closed["closed_at"])) == ("closed", "completed", True)
    assert api.get(ISSUES).json() == []
    assert [item["number"] for item in api.get(ISSUES, params={"state": "all"}).json()] == [number]


def test_a_patch_leaves_alone_what_it_does_not_name(api: httpx.Client) -> None:
    number = opened(api, "drift", body="before", labels=["drift"])
    changed = api.patch(f"{ISSUES}/{number}", json={"body": "after"}).json()
    assert (changed["title"], changed["body"], changed["labels"]) == ("drift", "after", [{"name": "drift"}])


def test_a_pull_request_is_an_issue_that_says_so(api: httpx.Client, server: Server) -> None:
    repository = server.world.repository("octo-lab", "virt-ci")
    number = server.world.open(repository, "octo-reviewer-1", "a change", is_pull_request=True).number

    shown = api.get(f"{ISSUES}/{number}").json()

    assert shown["pull_request"]["html_url"].endswith(f"/pull/{number}")
    assert shown["user"]["type"] == "User"
    assert opened(api, "an issue") == number + 1


def test_comments_are_listed_in_the_order_of_their_making_and_in_pages(api: httpx.Client) -> None:
    number = opened(api, "drift")
    for text in "abc":
        assert api.post(f"{ISSUES}/{number}/comments", json={"body": text}).status_code == 201

    pages = [
        [item["body"] for item in api.get(f"{ISSUES}/{number}/comments", params={"per_page": 2, "page": page}).json()]
        for page in (1, 2, 3)
    ]

    assert pages == [["a", "b"], ["c"], []]
    assert api.get(f"{ISSUES}/{number}").json()["comments"] == 3


def test_a_comment_is_replaced_in_its_place(api: httpx.Client) -> None:
    number = opened(api, "drift")
    made = api.post(f"{ISSUES}/{number}/comments", json={"body": "before"}).json()
    changed = api.patch(f"{ISSUES}/comments/{made['id']}", json={"body": "after"}).json()
    assert (changed["id"], changed["body"]) == (made["id"], "after")
    assert api.get(f"{ISSUES}/comments/{made['id']}").json() == changed


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", f"{ISSUES}/99/comments", {"body": "x"}, 404),
        ("PATCH", f"{ISSUES}/comments/99", {"body": "x"}, 404),
        ("GET", f"{ISSUES}/99", None, 404),
        ("POST", ISSUES, {"body": "no title"}, 422),
        ("POST", ISSUES, {"title": " "}, 422),
        ("POST", ISSUES, {"title": "x" * 257}, 422),
        ("POST", ISSUES, {"title": "x", "body": "x" * 65_537}, 422),
    ],
)
def test_what_github_refuses_is_refused(
    api: httpx.Client, method: str, path: str, body: dict[str, str] | None, status: int
) -> None:
    assert api.request(method, path, json=body).status_code == status


def test_a_body_of_the_longest_length_is_taken_and_one_more_character_is_not(api: httpx.Client) -> None:
    number = opened(api, "drift", body="x" * 65_536)
    answer = api.post(f"{ISSUES}/{number}/comments", json={"body": "x" * 65_537})
    assert (answer.status_code, "too long" in answer.json()["message"]) == (422, True)
