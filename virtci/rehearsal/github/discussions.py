"""Issues, pull requests as far as they are issues, and comments of the simulated GitHub."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from virtci.rehearsal.github import views
from virtci.rehearsal.github.contract import Schema, contract, filled, not_found, unprocessable
from virtci.rehearsal.github.exchange import Answer, Handler, Request, page
from virtci.rehearsal.github.store import Comment, Issue, Repository, User, World

BOT = "github-actions[bot]"
"""Who writes with the token of a workflow."""
BOT_ID = 41_898_282
LONGEST_BODY = 65_536
LONGEST_TITLE = 256


def list_issues(world: World, request: Request) -> Answer:
    """Issues and pull requests, the newest first, by state, labels and author."""
    repository = _repository(world, request)
    state = request.query.get("state", "open")
    wanted = {label for label in request.query.get("labels", "").split(",") if label}
    creator = request.query.get("creator")
    found = [
        item
        for item in world.issues_of(repository)
        if state in ("all", item.state) and wanted <= {*item.labels} and creator in (None, item.author)
    ]
    return Answer(200, [_issue(world, repository, item) for item in page(found, request.query)])


def create_issue(world: World, request: Request) -> Answer:
    """Opens an issue; labels that do not exist are made."""
    repository = _repository(world, request)
    _check_title(request.body["title"])
    _check_body(request.body.get("body", ""))
    made = world.open(repository, BOT, str(request.body["title"]))
    made.body, made.labels = request.body.get("body", ""), _labels(request.body)
    return Answer(201, _issue(world, repository, made))


def get_issue(world: World, request: Request) -> Answer:
    """One issue or pull request."""
    repository = _repository(world, request)
    return Answer(200, _issue(world, repository, world.issue(repository, int(request.path["issue_number"]))))


def update_issue(world: World, request: Request) -> Answer:
    """Changes what the request names and nothing else."""
    repository = _repository(world, request)
    issue = world.issue(repository, int(request.path["issue_number"]))
    _check_title(request.body.get("title", issue.title))
    _check_body(request.body.get("body") or "")
    issue.title = str(request.body.get("title", issue.title))
    issue.body = request.body.get("body", issue.body) or ""
    issue.labels = _labels(request.body) if "labels" in request.body else issue.labels
    if request.body.get("state", issue.state) != issue.state:
        issue.state = request.body["state"]
        issue.closed_at = world.clock.now if issue.state == "closed" else None
        usual = "completed" if issue.state == "closed" else "reopened"
        issue.state_reason = request.body.get("state_reason") or usual
    issue.updated_at = world.clock.now
    return Answer(200, _issue(world, repository, issue))


def list_comments(world: World, request: Request) -> Answer:
    """The comments of an issue or a pull request, the oldest first."""
    repository = _repository(world, request)
    issue = world.issue(repository, int(request.path["issue_number"]))
    shown = [_comment(world, repository, issue, item) for item in issue.comments.values()]
    return Answer(200, page(shown, request.query))


def create_comment(world: World, request: Request) -> Answer:
    """Writes a comment."""
    repository = _repository(world, request)
    issue = world.issue(repository, int(request.path["issue_number"]))
    _check_body(request.body["body"])
    return Answer(201, _comment(world, repository, issue, world.comment(issue, BOT, request.body["body"])))


def get_comment(world: World, request: Request) -> Answer:
    """One comment."""
    return Answer(200, _comment(world, _repository(world, request), *_found(world, request)))


def update_comment(world: World, request: Request) -> Answer:
    """Replaces the text of a comment, whoever wrote it."""
    issue, comment = _found(world, request)
    _check_body(request.body["body"])
    comment.body, comment.updated_at = request.body["body"], world.clock.now
    return Answer(200, _comment(world, _repository(world, request), issue, comment))


def _repository(world: World, request: Request) -> Repository:
    return world.repository(request.path["owner"], request.path["repo"])


def _found(world: World, request: Request) -> tuple[Issue, Comment]:
    number = int(request.path["comment_id"])
    for issue in world.issues_of(_repository(world, request)):
        if number in issue.comments:
            return issue, issue.comments[number]
    raise not_found()


def _check_title(title: object) -> None:
    if not str(title).strip() or len(str(title)) > LONGEST_TITLE:
        raise unprocessable("Validation Failed: title is missing or is too long (maximum is 256 characters)")


def _check_body(body: str) -> None:
    if len(body) > LONGEST_BODY:
        raise unprocessable("Validation Failed: body is too long (maximum is 65536 characters)")


def _labels(body: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(str(label["name"] if isinstance(label, Mapping) else label) for label in body.get("labels") or ())


def _issue(world: World, repository: Repository, item: Issue) -> views.View:
    path = f"{world.scenario.owner.login}/{repository.name}"
    link = f"{views.SITE}/{path}/{'pull' if item.is_pull_request else 'issues'}/{item.number}"
    known: dict[str, Any] = {
        "id": item.id,
        "node_id": views.node_id("Issue", item.id),
        "number": item.number,
        "title": item.title,
        "body": item.body,
        "state": item.state,
        "state_reason": item.state_reason,
        "user": _author(world, item.author),
        "labels": [{"name": label} for label in item.labels],
        "comments": len(item.comments),
        "created_at": views.stamp(item.created_at),
        "updated_at": views.stamp(item.updated_at),
        "closed_at": views.stamp(item.closed_at) if item.closed_at else None,
        "url": f"{views.API}/repos/{path}/issues/{item.number}",
        "html_url": link,
    }
    if item.is_pull_request:
        names = ("url", "html_url", "diff_url", "patch_url")
        known["pull_request"] = dict.fromkeys(names, link)
    return filled(_schema("issue"), known, link, views.stamp(world.clock.now))


def _comment(world: World, repository: Repository, issue: Issue, item: Comment) -> views.View:
    path = f"{world.scenario.owner.login}/{repository.name}"
    link = f"{views.SITE}/{path}/issues/{issue.number}#issuecomment-{item.id}"
    known = {
        "id": item.id,
        "node_id": views.node_id("IssueComment", item.id),
        "body": item.body,
        "user": _author(world, item.author),
        "created_at": views.stamp(item.created_at),
        "updated_at": views.stamp(item.updated_at),
        "url": f"{views.API}/repos/{path}/issues/comments/{item.id}",
        "issue_url": f"{views.API}/repos/{path}/issues/{issue.number}",
        "html_url": link,
    }
    return filled(_schema("issue-comment"), known, link, views.stamp(world.clock.now))


def _author(world: World, login: str) -> views.View:
    if login == BOT:
        return {**views.user(world, User(login=BOT, id=BOT_ID), "nullable-simple-user"), "type": "Bot"}
    return views.user(world, world.user(login), "nullable-simple-user")


@cache
def _schema(name: str) -> Schema:
    return contract().schema(name)


OPERATIONS: Mapping[str, Handler] = {
    "issues/list-for-repo": list_issues,
    "issues/create": create_issue,
    "issues/get": get_issue,
    "issues/update": update_issue,
    "issues/list-comments": list_comments,
    "issues/create-comment": create_comment,
    "issues/get-comment": get_comment,
    "issues/update-comment": update_comment,
}
