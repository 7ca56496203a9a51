"""Who the sandbox can talk to: simulated services that listen inside its network, and run outside."""

import ctypes
import os
import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from virtci.rehearsal.boot.firewall import lets_out

METADATA_ADDRESS = "169.254.169.254"
API_PORT = 6443
_CLONE_NEWNET = 0x40000000
_POLL_SECONDS = 0.02


@dataclass
class Service:
    """A simulated service under its real names, or at its real address.

    `refused` counts down connections that find nobody; change it between boots to make a service come and go.
    """

    names: tuple[str, ...]
    handler: type[BaseHTTPRequestHandler]
    port: int = 443
    tls: bool = True
    refused: int = 0


@dataclass(frozen=True)
class Authority:
    """The one certificate authority that the sandbox trusts, with a certificate for every simulated name."""

    certificate: bytes
    context: ssl.SSLContext = field(repr=False)


def authority(names: Sequence[str], folder: Path) -> Authority:
    """Makes an authority and a server certificate for the names; files go into the folder."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "rehearsal authority")])

    def certificate(subject: x509.Name, holder: ec.EllipticCurvePrivateKey, extension: x509.ExtensionType) -> bytes:
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(holder.public_key())
        builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(days=1))
        made = builder.not_valid_after(now + timedelta(days=30)).add_extension(extension, critical=True)
        return made.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)

    root = certificate(issuer, key, x509.BasicConstraints(ca=True, path_length=0))
    server_key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "rehearsal")])
    alternatives = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
    chain = folder / "server.pem"
    chain.touch(mode=0o600)
    chain.write_bytes(
        server_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        + certificate(subject, server_key, alternatives)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    return Authority(root, context)


def addresses(services: Sequence[Service]) -> dict[str, str]:
    """An address of its own for every name; the metadata service has its real one."""
    names = [name for service in services for name in service.names if name != METADATA_ADDRESS]
    return {name: f"127.0.1.{number}" for number, name in enumerate(names, 1)}


@contextmanager
def serve(namespace: Path, services: Sequence[Service], trusted: Authority) -> Iterator[None]:
    """Serves in a network namespace until the block ends."""
    known = addresses(services)
    with _ending() as servers:
        for service in services:
            for name in service.names:
                server = _Server(service, trusted, namespace.parent.parent)
                server.socket = listener(namespace, known.get(name, name), service.port)
                servers.append(server)
                threading.Thread(target=server.serve_forever, args=(_POLL_SECONDS,), daemon=True).start()
        yield


@contextmanager
def _ending() -> Iterator[list[socketserver.BaseServer]]:
    """Servers that end with the block."""
    servers: list[socketserver.BaseServer] = []
    try:
        yield servers
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()


@contextmanager
def relay(namespace: Path, address: str, port: int) -> Iterator[None]:
    """Lets the sandbox's API address lead to a port of the real machine."""
    with _ending() as servers:
        server = _Relay(port)
        server.socket = listener(namespace, address, API_PORT)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(_POLL_SECONDS,), daemon=True).start()
        yield


def listener(namespace: Path, address: str, port: int) -> socket.socket:
    """A listening socket inside a network namespace; a thread of its own enters it, because that cannot be undone."""
    made: list[socket.socket | OSError] = []

    def enter() -> None:
        try:
            with namespace.open() as file:
                _enter(file.fileno())
            made.append(socket.create_server((address, port), backlog=64))
        except OSError as error:
            made.append(error)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    if isinstance(made[0], OSError):
        raise made[0]
    return made[0]


def _enter(namespace: int) -> None:
    if ctypes.CDLL(None, use_errno=True).setns(namespace, _CLONE_NEWNET):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


class _Server(socketserver.ThreadingTCPServer):
    """An HTTP server of one service on a socket that somebody else made."""

    daemon_threads = True

    def __init__(self, service: Service, trusted: Authority, process: Path) -> None:
        super().__init__(("", 0), service.handler, bind_and_activate=False)
        self.socket.close()
        self.service, self.trusted, self.process = service, trusted, process
        self.server_name, self.server_port = service.names[0], service.port

    def get_request(self) -> tuple[socket.socket, Any]:
        """A connection; its TLS handshake is made by the thread that answers it."""
        connection, peer = self.socket.accept()
        # Handlers write headers and body apart; without this the second waits for the first to be acknowledged.
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.service.tls:
            wrapped = self.trusted.context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
            return wrapped, peer
        return connection, peer

    def verify_request(self, request: Any, client_address: Any) -> bool:  # noqa: ARG002  socketserver names them
        """Nobody is there for the first connections, nor for those that the firewall of the sandbox stops."""
        if self.service.refused > 0:
            self.service.refused -= 1
            return False
        address, port = self.socket.getsockname()
        return lets_out(self.process, address, port, client_address[1])

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away, as one that was killed does, is no error of the service."""


class _Relay(socketserver.ThreadingTCPServer):
    """Copies bytes to and from a local port of the real machine."""

    daemon_threads = True

    def __init__(self, port: int) -> None:
        super().__init__(("", 0), _Copies, bind_and_activate=False)
        self.socket.close()
        self.target = port

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that ends early is no error of the relay."""


class _Copies(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        """Both directions, until one side ends."""
        relay_server = self.server
        if not isinstance(relay_server, _Relay):
            return
        with socket.create_connection(("127.0.0.1", relay_server.target)) as there:
            back = threading.Thread(target=_copy, args=(there, self.request), daemon=True)
            back.start()
            _copy(self.request, there)
            back.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while chunk := source.recv(65_536):
            target.sendall(chunk)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
