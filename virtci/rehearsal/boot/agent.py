"""Releases of GitHub's runner agent, simulated, and the part of GitHub that agents alone talk to."""

import gzip
import io
import json
import tarfile
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import unquote, urlsplit

from virtci.rehearsal.azure.arm import Response
from virtci.rehearsal.azure.server import Plain, Request, face
from virtci.rehearsal.bridge import Values
from virtci.rehearsal.github import runners
from virtci.rehearsal.github.api import CLOUD, Server
from virtci.rehearsal.github.store import World
from virtci.rehearsal.journal import CloudError

HOSTS = ("github.com", "api.github.com")
PROGRAMS = Path(__file__).parent / "programs" / "agent"
FILES = {"config.sh": "config.sh", "bin/runsvc.sh": "runsvc.sh", "bin/Runner.Listener": "listener.py"}
REGISTRATION, SESSIONS = "/actions/runner-registration", "/actions/runner-sessions"


def archive(version: str, size_kib: int = 1) -> bytes:
    """The archive of a release; it unpacks to as much as asked."""
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as zipped, tarfile.open(fileobj=zipped, mode="w") as made:
        for name, source in FILES.items():
            text = (PROGRAMS / source).read_text().replace("@VERSION@", version)
            _add(made, name, (f"#!/usr/bin/python3 -IS\n{text}" if source.endswith(".py") else text).encode())
        _add(made, "externals/node", bytes(size_kib * 1024))
    return packed.getvalue()


def download_path(version: str) -> str:
    """Where github.com has the archive of a release."""
    return f"/actions/runner/releases/download/v{version}/actions-runner-linux-x64-{version}.tar.gz"


def handler(server: Server, archives: Mapping[str, bytes]) -> type[BaseHTTPRequestHandler]:
    """The face of github.com and api.github.com towards machines: releases by version, and enrolment of agents."""

    def answer(request: Request) -> Response:
        path = unquote(urlsplit(request.target).path)
        try:
            server.journal.fault(CLOUD, request.method, path)
            response = _answer(server, archives, request, path)
        except CloudError as error:
            response = Response(error.status, {"message": error.message})
        server.journal.record(CLOUD, request.method, path, response.status)
        return response

    return face(answer)


def _answer(server: Server, archives: Mapping[str, bytes], request: Request, path: str) -> Response:
    offered = {download_path(version): content for version, content in archives.items()}
    if request.method == "GET" and path in offered:
        return Plain(200, content=offered[path], kind="application/octet-stream")
    if request.method == "POST" and path in (REGISTRATION, SESSIONS):
        body: Values = json.loads(request.body)
        with server.held() as world:
            return Response(200, _enrolled(world, request, body) if path == REGISTRATION else _online(world, body))
    raise CloudError(404, "NotFound", "Not Found")


def _enrolled(world: World, request: Request, body: Values) -> Values:
    token = (request.headers.get("Authorization") or "").removeprefix("RemoteAuth ")
    made = runners.enrol(world, token, **body)
    return {"id": made.id, "credential": made.credential}


def _online(world: World, body: Values) -> Values:
    return {"id": runners.connect(world, body["credential"]).id}


def _add(made: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(f"./{name}")
    entry.size, entry.mode, entry.uid, entry.gid = len(content), 0o755, 1001, 127
    made.addfile(entry, io.BytesIO(content))
