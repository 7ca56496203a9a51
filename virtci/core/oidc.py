"""The subjects of GitHub's OIDC tokens, to which cloud identities are bound.

Repositories created or renamed since 2026-07-15 send the immutable form with the ids of owner and repository;
older ones send the classic form until they opt in. A credential per form covers both.
"""

from dataclasses import dataclass

ISSUER = "https://token.actions.githubusercontent.com"
AUDIENCE = "api://AzureADTokenExchange"
MAXIMUM_CREDENTIALS = 20


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository with the ids that renames do not change."""

    owner: str
    name: str
    owner_id: int
    repository_id: int

    @property
    def slug(self) -> str:
        """`owner/name`."""
        return f"{self.owner}/{self.name}"


def subjects(repository: Repository, context: str) -> dict[str, str]:
    """The subject of a context in each form, for example `environment:dev` or `pull_request`."""
    immutable = f"{repository.owner}@{repository.owner_id}/{repository.name}@{repository.repository_id}"
    return {"classic": f"repo:{repository.slug}:{context}", "immutable": f"repo:{immutable}:{context}"}


def environment_of(subject: str) -> str | None:
    """The one environment that a subject is bound to, or nothing when it is bound to none or to a pattern."""
    parts = subject.split(":")
    bound = len(parts) == 4 and parts[0] == "repo" and parts[2] == "environment"
    return parts[3] if bound and parts[3] and "*" not in subject else None
