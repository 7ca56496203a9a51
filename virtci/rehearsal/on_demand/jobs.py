"""What workflow jobs of a rehearsal ask for beside GitHub's REST API: work on their machine, and identity tokens."""

import base64
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from virtci.core.runners.clouds import Cloud
from virtci.rehearsal.azure.arm import Response
from virtci.rehearsal.azure.server import Request, face, listen
from virtci.rehearsal.github import store, workflow_runs
from virtci.rehearsal.github.api import Server

SECONDS = 300.0
"""How long a job waits for a machine and for its end."""
LOOK_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Work:
    """What a job does on the machine of a cloud: lines for bash."""

    cloud: Cloud
    does: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Machines:
    """The machines of a run as its jobs know them: by label. A job that is asked for twice is the same one."""

    github: Server
    run: store.WorkflowRun
    work: dict[str, Work]
    labels: Mapping[Cloud, str]

    def perform(self, name: str) -> store.Job:
        """A job on the machine under its label, from its place in the queue to its end."""
        work = self.work[name]
        with self.github.held() as world:
            known = [job for job in self.run.attempts[-1] if job.name == name]
            label = self.labels[work.cloud]
            job = known[0] if known else workflow_runs.queue_job(world, self.run, name, [label], work.does)
        end = time.monotonic() + SECONDS
        while job.status != "completed" and time.monotonic() < end:
            time.sleep(LOOK_SECONDS)
        return job

    def answer(self, request: Request) -> Response:
        """One job: its name is the body."""
        name = request.body.decode()
        if name not in self.work:
            return Response(404, {"message": f"no job `{name}` is to run on a machine"})
        job = self.perform(name)
        told = {"job": name, "status": job.status, "conclusion": job.conclusion}
        return Response(200 if job.conclusion == "success" else 500, told)


@contextmanager
def serve_jobs(machines: Machines) -> Iterator[str]:
    """Takes jobs until the block ends; yields the address."""
    with listen(face(machines.answer)) as port:
        yield f"http://127.0.0.1:{port}"


@contextmanager
def serve_identity_tokens(repository: str, environment: str) -> Iterator[str]:
    """GitHub's identity tokens, unsigned, for jobs of an environment; yields the address that jobs get.

    Claims: GitHub, "OpenID Connect reference".
    """

    def answer(request: Request) -> Response:
        asked = parse_qs(urlsplit(request.target).query)
        if not (request.headers.get("Authorization") or "").lower().startswith("bearer "):
            return Response(401, {"message": "no token of the job"})
        claims = {
            "iss": "https://token.actions.githubusercontent.com",
            "sub": f"repo:{repository}:environment:{environment}",
            "aud": asked.get("audience", [""])[0],
        }
        parts = (json.dumps(part).encode() for part in ({"alg": "none"}, claims))
        return Response(200, {"value": ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)})

    with listen(face(answer)) as port:
        yield f"http://127.0.0.1:{port}/?api-version=2.0"
