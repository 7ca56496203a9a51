"""The HTTP face of the simulated Resource Manager, for real `azure-mgmt` clients."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

from virtci.rehearsal.azure.arm import ResourceManager, Response

_PRINCIPAL = re.compile(r"Bearer ([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the cloud listens."""

    url: str


@contextmanager
def serve(manager: ResourceManager) -> Iterator[Endpoint]:
    """Serves a cloud on a free local port until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(manager))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield Endpoint(f"http://127.0.0.1:{server.server_port}")
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(manager: ResourceManager) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """Translates HTTP into `ResourceManager.request`."""

        protocol_version = "HTTP/1.1"

        def handle_request(self) -> None:
            """Every method is answered alike."""
            size = int(self.headers.get("Content-Length") or 0)
            text = self.rfile.read(size)
            try:
                body = json.loads(text) if text else None
            except ValueError:
                self._write(_invalid_body())
                return
            self._write(manager.request(self.command, unquote(self.path), body, self._principal()))

        do_GET = do_HEAD = do_PUT = do_PATCH = do_POST = do_DELETE = handle_request  # noqa: N815

        def _principal(self) -> str:
            """A stub credential may name the principal that it stands for; other tokens are not looked at."""
            found = _PRINCIPAL.fullmatch(self.headers.get("Authorization") or "")
            return found.group(1) if found else ""

        def _write(self, response: Response) -> None:
            has_body = response.body is not None and self.command != "HEAD"
            content = json.dumps(response.body).encode() if has_body else b""
            self.send_response(response.status)
            for name, value in response.headers.items():
                self.send_header(name, value)
            if response.status != 204:
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """The journal is the log."""

    return Handler


def _invalid_body() -> Response:
    error = {"code": "InvalidRequestContent", "message": "The request content was invalid: it is not JSON."}
    return Response(400, {"error": error})
