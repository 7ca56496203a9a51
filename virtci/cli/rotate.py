"""`virtci rotate`: new credentials for an environment."""

import argparse
import json
import subprocess
import sys
from typing import Any

from virtci.cli.outputs import engine
from virtci.cli.refusals import said
from virtci.cli.targets import add_environment, fleet, progress
from virtci.core.problems import Refusal
from virtci.places import POLICIES, ROOT


def add_to(subparsers: Any) -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "rotate",
        help="replace the kubeconfig or the SSH key of an environment",
        description="Replaces a credential while everything goes on (kubeconfig), or with a rebuilt machine (ssh).",
        epilog="docs/runbooks/rotate-keys.md says when to do which.",
    )
    commands = parser.add_subparsers(dest="credential", required=True, metavar="WHAT")
    kubeconfig = commands.add_parser(
        "kubeconfig",
        help="have the machine publish a new kubeconfig; the old one works for ten more minutes",
        description="Asks the machine through its cluster, and waits until the vault has a new kubeconfig that works. "
        "Running jobs go on: the old one is revoked ten minutes later. For a managed cluster it says why there is "
        "nothing to rotate.",
        epilog="Exit codes: 0 done or nothing to rotate, 3 not possible, with the reason and the fix.",
    )
    add_environment(kubeconfig)
    kubeconfig.add_argument("--revoked", action="store_true", help="wait until the cluster refuses the old one")
    kubeconfig.set_defaults(run=said(run_kubeconfig))
    ssh = commands.add_parser(
        "ssh",
        help="replace the SSH key, and with it the machine",
        description="A machine reads its key at its first boot only, so a new key means a new machine: virtual machines "
        "and images in its cluster are gone. Shows the preview of the engine, asks, and deploys.",
        epilog="Exit codes: 0 done, 1 the engine stopped, 3 not possible, with the reason and the fix.",
    )
    add_environment(ssh)
    ssh.add_argument("--yes", action="store_true", help="do not ask after the preview")
    ssh.set_defaults(run=said(run_ssh))


def run_kubeconfig(arguments: argparse.Namespace) -> int:
    """Rotates the kubeconfig."""
    from virtci.fleet.clouds import connect
    from virtci.fleet.rotation import nothing_to_rotate, rotate_kubeconfig
    from virtci.fleet.waiting import pace_of

    known = fleet(arguments)
    clouds, target = connect(known.subscription), known.target(arguments.environment)
    if target.kind == "cluster":
        print(nothing_to_rotate(target))
        return 0
    new = rotate_kubeconfig(clouds, target, pace_of(clouds), progress, revoked=arguments.revoked)
    until = f"; it is good until {new.expires:%Y-%m-%d %H:%M} UTC" if new.expires else ""
    print(f"`{target.environment}` has a new kubeconfig in {target.vault}{until}")
    return 0


def run_ssh(arguments: argparse.Namespace) -> int:
    """Rotates the SSH key with the engine: preview, question, update."""
    from virtci.fleet.rotation import replacing, ssh_key_urn

    target = fleet(arguments).target(arguments.environment)
    urn = ssh_key_urn(_state(target.stack), target.environment)
    configuration = POLICIES / "config" / f"{target.stack}.json"
    preview, update = replacing(
        target.stack, urn, ["--policy-pack", str(POLICIES), "--policy-pack-config", str(configuration)]
    )
    progress(f"{target.compute.name} gets a new key and is built anew: its cluster, and everything in it, is gone")
    if _engine(preview) != 0:
        progress("the preview stopped; nothing was changed")
        return 1
    if not (arguments.yes or _agreed(target.compute.name)):
        progress("nothing was changed")
        return 1
    if _engine(update) != 0:
        return 1
    progress(f"the new key is in the vault; wait for the machine: virtci wake {target.environment}")
    return 0


def _state(stack: str) -> list[dict[str, Any]]:
    command = [engine(), "stack", "export", "--stack", stack]
    try:
        text = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        said_ = (getattr(error, "stderr", "") or str(error)).strip()
        raise Refusal(
            f"the engine gives the state of stack `{stack}`",
            f"the declared key is not known: {said_}",
            "log in to the state (PULUMI_BACKEND_URL) with the stack's secrets provider",
        ) from None
    return list(json.loads(text)["deployment"].get("resources") or [])


def _engine(arguments: list[str]) -> int:
    return subprocess.run([engine(), *arguments, "--non-interactive"], cwd=ROOT, check=False).returncode


def _agreed(machine: str) -> bool:
    if not sys.stdin.isatty():
        raise Refusal("somebody agrees to the preview", "nothing was changed", "read the preview, then run with --yes")
    return input(f"build {machine} anew? [y/N] ").strip().lower() in ("y", "yes")
