"""The way into the private network of the fleet, for programs of this machine: an HTTP proxy that knows its addresses.

Kubeconfigs name private addresses, where a rehearsal has its clusters on ports of this machine. Clients honour
`HTTPS_PROXY`; the proxy connects them and looks into nothing. It leads nowhere else.
"""

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LOOPBACK = "127.0.0.1"
CHUNK = 65_536
CONNECT_SECONDS = 10


@contextmanager
def private_network(ports: Mapping[str, int]) -> Iterator[dict[str, str]]:
    """Leads `host:port` to a port of this machine until the block ends; yields the environment of those who use it."""
    server = ThreadingHTTPServer((LOOPBACK, 0), _handler(ports))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        outside = f"{LOOPBACK},localhost"
        yield {"HTTPS_PROXY": f"http://{LOOPBACK}:{server.server_port}", "NO_PROXY": outside, "no_proxy": outside}
    finally:
        server.shutdown()
        server.server_close()


def _handler(ports: Mapping[str, int]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """Takes CONNECT and nothing else."""

        def do_CONNECT(self) -> None:
            port = ports.get(self.path)
            if port is None:
                self.send_error(502, f"nothing in the private network answers at {self.path}")
                return
            try:
                with socket.create_connection((LOOPBACK, port), CONNECT_SECONDS) as inside:
                    self.send_response(200)
                    self.end_headers()
                    _join(self.connection, inside)
            except OSError as error:
                self.log_error("%s: %s", self.path, error)
            self.close_connection = True

        def log_message(self, *_: object) -> None:
            """Clients say themselves what went wrong."""

    return Handler


def _join(outside: socket.socket, inside: socket.socket) -> None:
    """Carries bytes both ways until both sides are done."""
    back = threading.Thread(target=_carry, args=(inside, outside), daemon=True)
    back.start()
    _carry(outside, inside)
    back.join()


def _carry(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        source.settimeout(None)
        while chunk := source.recv(CHUNK):
            target.sendall(chunk)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
