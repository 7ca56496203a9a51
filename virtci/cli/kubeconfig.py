"""`virtci kubeconfig`: the kubeconfig of an environment, in a file for its owner only."""

import argparse
from pathlib import Path
from typing import Any

from virtci.cli.refusals import said
from virtci.cli.targets import add_environment, fleet, progress
from virtci.core.cluster_objects import TESTS_ACCOUNT
from virtci.core.problems import Refusal
from virtci.core.runners.boskos import LAUNCHER

SHORTEST, LONGEST = 1, 24
ACCOUNTS = {"tests": TESTS_ACCOUNT, "launcher": LAUNCHER}


def add_to(subparsers: Any) -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "kubeconfig",
        help="write the kubeconfig of an environment to a file",
        description="Reads the kubeconfig from the vault and refuses one that was never published or has expired. It is "
        "written with mode 600 and never printed. That of a managed cluster holds no credential: `kubelogin` "
        "must be on PATH, and Entra decides.",
        epilog="Exit codes: 0 written, 3 not possible, with the reason and the fix.",
    )
    add_environment(parser)
    parser.add_argument(
        "--to", type=Path, required=True, metavar="FILE", help="file to write; one that is there is replaced"
    )
    parser.add_argument(
        "--for", choices=("deployment", *ACCOUNTS), default="deployment", dest="purpose",
        help="`tests`, `launcher`: a token of the account of tests, or of launchers of on-demand runners, with few rights; "
        "default: deployment",
    )  # fmt: skip
    parser.add_argument(
        "--hours", type=int, default=SHORTEST, help="how long that token is good; default 1, at most 24"
    )
    parser.set_defaults(run=said(run))


def run(arguments: argparse.Namespace) -> int:
    """Runs the command."""
    from virtci.fleet import kubeconfigs
    from virtci.fleet.clouds import connect, kubernetes
    from virtci.fleet.troubles import asking
    from virtci.fleet.waiting import now

    if not SHORTEST <= arguments.hours <= LONGEST:
        raise Refusal(
            f"--hours is {SHORTEST} to {LONGEST}", "a token would outlive what it is for", "ask for fewer hours"
        )
    known = fleet(arguments)
    target = known.target(arguments.environment)
    found = kubeconfigs.fetch(connect(known.subscription), target, now())
    if account := ACCOUNTS.get(arguments.purpose):
        with kubernetes(found.text) as api:
            found = kubeconfigs.for_account(api, found, target, account, arguments.hours)
    with asking(f"file {arguments.to}"):
        kubeconfigs.write(found, arguments.to)
    until = f"good until {found.expires:%Y-%m-%d %H:%M} UTC" if found.expires else "holds no credential"
    progress(f"{arguments.to}: {arguments.purpose} in `{target.environment}`, {until}")
    return 0
