"""`virtci wake` and `virtci park`: the compute of an environment on, and off."""

import argparse
from datetime import timedelta
from typing import Any

from virtci.cli.refusals import said
from virtci.cli.targets import add_environment, fleet, progress
from virtci.core.boot_tags import DEADLINE

EXIT_CODES = "Exit codes: 0 done or nothing to do, 3 not possible, with the reason and the fix."


def add_to(subparsers: Any) -> None:
    """Adds the commands."""
    wake = subparsers.add_parser(
        "wake",
        help="start the compute of an environment and wait until tests can begin",
        description="Starts the machine or cluster if it is parked, then waits for a positive signal: the machine says "
        "that this boot is ready, and its cluster answers the kubeconfig of the vault. Prints `woken=true` when it was "
        "this command that started it, else `woken=false`: whoever wakes an environment parks it.",
        epilog=EXIT_CODES,
    )
    add_environment(wake)
    minutes = int(DEADLINE.total_seconds() // 60)
    wake.add_argument(
        "--deadline", type=int, default=minutes, metavar="MINUTES", help=f"for the boot; default {minutes}"
    )
    wake.set_defaults(run=said(run_wake))
    park = subparsers.add_parser(
        "park",
        help="stop the compute of an environment",
        description="Gives the hardware back; disks stay, and so does the use of the vCPU quota. Refused while a pipeline "
        "holds the environment. Prints `parked=true` when it was this command that stopped it.",
        epilog=EXIT_CODES,
    )
    add_environment(park)
    park.add_argument("--force", action="store_true", help="park also when somebody uses it, or nobody can tell")
    park.add_argument("--holder", default="", metavar="NAME", help="the pipeline run that holds it, when that is you")
    park.set_defaults(run=said(run_park))


def run_wake(arguments: argparse.Namespace) -> int:
    """Wakes an environment."""
    from virtci.fleet.clouds import connect
    from virtci.fleet.power import wake
    from virtci.fleet.waiting import pace_of

    known = fleet(arguments)
    clouds, target = connect(known.subscription), known.target(arguments.environment)
    woken = wake(clouds, target, pace_of(clouds), progress, timedelta(minutes=arguments.deadline))
    print(f"woken={str(woken).lower()}")
    return 0


def run_park(arguments: argparse.Namespace) -> int:
    """Parks an environment."""
    from virtci.fleet.clouds import connect
    from virtci.fleet.power import park
    from virtci.fleet.waiting import pace_of

    known = fleet(arguments)
    clouds, target = connect(known.subscription), known.target(arguments.environment)
    parked = park(clouds, target, pace_of(clouds), progress, force=arguments.force, holder=arguments.holder)
    print(f"parked={str(parked).lower()}")
    return 0
