"""Releases of GitHub's runner agent, simulated, and the part of GitHub that agents alone talk to."""

import io
import json
import struct
import tarfile
import zlib
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import unquote, urlsplit

from virtci.rehearsal.azure.arm import Response
from virtci.rehearsal.azure.server import Plain, Request, face
from virtci.rehearsal.bridge import Values
from virtci.rehearsal.github import runners, workflow_runs
from virtci.rehearsal.github.api import CLOUD, Server
from virtci.rehearsal.github.store import World
from virtci.rehearsal.journal import CloudError

HOSTS = ("github.com", "api.github.com")
PROGRAMS = Path(__file__).parent / "programs" / "agent"
FILES = {
    "config.sh": "config.sh",
    "run.sh": "run.sh",
    "bin/runsvc.sh": "runsvc.sh",
    "bin/Runner.Listener": "listener.py",
}
_HEADER = b"\x1f\x8b\x08" + bytes(6) + b"\xff"
_STORED = 0xFFFF
"""Bytes of a stored block at most."""
REGISTRATION, SESSIONS = "/actions/runner-registration", "/actions/runner-sessions"
MESSAGES, JOBS, FAREWELLS = "/actions/runner-messages", "/actions/runner-jobs", "/actions/runner-farewells"


def archive(version: str, size_kib: int = 1) -> bytes:
    """The archive of a release; it unpacks to as much as asked. The hub's stack file pins the checksum of its version."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as made:
        for name, source in FILES.items():
            text = (PROGRAMS / source).read_text().replace("@VERSION@", version)
            _add(made, name, (f"#!/usr/bin/python3 -IS\n{text}" if source.endswith(".py") else text).encode())
        _add(made, "externals/node", bytes(size_kib * 1024))
    return _zipped(packed.getvalue())


def _zipped(content: bytes) -> bytes:
    """A gzip file (RFC 1952) of stored blocks (RFC 1951, 3.2.4): what compresses differs between releases of zlib."""
    blocks = [content[start : start + _STORED] for start in range(0, len(content), _STORED)]
    stored = b"".join(
        struct.pack("<BHH", number == len(blocks), len(block), _STORED - len(block)) + block
        for number, block in enumerate(blocks, 1)
    )
    return _HEADER + stored + struct.pack("<II", zlib.crc32(content), len(content))


def download_path(version: str) -> str:
    """Where github.com has the archive of a release."""
    return f"/actions/runner/releases/download/v{version}/actions-runner-linux-x64-{version}.tar.gz"


def handler(server: Server, archives: Mapping[str, bytes]) -> type[BaseHTTPRequestHandler]:
    """The face of github.com and api.github.com towards machines: releases by version, and enrolment of agents."""

    def answer(request: Request) -> Response:
        path = unquote(urlsplit(request.target).path)
        # How often an agent asks for jobs is a matter of real time, which no plan and no log of a rehearsal knows.
        told = path != MESSAGES
        try:
            if told:
                server.journal.fault(CLOUD, request.method, path)
            response = _answer(server, archives, request, path)
        except CloudError as error:
            response = Response(error.status, {"message": error.message})
        if told:
            server.journal.record(CLOUD, request.method, path, response.status)
        return response

    return face(answer)


def _answer(server: Server, archives: Mapping[str, bytes], request: Request, path: str) -> Response:
    offered = {download_path(version): content for version, content in archives.items()}
    if request.method == "GET" and path in offered:
        return Plain(200, content=offered[path], kind="application/octet-stream")
    if request.method == "POST" and path in _DEEDS:
        with server.held() as world:
            return Response(200, _DEEDS[path](world, request, json.loads(request.body)))
    raise CloudError(404, "NotFound", "Not Found")


def _enrolled(world: World, request: Request, body: Values) -> Values:
    token = (request.headers.get("Authorization") or "").removeprefix("RemoteAuth ")
    made = runners.enrol(world, token, **body)
    return {"id": made.id, "credential": made.credential}


def _online(world: World, _: Request, body: Values) -> Values:
    return {"id": runners.connect(world, body["credential"], body["version"]).id}


def _message(world: World, _: Request, body: Values) -> Values:
    job = workflow_runs.take_job(world, runners.holder(world, body["credential"]))
    return {"id": job.id, "name": job.name, "does": job.does} if job else {}


def _finished(world: World, _: Request, body: Values) -> Values:
    runner = runners.holder(world, body["credential"])
    jobs = [job for run in world.runs.values() for attempt in run.attempts for job in attempt]
    for job in jobs:
        if job.id == body["job"] and job.runner is runner and job.status == "in_progress":
            workflow_runs.finish_job(world, job, body["conclusion"])
    return {}


def _ended(world: World, _: Request, body: Values) -> Values:
    return {"id": runners.disconnect(world, body["credential"]).id}


_DEEDS: Mapping[str, Callable[[World, Request, Values], Values]] = {
    REGISTRATION: _enrolled,
    SESSIONS: _online,
    MESSAGES: _message,
    JOBS: _finished,
    FAREWELLS: _ended,
}


def _add(made: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(f"./{name}")
    entry.size, entry.mode, entry.uid, entry.gid = len(content), 0o755, 1001, 127
    made.addfile(entry, io.BytesIO(content))
