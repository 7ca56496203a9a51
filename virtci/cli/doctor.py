"""`virtci doctor`: what is missing before the first deployment."""

import argparse
import importlib.metadata
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from virtci.cli.outputs import engine
from virtci.core.problems import ProblemsError, Refusal
from virtci.fleet.clouds import VARIABLE
from virtci.places import ROOT, stack_file, stacks
from virtci.settings.load import from_file, is_rehearsal

if TYPE_CHECKING:
    from virtci.fleet.doctor import Finding
    from virtci.settings.models import Settings

GOOD, NOT_SEEN, MISSING = 0, 1, 2
BACKEND = "PULUMI_BACKEND_URL"
SECONDS = 60
MARKS = {"ok": "ok     ", "missing": "MISSING", "unknown": "unknown"}


def add_to(subparsers: Any) -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "doctor",
        help="find what is missing before the first deployment",
        description="Asks everybody whom a deployment will ask, with the login of this shell: the engine, its backend, "
        "Entra, the subscription, its resource providers and real quota, the images, the vault's name, GitHub. "
        "Changes nothing; on GitHub it mints a registration token that nobody uses, which shows the right to administer.",
        epilog="Exit codes: 0 nothing is missing, 1 something could not be asked, 2 something is missing.",
    )
    parser.add_argument(
        "stacks", nargs="*", metavar="STACK", help="stacks to be deployed; default: all that declare clouds"
    )
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs the command."""
    from virtci.fleet.doctor import State

    try:
        chosen = read(arguments.stacks)
        found = []
        for finding in findings(chosen):
            found.append(finding)
            if not arguments.json:
                show(finding)
    except ProblemsError as problems:
        print(problems, file=sys.stderr)
        return MISSING
    if arguments.json:
        print(json.dumps([asdict(finding) for finding in found], indent=2))
    states = {finding.state for finding in found}
    if State.MISSING in states:
        return MISSING
    return NOT_SEEN if State.UNKNOWN in states else GOOD


def read(names: list[str]) -> "dict[str, Settings]":
    """The settings of the stacks. Raises `ProblemsError` for the first one that has problems."""
    rehearsal = is_rehearsal() or VARIABLE in os.environ
    found = {name: from_file(stack_file(name), rehearsal) for name in names or stacks()}
    return {name: settings for name, settings in found.items() if names or settings.hub or settings.environments}


def findings(chosen: "Mapping[str, Settings]") -> "Iterator[Finding]":
    """Everything, from the nearest to the farthest."""
    from virtci.fleet import doctor
    from virtci.fleet.clouds import connect, github

    yield _engine()
    yield _backend()
    for subscription in dict.fromkeys(settings.subscription for settings in chosen.values()):
        own = {name: settings for name, settings in chosen.items() if settings.subscription == subscription}
        yield from doctor.azure_findings(connect(subscription), own)
    try:
        client = github()
    except Refusal as refusal:
        yield doctor.Finding("GitHub token", doctor.State.MISSING, f"not so: {refusal.rule}", refusal.fix)
        return
    with client:
        yield from doctor.github_findings(client, chosen)


def show(finding: "Finding") -> None:
    """One line, and a second one with the fix."""
    print(f"{MARKS[finding.state.value]}  {finding.what}: {finding.text}")
    if finding.fix:
        print(f"         fix: {finding.fix}")


def _engine() -> "Finding":
    from virtci.fleet.doctor import Finding, State

    wanted = importlib.metadata.version("pulumi")
    found = _pulumi("version").removeprefix("v")
    if found == wanted:
        return Finding("engine", State.OK, f"{wanted}, the version of the SDK")
    return Finding("engine", State.MISSING, f"{found or 'not found'}, needed {wanted}", "make setup")


def _backend() -> "Finding":
    """Asks for the list of stacks: what every command of the engine begins with."""
    from virtci.fleet.doctor import Finding, State

    where = os.environ.get(BACKEND, "")
    if not where:
        fix = f"export {BACKEND}=azblob://<container>?storage_account=<account>"
        return Finding("backend", State.MISSING, f"{BACKEND} is not set", fix)
    if _pulumi("stack", "ls", "--json"):
        return Finding("backend", State.OK, f"{where} answers")
    return Finding(
        "backend", State.MISSING, f"{where} does not answer", "pulumi stack ls says why; log in to the storage"
    )


def _pulumi(*arguments: str) -> str:
    """What the engine prints; nothing when it fails or is not there."""
    command = [engine(), *arguments, "--non-interactive"]
    try:
        done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=SECONDS)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
