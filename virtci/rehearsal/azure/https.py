"""Faces of the simulated Azure that real clients reach over TLS only."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from virtci.rehearsal.azure.server import listen
from virtci.rehearsal.kubernetes.certificates import Authority


@dataclass(frozen=True, slots=True)
class SecureEndpoint:
    """Where a service listens, and the file with the authority that signed its certificate."""

    url: str
    certificate: Path


@contextmanager
def serve_secure(handled: type[BaseHTTPRequestHandler], host: str, folder: Path) -> Iterator[SecureEndpoint]:
    """Serves under a host's name on a free local port until the block ends; the certificate's files go into the folder."""
    name = host.split(".", 1)[0]
    authority = Authority.new(f"{name} rehearsal")
    pair = authority.server(("localhost", host), "127.0.0.1")
    certificate, chain = folder / f"{name}-ca.pem", folder / f"{name}.pem"
    certificate.write_text(authority.pem)
    chain.touch(mode=0o600)
    chain.write_text(pair.certificate + pair.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    with listen(handled, context) as port:
        yield SecureEndpoint(f"https://127.0.0.1:{port}", certificate)
