"""How the simulated GitHub shows what it holds, in the shapes of its OpenAPI description."""

import base64
from datetime import datetime
from functools import cache
from typing import Any

from virtci.rehearsal.github.contract import Schema, contract, filled
from virtci.rehearsal.github.store import Entry, Environment, Job, Repository, Team, User, WorkflowRun, World

API = "https://api.github.com"
SITE = "https://github.com"
View = dict[str, Any]


def stamp(moment: datetime) -> str:
    """A moment as GitHub writes it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def node_id(kind: str, number: int) -> str:
    """The opaque id that GraphQL knows."""
    return base64.b64encode(f"{kind}:{number}".encode()).decode()


def user(world: World, item: User, schema: str = "public-user") -> View:
    """A person or an organisation as an account."""
    kind = world.scenario.owner.type if item.id == world.scenario.owner.id else "User"
    known = {"login": item.login, "id": item.id, "node_id": node_id("User", item.id), "type": kind}
    return _filled(world, schema, known, f"{API}/users/{item.login}", f"{SITE}/{item.login}")


def owner(world: World) -> View:
    """The owner of the repositories."""
    account = world.scenario.owner
    return user(world, User(login=account.login, id=account.id), "simple-user")


def repository(world: World, item: Repository) -> View:
    """A repository."""
    path = f"{world.scenario.owner.login}/{item.name}"
    known = {
        "id": item.id,
        "node_id": node_id("Repository", item.id),
        "name": item.name,
        "full_name": path,
        "owner": owner(world),
        "private": item.visibility != "public",
        "visibility": item.visibility,
        "default_branch": "main",
        "clone_url": f"{SITE}/{path}.git",
        "git_url": f"git://github.com/{path}.git",
        "ssh_url": f"git@github.com:{path}.git",
        "has_issues": True,
        "topics": [],
    }
    return _filled(world, "full-repository", known, f"{API}/repos/{path}", f"{SITE}/{path}")


def team(world: World, item: Team, schema: str = "team-full") -> View:
    """A team of the owner."""
    login = world.scenario.owner.login
    known: View = {
        "id": item.id,
        "node_id": node_id("Team", item.id),
        "name": item.slug,
        "slug": item.slug,
        "permission": "pull",
        "privacy": "closed",
        "type": "organization",
    }
    if schema == "team-full":
        known["organization"] = _filled(
            world,
            "team-organization",
            {"login": login, "id": world.scenario.owner.id, "type": "Organization"},
            f"{API}/orgs/{login}",
            f"{SITE}/{login}",
        )
    return _filled(
        world, schema, known, f"{API}/orgs/{login}/teams/{item.slug}", f"{SITE}/orgs/{login}/teams/{item.slug}"
    )


def environment(world: World, place: Repository, item: Environment) -> View:
    """An environment with its protection; a rule that is off is not listed."""
    path = f"{world.scenario.owner.login}/{place.name}"
    return {
        "id": item.id,
        "node_id": node_id("Environment", item.id),
        "name": item.name,
        "url": f"{API}/repos/{path}/environments/{item.name}",
        "html_url": f"{SITE}/{path}/deployments/activity_log?environments_filter={item.name}",
        "created_at": stamp(item.created_at),
        "updated_at": stamp(item.updated_at),
        "can_admins_bypass": item.protection.can_admins_bypass,
        "protection_rules": _rules(world, item),
        "deployment_branch_policy": item.protection.branch_policy,
    }


def pattern(number: int, name: str, kind: str) -> View:
    """A name pattern for branches or tags."""
    return {"id": number, "node_id": node_id("GateBranchPolicy", number), "name": name, "type": kind}


def entry(item: Entry) -> View:
    """A secret or a variable; only a variable has a value to show."""
    shown = {"name": item.name, "created_at": stamp(item.created_at), "updated_at": stamp(item.updated_at)}
    return shown if item.value is None else {**shown, "value": item.value}


def public_key(item: Environment) -> View:
    """The key that seals the secrets of an environment."""
    return {"key_id": item.key_id, "key": base64.b64encode(bytes(item.key.public_key)).decode()}


def workflow_run(world: World, place: Repository, item: WorkflowRun) -> View:
    """A run, as of its last attempt."""
    path = f"{world.scenario.owner.login}/{place.name}"
    url = f"{API}/repos/{path}/actions/runs/{item.id}"
    known = {
        "id": item.id,
        "node_id": node_id("WorkflowRun", item.id),
        "name": item.workflow,
        "display_title": item.workflow,
        "run_number": item.number,
        "run_attempt": len(item.attempts),
        "event": item.event,
        "head_branch": item.branch,
        "status": item.status,
        "conclusion": item.conclusion,
        "created_at": stamp(item.created_at),
        "run_started_at": stamp(min((job.created_at for job in item.attempts[-1]), default=item.created_at)),
        "repository": _minimal(world, place),
        "head_repository": _minimal(world, place),
        "jobs_url": f"{url}/jobs",
    }
    return _filled(world, "workflow-run", known, url, f"{SITE}/{path}/actions/runs/{item.id}")


def job(world: World, place: Repository, run: WorkflowRun, attempt: int, item: Job) -> View:
    """A job of a run; all that it does is one step."""
    path = f"{world.scenario.owner.login}/{place.name}"
    moments = {
        "started_at": stamp(item.started_at or item.created_at),
        "completed_at": stamp(item.completed_at) if item.completed_at else None,
    }
    state = {"status": item.status, "conclusion": item.conclusion}
    known = {
        **moments,
        **state,
        "id": item.id,
        "node_id": node_id("CheckRun", item.id),
        "run_id": run.id,
        "run_url": f"{API}/repos/{path}/actions/runs/{run.id}",
        "run_attempt": attempt,
        "name": item.name,
        "workflow_name": run.workflow,
        "head_branch": run.branch,
        "labels": list(item.labels),
        "created_at": stamp(item.created_at),
        "runner_id": item.runner.id if item.runner else None,
        "runner_name": item.runner.name if item.runner else None,
        "runner_group_id": 1 if item.runner else None,
        "runner_group_name": "Default" if item.runner else None,
        "steps": [{"name": "Run", "number": 1, **state, **moments}] if item.started_at else [],
    }
    url = f"{API}/repos/{path}/actions/jobs/{item.id}"
    return _filled(world, "job", known, url, f"{SITE}/{path}/actions/runs/{run.id}/job/{item.id}")


def _minimal(world: World, item: Repository) -> View:
    path = f"{world.scenario.owner.login}/{item.name}"
    known = {
        "id": item.id,
        "node_id": node_id("Repository", item.id),
        "name": item.name,
        "full_name": path,
        "owner": owner(world),
        "private": item.visibility != "public",
    }
    return _filled(world, "minimal-repository", known, f"{API}/repos/{path}", f"{SITE}/{path}")


def _rules(world: World, item: Environment) -> list[View]:
    settings = item.protection
    rules: list[View] = []
    if settings.wait_timer:
        rules.append({"type": "wait_timer", "wait_timer": settings.wait_timer})
    if settings.reviewers:
        reviewers = [{"type": kind, "reviewer": _reviewer(world, kind, number)} for kind, number in settings.reviewers]
        rules.append(
            {
                "type": "required_reviewers",
                "prevent_self_review": settings.prevent_self_review,
                "reviewers": reviewers,
            }
        )
    if settings.branch_policy:
        rules.append({"type": "branch_policy"})
    numbered = enumerate(rules, start=item.id * 10)
    return [{"id": number, "node_id": node_id("Gate", number), **rule} for number, rule in numbered]


def _reviewer(world: World, kind: str, number: int) -> View:
    if kind == "Team":
        return team(world, next(item for item in world.scenario.teams if item.id == number), "team")
    return user(world, next(item for item in world.scenario.users if item.id == number), "simple-user")


@cache
def _schema(name: str) -> Schema:
    return contract().schema(name)


def _filled(world: World, schema: str, known: View, url: str, html_url: str) -> View:
    moment = stamp(world.clock.now)
    return filled(_schema(schema), {**known, "url": url, "html_url": html_url}, html_url, moment)
