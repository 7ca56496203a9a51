"""A registry of images as far as a build and the pipeline need one: manifests by tag and digest, and logins.

It answers as the OCI Distribution Specification v1.1 says, and remembers every push: what is built once is pushed once.
"""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MANIFEST = re.compile(r"/v2/(?P<name>[a-z0-9._/-]+)/manifests/(?P<reference>[\w.:-]+)")
MEDIA_TYPE = "application/vnd.oci.image.manifest.v1+json"
PULLS = "rehearsal-pull-token"


@dataclass(frozen=True, slots=True)
class Push:
    """One manifest that was pushed."""

    name: str
    tag: str
    digest: str


@dataclass
class Images:
    """What the registry holds. `password` is what a login needs."""

    password: str
    pushes: list[Push] = field(default_factory=list)
    contents: dict[str, bytes] = field(default_factory=dict)
    tags: dict[tuple[str, str], str] = field(default_factory=dict)

    def push(self, name: str, tag: str, content: bytes) -> str:
        """Keeps a manifest and returns its digest."""
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        self.contents[digest] = content
        self.tags[name, tag] = digest
        self.pushes.append(Push(name, tag, digest))
        return digest

    def manifest(self, name: str, reference: str) -> tuple[str, bytes] | None:
        """The digest and the content of what a tag or a digest names."""
        digest = reference if reference.startswith("sha256:") else self.tags.get((name, reference), "")
        return (digest, self.contents[digest]) if digest in self.contents else None


@dataclass(frozen=True, slots=True)
class RegistryServer:
    """Where it listens, as host and port."""

    address: str
    images: Images


@contextmanager
def serve_registry(password: str) -> Iterator[RegistryServer]:
    """Serves a registry of this machine until the block ends."""
    images = Images(password)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(images))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield RegistryServer(f"127.0.0.1:{server.server_port}", images)
    finally:
        server.shutdown()
        server.server_close()


def handler(images: Images) -> type[BaseHTTPRequestHandler]:
    """The handler of a server for these images."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path.startswith("/token?"):
                self._answer(200, json.dumps({"token": PULLS}).encode()) if self._logged_in() else self._answer(401)
                return
            found = MANIFEST.fullmatch(self.path)
            if self.headers.get("Authorization") != f"Bearer {PULLS}":
                address = self.headers["Host"]
                challenge = f'Bearer realm="http://{address}/token",service="{address}",scope="repository:images:pull"'
                self._answer(401, headers={"WWW-Authenticate": challenge})
            elif found and (manifest := images.manifest(found["name"], found["reference"])):
                headers = {"Docker-Content-Digest": manifest[0], "Content-Type": MEDIA_TYPE}
                self._answer(200, manifest[1], headers)
            else:
                self._answer(404, b'{"errors": [{"code": "MANIFEST_UNKNOWN"}]}')

        def do_PUT(self) -> None:
            found = MANIFEST.fullmatch(self.path)
            content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if found is None:
                self._answer(404)
            elif not self._logged_in():
                self._answer(401, b'{"errors": [{"code": "UNAUTHORIZED"}]}')
            else:
                digest = images.push(found["name"], found["reference"], content)
                self._answer(201, headers={"Docker-Content-Digest": digest})

        def log_message(self, *_: object) -> None:
            """Nothing: who pushed is in `Images.pushes`."""

        def _logged_in(self) -> bool:
            scheme, _, value = self.headers.get("Authorization", "").partition(" ")
            return scheme == "Basic" and base64.b64decode(value).decode().partition(":")[2] == images.password

        def _answer(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

    return Handler
