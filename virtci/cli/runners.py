"""`virtci runners`: on-demand runners of workflow runs, and tokens for runners of the hub that wait for one."""

import argparse
from datetime import timedelta
from typing import Any

from virtci.cli import runners_life, runners_view
from virtci.cli.refusals import said
from virtci.cli.targets import add_outputs, fleet, progress
from virtci.core.problems import Refusal


def add_to(subparsers: Any) -> None:
    """Adds the command."""
    runners = subparsers.add_parser(
        "runners", help="start, stop, sweep and look at on-demand runners; register those of the hub"
    )
    verbs = runners.add_subparsers(dest="verb", required=True, metavar="VERB")
    runners_life.add_to(verbs)
    runners_view.add_to(verbs)
    register = verbs.add_parser(
        "register",
        help="give runners the token that they wait for, and wait until they take jobs",
        description="Gets a registration token for each runner from GitHub (GITHUB_TOKEN of a GitHub App with the repository "
        "permission Administration: write), puts it into the vault secret that the runner's machine looks into, waits until "
        "GitHub sees the runner online, and overwrites the secret. A runner that is registered comes back by itself after "
        "a restart and needs none of this.",
        epilog="Exit codes: 0 done or nothing to do, 3 not possible, with the reason and the fix.",
    )
    register.add_argument("names", nargs="*", metavar="NAME", help="runner")
    register.add_argument(
        "--missing", action="store_true", help="those that GitHub does not know, or that wait for a token"
    )
    register.add_argument("--repository", metavar="OWNER/NAME", help="default: the one that uses the environments")
    register.add_argument(
        "--deadline", type=int, metavar="MINUTES", help="default: long enough for a machine that boots"
    )
    add_outputs(register)
    register.set_defaults(run=said(run))


def run(arguments: argparse.Namespace) -> int:
    """Registers runners."""
    from virtci.fleet.clouds import connect, github
    from virtci.fleet.registration import DEADLINE, Registrar, missing, register, runners_of
    from virtci.fleet.waiting import pace_of

    if bool(arguments.names) is arguments.missing:
        raise Refusal(
            "runners are named, or `--missing` is given", "nobody is registered", "virtci runners register --missing"
        )
    known = fleet(arguments)
    machines = [machine for stack in known.stacks for machine in stack.machines]
    chosen, clouds = runners_of(machines, arguments.names), connect(known.subscription)
    with github() as client:
        place = arguments.repository or known.repository
        registrar = Registrar(clouds, client, place, known.vault, pace_of(clouds), progress)
        wanted = missing(registrar, chosen) if arguments.missing else chosen
        if not wanted:
            progress("every runner is registered")
            return 0
        register(registrar, wanted, timedelta(minutes=arguments.deadline) if arguments.deadline else DEADLINE)
    return 0
