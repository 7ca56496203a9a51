"""One comment and one issue that are found again by a marker and changed in place, never written twice."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from virtci.core.problems import Refusal

if TYPE_CHECKING:
    import httpx

AUTHOR = "github-actions[bot]"
"""Who writes with a workflow's own token. What others wrote is never changed, even if it carries the marker."""
PER_PAGE = 100


@dataclass(frozen=True)
class Repository:
    """A repository as the token of a workflow sees it."""

    client: "httpx.Client"
    slug: str

    def put_comment(self, number: int, marker: str, text: str) -> str:
        """Writes the marked comment of a pull request, or replaces its text; returns its address.

        Raises `Refusal` where GitHub does not let it.
        """
        path = f"/repos/{self.slug}/issues/{number}/comments"
        body = {"body": f"{marker}\n{text}"}
        own = next((item for item in self._listed(path) if _is_own(item, marker)), None)
        if own is None:
            return str(self._call("POST", path, body)["html_url"])
        if own["body"] == body["body"]:
            return str(own["html_url"])
        return str(self._call("PATCH", f"/repos/{self.slug}/issues/comments/{own['id']}", body)["html_url"])

    def find_issue(self, marker: str, label: str) -> dict[str, Any] | None:
        """The open issue that carries label and marker; the oldest, should somebody have copied one."""
        path = f"/repos/{self.slug}/issues"
        found = [
            item
            for item in self._listed(path, state="open", labels=label, creator=AUTHOR)
            if "pull_request" not in item and _is_own(item, marker)
        ]
        return min(found, key=lambda item: int(item["number"]), default=None)

    def open_issue(self, marker: str, label: str, title: str, text: str) -> str:
        """Opens the marked issue; returns its address."""
        body = {"title": title, "body": f"{marker}\n{text}", "labels": [label]}
        return str(self._call("POST", f"/repos/{self.slug}/issues", body)["html_url"])

    def update_issue(self, issue: dict[str, Any], marker: str, title: str, text: str) -> str:
        """Replaces title and text of an issue where they differ; returns its address."""
        body = {"title": title, "body": f"{marker}\n{text}"}
        if any(issue[key] != value for key, value in body.items()):
            self._call("PATCH", f"/repos/{self.slug}/issues/{issue['number']}", body)
        return str(issue["html_url"])

    def close_issue(self, issue: dict[str, Any], text: str) -> str:
        """Says why and closes an issue; returns its address."""
        path = f"/repos/{self.slug}/issues/{issue['number']}"
        self._call("POST", f"{path}/comments", {"body": text})
        self._call("PATCH", path, {"state": "closed", "state_reason": "completed"})
        return str(issue["html_url"])

    def _listed(self, path: str, **query: str) -> Iterator[dict[str, Any]]:
        page = 1
        while found := self._call("GET", path, query={**query, "per_page": str(PER_PAGE), "page": str(page)}):
            yield from found
            if len(found) < PER_PAGE:
                return
            page += 1

    def _call(
        self, method: str, path: str, body: dict[str, Any] | None = None, query: dict[str, str] | None = None
    ) -> Any:
        import httpx

        try:
            answer = self.client.request(method, path, json=body, params=query)
        except httpx.HTTPError as error:
            raise _refusal(
                f"{method} {path}", str(error), "run the job again; GitHub says at githubstatus.com"
            ) from error
        if answer.is_success:
            return answer.json()
        message = answer.json().get("message", "") if answer.content else ""
        fix = (
            "give the job `pull-requests: write` or `issues: write`"
            if answer.status_code in (403, 404)
            else "run it again"
        )
        raise _refusal(f"{method} {path}", f"{answer.status_code} {message}", fix)


def _is_own(item: dict[str, Any], marker: str) -> bool:
    author = item.get("user") or {}
    return author.get("login") == AUTHOR and str(item.get("body") or "").startswith(f"{marker}\n")


def _refusal(call: str, answer: str, fix: str) -> Refusal:
    return Refusal(f"GitHub carries out {call}", f"nobody is told of the outcome: {answer}", fix)
