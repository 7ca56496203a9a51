"""What GitHub's REST API answers, and its refusals with a fix: a token may do what the permissions of its GitHub App say."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from virtci.core.problems import Refusal
from virtci.fleet.troubles import asking

if TYPE_CHECKING:
    import httpx

FIXES = {
    401: "give GITHUB_TOKEN a token that is valid: of a GitHub App's installation, or of an owner of the repository",
    403: "give the GitHub App of GITHUB_TOKEN the repository permission {permission}",
    404: "install the GitHub App of GITHUB_TOKEN on that repository, with the permission {permission}",
}
AGAIN = "run this again; then look at githubstatus.com"


def asked(
    github: "httpx.Client",
    method: str,
    path: str,
    *,
    what: str,
    permission: str,
    tolerated: Sequence[int] = (),
    **options: Any,
) -> "httpx.Response":
    """An answer that is good, or of a tolerated status. `what` is asked; it takes a `permission`. Raises `Refusal`."""
    with asking(what):
        answer = github.request(method, path, **options)
    if answer.is_success or answer.status_code in tolerated:
        return answer
    raise refused(answer, what, permission)


def refused(answer: "httpx.Response", what: str, permission: str) -> Refusal:
    """An answer that is no good, as a refusal."""
    fix = FIXES.get(answer.status_code, AGAIN).format(permission=permission)
    return Refusal(f"{what} answers this token", f"it said {answer.status_code}: {said(answer)}", fix)


def said(answer: "httpx.Response") -> str:
    """GitHub's message, with the errors that it names."""
    try:
        found = answer.json()
    except ValueError:
        return answer.reason_phrase
    if not isinstance(found, dict):
        return answer.reason_phrase
    errors = [
        str(item.get("message", item)) if isinstance(item, dict) else str(item) for item in found.get("errors") or ()
    ]
    return "; ".join([str(found.get("message", answer.reason_phrase)), *errors])
