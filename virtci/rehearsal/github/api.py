"""A simulated GitHub REST API over real HTTP, for the provider and for the run-time commands.

Every request and every answer is held against GitHub's published OpenAPI description. What the description
does not say (limits, plans, sealed boxes) is in `rules`; what an operation does is in `operations`.
"""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

from virtci.rehearsal.clock import SimulatedClock
from virtci.rehearsal.github.contract import JSON_TYPE, Operation, contract, not_found
from virtci.rehearsal.github.exchange import Answer, Request
from virtci.rehearsal.github.operations import OPERATIONS
from virtci.rehearsal.github.store import GitHubScenario, World
from virtci.rehearsal.journal import CloudError, Journal

__all__ = ["GitHubScenario", "Server", "serve"]

Found = tuple[Operation, dict[str, str]]

CLOUD = "github"
HOUR = 3_600
DOCUMENTATION = "https://docs.github.com/rest"
# What GitHub tells its callers to wait when a secondary limit names no time.
PAUSE = 60


@dataclass
class _Allowance:
    """The primary rate limit of one token: so many requests in an hour that starts with the first one."""

    limit: int
    ends: float = 0.0
    used: int = 0

    def take(self, now: float) -> bool:
        """Counts a request; false when the hour's allowance is used up."""
        if now >= self.ends:
            self.ends, self.used = now + HOUR, 0
        if self.used >= self.limit:
            return False
        self.used += 1
        return True


@dataclass
class Server:
    """The running API; `url` is its base."""

    world: World
    journal: Journal
    url: str = ""
    _allowances: dict[str, _Allowance] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[Answer, dict[str, str]]:
        """Answers one request, one at a time, and writes it to the call log."""
        token = headers.get("Authorization", "").partition(" ")[2].strip()
        with self._lock:
            operation = contract().find(method, urlsplit(target).path)
            try:
                answer, more = self._planned(method, target, token, operation, body), {}
            except CloudError as error:
                answer, more = _refusal(error), _pause(error)
            contract().check_answer(operation and operation[0], answer.status, answer.body)
            return answer, {**self._limits(token), **more}

    @contextmanager
    def held(self) -> Iterator[World]:
        """The world between two requests, for what happens without one."""
        with self._lock:
            yield self.world

    def _planned(self, method: str, target: str, token: str, operation: Found | None, body: bytes) -> Answer:
        """Carries out what the fault plan lets through; a fault records its own call."""
        path = urlsplit(target).path
        self.journal.fault(CLOUD, method, path)
        try:
            self._admit(token)
            answer = self._carry_out(operation, dict(parse_qsl(urlsplit(target).query)), body)
        except CloudError as error:
            self.journal.record(CLOUD, method, path, error.status, error.code)
            raise
        self.journal.fault(CLOUD, method, path, after=True)
        self.journal.record(CLOUD, method, path, answer.status)
        return answer

    def _admit(self, token: str) -> None:
        if not token:
            raise CloudError(401, "Unauthorized", "Requires authentication")
        limit = self.world.scenario.requests_per_hour
        if not self._allowances.setdefault(token, _Allowance(limit)).take(self.world.clock.seconds):
            raise CloudError(403, "RateLimited", "API rate limit exceeded for the token's user.")

    def _carry_out(self, found: Found | None, query: Mapping[str, str], body: bytes) -> Answer:
        if found is None:
            raise not_found()
        operation, names = found
        contract().check_parameters(operation, names, query)
        request = Request(names, query, contract().check_body(operation, body))
        return OPERATIONS[operation.name](self.world, request)

    def _limits(self, token: str) -> dict[str, str]:
        allowance = self._allowances.get(token)
        if allowance is None:
            return {}
        reset = self.world.clock.now + timedelta(seconds=allowance.ends - self.world.clock.seconds)
        return {
            "X-RateLimit-Limit": str(allowance.limit),
            "X-RateLimit-Remaining": str(allowance.limit - allowance.used),
            "X-RateLimit-Used": str(allowance.used),
            "X-RateLimit-Reset": str(round(reset.timestamp())),
            "X-RateLimit-Resource": "core",
        }


@contextmanager
def serve(scenario: GitHubScenario, clock: SimulatedClock, journal: Journal) -> Iterator[Server]:
    """Runs the API on a free port of this machine until the block ends."""
    server = Server(World(scenario, clock), journal)
    listener = ThreadingHTTPServer(("127.0.0.1", 0), handler(server))
    server.url = f"http://127.0.0.1:{listener.server_port}"
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        listener.shutdown()
        listener.server_close()
        thread.join()


def _refusal(error: CloudError) -> Answer:
    if error.status < 400:
        return Answer(error.status)
    body = {"message": error.message, "documentation_url": DOCUMENTATION, "status": str(error.status)}
    return Answer(error.status, body)


def _pause(error: CloudError) -> dict[str, str]:
    seconds = error.retry_after or (PAUSE if error.status == 429 else None)
    return {"Retry-After": f"{seconds:g}"} if seconds else {}


def handler(server: Server) -> type[BaseHTTPRequestHandler]:
    """The face of the API."""

    class Handler(BaseHTTPRequestHandler):
        """Translates between HTTP and the simulated API."""

        protocol_version = "HTTP/1.1"
        # Small answers must leave at once, or every call waits for the other side's delayed acknowledgement.
        disable_nagle_algorithm = True
        wbufsize = -1

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            answer, headers = server.answer(self.command, self.path, dict(self.headers.items()), body)
            self._write(answer, headers)

        def _write(self, answer: Answer, headers: Mapping[str, str]) -> None:
            content = b"" if answer.body is None else json.dumps(answer.body).encode()
            self.send_response(answer.status)
            for name, value in headers.items():
                self.send_header(name, value)
            if content:
                self.send_header("Content-Type", f"{JSON_TYPE}; charset=utf-8")
            if answer.status != 204:
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = _serve  # noqa: N815  names of http.server

        def log_message(self, *_: object) -> None:
            """Keeps quiet: the call log is in the journal."""

    return Handler
