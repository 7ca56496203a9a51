"""Looks up the ids that GitHub gave to names: repositories and reviewers."""

from collections.abc import Iterable
from dataclasses import dataclass

import pulumi
import pulumi_github as github

from virtci.core.oidc import Repository
from virtci.core.problems import Problem, ProblemsError
from virtci.settings.models import Settings


@dataclass(frozen=True, slots=True)
class Directory:
    """What GitHub knows about the names of a stack file."""

    repositories: dict[str, Repository]
    users: dict[str, int]


def look_up(settings: Settings, provider: github.Provider) -> Directory:
    """Asks GitHub for every repository and reviewer. Raises `ProblemsError` with all that it does not know."""
    options = pulumi.InvokeOptions(provider=provider)
    problems: list[Problem] = []
    users: dict[str, int] = {}
    for key, login in reviewers(settings):
        if login not in users:
            try:
                users[login] = int(github.get_user(username=login, opts=options).id)
            except Exception as error:
                problems.append(_unknown(key, login, "user", error))
    repositories: dict[str, Repository] = {}
    for key, slug in slugs(settings):
        owner, name = slug.split("/")
        try:
            found = github.get_repository(full_name=slug, opts=options)
            owner_id = int(github.get_user(username=owner, opts=options).id)
        except Exception as error:
            problems.append(_unknown(key, slug, "repository", error))
        else:
            repositories[slug] = Repository(owner, name, owner_id, found.repo_id)
    if problems:
        raise ProblemsError("GitHub", problems)
    return Directory(repositories, users)


def slugs(settings: Settings) -> list[tuple[str, str]]:
    """The repositories of a stack file with the keys under which they stand."""
    found = [("repository", settings.repository)]
    if settings.hub:
        found.append(("hub.infrastructureRepository", settings.hub.infrastructure_repository))
    return found


def reviewers(settings: Settings) -> Iterable[tuple[str, str]]:
    """The logins of all reviewers with the keys under which they stand."""
    protections = {f"environments.{name}.protection": item.protection for name, item in settings.environments.items()}
    if settings.hub:
        protections["hub.protection"] = settings.hub.protection
    for key, protection in protections.items():
        for index, login in enumerate(protection.reviewers):
            yield f"{key}.reviewers[{index}]", login


def _unknown(key: str, value: str, kind: str, error: Exception) -> Problem:
    reason = str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__
    return Problem(
        key, value, f"GitHub knows the {kind}", f"nobody could approve or be trusted ({reason})",
        "correct the name, or give the token access to it",
    )  # fmt: skip
