"""The HTTP faces of the simulated Azure: of Resource Manager, for real `azure-mgmt` clients, and what all faces share."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ssl import SSLContext
from urllib.parse import unquote

from virtci.rehearsal.azure import compute, tokens
from virtci.rehearsal.azure.arm import ResourceManager, Response
from virtci.rehearsal.bridge import Values

AUDIENCES = ("https://management.azure.com", "https://management.core.windows.net")
"""What a token for Resource Manager is for."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the cloud listens."""

    url: str


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it came: `target` is path and query, `headers` are found in any case of letters."""

    method: str
    target: str
    headers: "Message[str, str]"
    body: bytes = field(repr=False)

    @property
    def bearer(self) -> str:
        """The token, or nothing."""
        scheme, _, token = (self.headers.get("Authorization") or "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" else ""

    @property
    def content(self) -> Values | None:
        """The JSON object of the body, or nothing. Raises `ValueError` for anything else."""
        found = json.loads(self.body) if self.body else None
        if found is not None and not isinstance(found, dict):
            raise ValueError("the body is no JSON object")
        return found


@dataclass(frozen=True, slots=True)
class Plain(Response):
    """An answer that is not JSON."""

    content: bytes = field(default=b"", repr=False)
    kind: str = "text/plain"


Answer = Callable[[Request], Response | None]


@contextmanager
def serve(manager: ResourceManager) -> Iterator[Endpoint]:
    """Serves a cloud on a free local port until the block ends."""
    with listen(handler(manager)) as port:
        manager.store.address = f"http://127.0.0.1:{port}"
        yield Endpoint(manager.store.address)


def handler(manager: ResourceManager, seconds_per_refusal: float = 0.0) -> type[BaseHTTPRequestHandler]:
    """The face of Resource Manager.

    Each refusal for want of a role moves the simulated clock on by `seconds_per_refusal`, for callers that wait by
    another clock until a role works.
    """

    def answer(request: Request) -> Response:
        if request.target.startswith(compute.SERIAL_LOGS):
            log = compute.serial_log(manager.store, request.target)
            return Plain(404) if log is None else Plain(200, content=log.encode())
        try:
            principal, body = tokens.holder(request.bearer, AUDIENCES, manager.clock.now.timestamp()), request.content
        except tokens.TokenError as error:
            return _refusal(401, "InvalidAuthenticationToken", f"The access token is invalid: {error}.")
        except ValueError:
            return _refusal(400, "InvalidRequestContent", "The request content was invalid: it is not JSON.")
        response = manager.request(request.method, unquote(request.target), body, principal)
        if response.status == 403 and (response.body or {})["error"]["code"] == "AuthorizationFailed":
            manager.clock.advance(seconds_per_refusal)
        return response

    return face(answer)


@contextmanager
def listen(handled: type[BaseHTTPRequestHandler], tls: SSLContext | None = None) -> Iterator[int]:
    """Serves on a free local port, which it yields, until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handled)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def face(answer: Answer) -> type[BaseHTTPRequestHandler]:
    """A service that answers every method by one function; where that gives nothing, nobody is there."""

    class Handler(BaseHTTPRequestHandler):
        """Translates HTTP into the function's terms."""

        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def handle_request(self) -> None:
            """Every method is answered alike."""
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            response = answer(Request(self.command, self.path, self.headers, body))
            if response is None:
                self.close_connection = True
            else:
                self._write(response)

        do_GET = do_HEAD = do_PUT = do_PATCH = do_POST = do_DELETE = handle_request  # noqa: N815  names of http.server

        def _write(self, response: Response) -> None:
            kind, content = "application/json", b""
            if isinstance(response, Plain):
                kind, content = response.kind, response.content
            elif response.body is not None and self.command != "HEAD":
                content = json.dumps(response.body).encode()
            self.send_response(response.status)
            for name, value in response.headers.items():
                self.send_header(name, value)
            if response.status != 204:
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """The journal is the log."""

    return Handler


def _refusal(status: int, code: str, message: str) -> Response:
    return Response(status, {"error": {"code": code, "message": message}})
