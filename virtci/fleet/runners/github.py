"""GitHub as the life of a runner needs it: registrations, records of runners, and the runs and jobs that use them.

Sources: GitHub's REST reference, "Self-hosted runners", "Workflow runs", "Workflow jobs" and "Rate limits" (version
2022-11-28): a name is taken until its record is deleted (409), the record of a runner with a job stays (422), a limit is
told by `retry-after` or by `x-ratelimit-remaining` and `x-ratelimit-reset`.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from virtci.core.runners.clouds import Serves
from virtci.core.runners.failures import Code
from virtci.core.runners.naming import is_ours
from virtci.core.runners.sweep import SeenRun, SeenRunner
from virtci.fleet.github_answers import FIXES, refused, said
from virtci.fleet.runners.ports import Credential, StartFailed, Unanswered

if TYPE_CHECKING:
    import httpx

PAGE = 100
DEFAULT_GROUP = 1
"""The only runner group of a repository."""
WORK_FOLDER = "_work"
CONFIGURATION = timedelta(hours=1)
"""How long a just-in-time configuration may lie in its secret: as long as a registration token lives."""
FAILED = ("failure", "timed_out")
CUT_OFF = "cancelled"
ACTIVE = ("queued", "in_progress")
"""States of runs that can have jobs waiting."""
LIMITED = (403, 429)
RUNNERS, RUNS = "Administration: write", "Actions: read"
"""The permissions of a GitHub App that the two families of requests ask for."""
Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class GitHubActions:
    """The runners and runs of one repository; see `virtci.fleet.runners.ports.Actions`."""

    http: "httpx.Client"
    repository: str
    """`OWNER/NAME`, where the runners belong."""
    now: Callable[[], datetime]

    def register(self, label: str, labels: Sequence[str], serves: Serves) -> Credential:
        """What one runner of that name needs. Raises `StartFailed` with `GITHUB`.

        The request that makes a record is sent again only when GitHub said that it did nothing: 409, after the record
        in the way is gone, and once.
        """
        if serves is Serves.RUN:
            made = self._json(self._asked("POST", self._runners("/registration-token"), RUNNERS))
            return Credential(str(made["token"]), _moment(made["expires_at"]))
        body = {"name": label, "runner_group_id": DEFAULT_GROUP, "labels": list(labels), "work_folder": WORK_FOLDER}
        answer = self._configured(body)
        if answer.status_code == 409:
            self._make_way(label)
            answer = self._configured(body)
        if answer.is_error:
            raise StartFailed(Code.GITHUB, f"{answer.status_code}: {said(answer)}")
        made = self._json(answer)
        return Credential(str(made["encoded_jit_config"]), self.now() + CONFIGURATION, int(made["runner"]["id"]))

    def runner(self, label: str) -> SeenRunner | None:
        """The runner of that name."""
        listed = self._listed(self._runners(""), "runners", RUNNERS, name=label)
        return next((_seen(item) for item in listed if item["name"] == label), None)

    def runners(self) -> list[SeenRunner]:
        """All runners with labels of ours."""
        return [_seen(item) for item in self._listed(self._runners(""), "runners", RUNNERS) if is_ours(item["name"])]

    def forget(self, runner_id: int) -> bool:
        """Deletes a record; whether it is gone: GitHub keeps that of a runner with a job."""
        answer = self._asked("DELETE", self._runners(f"/{runner_id}"), RUNNERS, expected=(404, 422))
        return answer.status_code != 422

    def _configured(self, body: Json) -> "httpx.Response":
        return self._asked("POST", self._runners("/generate-jitconfig"), RUNNERS, expected=(409, 422), json=body)

    def _make_way(self, label: str) -> None:
        """Deletes the record that has a runner's name. Raises `StartFailed` where an agent is behind it."""
        known = self.runner(label)
        if known and (known.online or not self.forget(known.id)):
            raise StartFailed(Code.GITHUB, f"409: a runner named {label} is there already, and works")

    def _runners(self, path: str) -> str:
        return f"/repos/{self.repository}/actions/runners{path}"

    def run(self, run: str) -> SeenRun | None:
        """The run `owner/name/id/attempt`, as of its newest attempt. Nothing when GitHub does not know it."""
        found = self._run(run)
        if found is None:
            return None
        jobs = list(self._jobs(run, int(found["run_attempt"])))
        failed = frozenset(label for job in jobs if job["conclusion"] in FAILED for label in _ours(job))
        ends = [_moment(job["completed_at"]) for job in jobs if job["completed_at"]]
        over = found["status"] == "completed"
        return SeenRun(run=run, ended=max(ends, default=_moment(found["updated_at"])) if over else None, failed=failed)

    def busy(self, run: str, label: str) -> timedelta:
        """How long jobs of a run were on the runner of that label, in this attempt and those that came after it."""
        found = self._run(run)
        if found is None:
            return timedelta()
        attempts = range(_attempt(run), int(found["run_attempt"]) + 1)
        # A new attempt lists the jobs again that it did not run anew.
        jobs = {job["id"]: job for attempt in attempts for job in self._jobs(run, attempt)}
        return sum((self._duration(job) for job in jobs.values() if job["runner_name"] == label), timedelta())

    def longest_step(self, run: str) -> timedelta:
        """The longest step among those that were cut off, or run still, in jobs on runners of ours."""
        steps = [step for job in self._jobs(run, _attempt(run)) if _ours(job) for step in job.get("steps") or ()]
        cut_off = [step for step in steps if step["conclusion"] == CUT_OFF or step["status"] == "in_progress"]
        return max((self._duration(step) for step in cut_off), default=timedelta())

    def wanted(self) -> list[str]:
        """The labels of ours that queued jobs wait for."""
        path = f"/repos/{self.repository}/actions/runs"
        runs = {
            item["id"]: item for state in ACTIVE for item in self._listed(path, "workflow_runs", RUNS, status=state)
        }
        jobs = (
            job
            for item in runs.values()
            for job in self._jobs(f"{self.repository}/{item['id']}/{item['run_attempt']}", int(item["run_attempt"]))
        )
        return sorted({label for job in jobs if job["status"] == "queued" for label in _ours(job)})

    def _run(self, run: str) -> Json | None:
        answer = self._asked("GET", _path(run), RUNS, expected=(404,))
        return None if answer.status_code == 404 else self._json(answer)

    def _jobs(self, run: str, attempt: int) -> Iterator[Json]:
        return self._listed(f"{_path(run)}/attempts/{attempt}/jobs", "jobs", RUNS, absent=True)

    def _duration(self, item: Json) -> timedelta:
        """How long a job or a step took, or has taken; nothing before it began."""
        if not item["started_at"] or item["status"] == "queued":
            return timedelta()
        ended = _moment(item["completed_at"]) if item["completed_at"] else self.now()
        return max(ended - _moment(item["started_at"]), timedelta())

    def _listed(self, path: str, key: str, permission: str, *, absent: bool = False, **query: str) -> Iterator[Json]:
        """All items of a list, page after page; with `absent`, none where there is no such list."""
        count = 0
        for page in range(1, 1_000):
            parameters = {**query, "per_page": PAGE, "page": page}
            answer = self._asked("GET", path, permission, expected=(404,) if absent else (), params=parameters)
            if answer.status_code == 404:
                return
            found = self._json(answer)
            yield from found[key]
            count += len(found[key])
            if not found[key] or count >= found["total_count"]:
                return

    def _asked(
        self, method: str, path: str, permission: str, *, expected: Sequence[int] = (), **options: Any
    ) -> "httpx.Response":
        """An answer that is good, or of an expected status. Raises `Unanswered`, `StartFailed` or `Refusal`."""
        import httpx

        try:
            answer = self.http.request(method, path, **options)
        except httpx.TransportError as error:
            raise Unanswered(Code.GITHUB, f"GitHub was not reached ({type(error).__name__}: {error})") from None
        if not answer.is_error or answer.status_code in expected:
            return answer
        if _is_limit(answer):
            raise Unanswered(Code.GITHUB, f"GitHub's limit of requests is reached; it ends {self._reset(answer)}")
        if answer.is_server_error:
            raise Unanswered(Code.GITHUB, f"GitHub said {answer.status_code}: {said(answer)}")
        if answer.status_code in FIXES:
            raise refused(answer, f"GitHub, about the runners of {self.repository},", permission)
        raise StartFailed(Code.GITHUB, f"{answer.status_code}: {said(answer)}")

    def _reset(self, answer: "httpx.Response") -> str:
        """When a limit ends, in words."""
        after, reset = answer.headers.get("retry-after", ""), answer.headers.get("x-ratelimit-reset", "")
        if after.isdigit():
            return f"at {self.now() + timedelta(seconds=int(after)):%H:%M:%S} UTC"
        if reset.isdigit():
            return f"at {datetime.fromtimestamp(int(reset), UTC):%H:%M:%S} UTC"
        return "in about a minute"

    def _json(self, answer: "httpx.Response") -> Json:
        """Its object. Raises `Unanswered` for what is none: a proxy or a half answer."""
        try:
            return dict(answer.json())
        except ValueError:
            raise Unanswered(
                Code.GITHUB, f"GitHub answered {answer.status_code} with something else than JSON"
            ) from None


def _seen(item: Json) -> SeenRunner:
    return SeenRunner(id=item["id"], label=item["name"], online=item["status"] == "online", busy=item["busy"])


def _ours(job: Json) -> list[str]:
    """The labels of ours that a job asks for; GitHub compares labels without regard to case."""
    labels: Iterable[str] = job["labels"]
    return [label.lower() for label in labels if is_ours(label.lower())]


def _path(run: str) -> str:
    """Where GitHub has the run `owner/name/id/attempt`."""
    owner, name, run_id, _ = run.split("/")
    return f"/repos/{owner}/{name}/actions/runs/{run_id}"


def _attempt(run: str) -> int:
    return int(run.rpartition("/")[2])


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _is_limit(answer: "httpx.Response") -> bool:
    if answer.status_code not in LIMITED:
        return False
    told = "retry-after" in answer.headers or answer.headers.get("x-ratelimit-remaining") == "0"
    return answer.status_code == 429 or told or "rate limit" in said(answer).lower()
