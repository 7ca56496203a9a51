"""`virtci rehearse runners`: a week of pull requests on on-demand runners, in simulated time, with faults."""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from virtci.places import LEFT
from virtci.rehearsal.endings import Ending

if TYPE_CHECKING:
    from virtci.rehearsal.runners.week import Week

PAGE = "runners.html"


def add_to(subparsers: Any) -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "runners",
        help="a week of on-demand runners in simulated time, with faults (about a minute)",
        description="Plays a week of pull requests: the real launcher, sweeps and leases, many at once, in a simulated "
        "Azure, EC2, GitHub and backend that fail in every way they know. Shows figures, and each invariant with its "
        "verdict. The same seed gives the same week.",
        epilog=f"Exit codes: 0 every invariant holds; {Ending.INVARIANT_BROKEN.value} one is broken.",
    )
    parser.add_argument("--days", type=_from_one, default=7, metavar="N", help="days of pull requests; default: 7")
    parser.add_argument("--a-day", type=_from_one, default=200, metavar="N", help="pull requests a day; default: 200")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="which week; default: 1")
    parser.add_argument("--calm", action="store_true", help="nothing goes wrong")
    parser.add_argument(
        "--leave", type=Path, default=LEFT, metavar="DIR", help=f"folder for the page {PAGE}; default: .rehearsal"
    )
    parser.add_argument("--json", action="store_true", help="print figures and verdicts as JSON instead of tables")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs the command."""
    from virtci.cli.console import console
    from virtci.cli.runner_week_tables import show
    from virtci.rehearsal.report.runner_week import write_page
    from virtci.rehearsal.runners.figures import Figures
    from virtci.rehearsal.runners.week import calm_week, week

    started = time.monotonic()
    made = (calm_week if arguments.calm else week)(arguments.seed, arguments.days, arguments.a_day)
    figures = Figures(made.play((lambda _: None) if arguments.json else _progress(started)))
    arguments.leave.mkdir(parents=True, exist_ok=True)
    page = arguments.leave / PAGE
    write_page(figures, page, calm=arguments.calm)
    if arguments.json:
        print(json.dumps(figures.document(), indent=2))
    else:
        show(figures)
        console.print(f"\n{made.days} days in {time.monotonic() - started:.0f} s; page: {page}")
    return Ending.GOOD if figures.holds else Ending.INVARIANT_BROKEN


def _progress(started: float) -> "Callable[[Week], None]":
    """A terminal sees each hour pass; a log gets a line for each day."""
    from virtci.cli.console import console
    from virtci.rehearsal.clock import START

    told = 0

    def observe(seen: "Week") -> None:
        nonlocal told
        passed = seen.town.stage.now - START
        words = (
            f"{sum(item.ended for item in seen.people.requests)} of {len(seen.people.requests)} pull requests, "
            f"{sum(len(platform.bill) for platform in seen.town.platforms.values())} machines"
        )
        if passed.days > told:
            told = passed.days
            console.print(f"  day {told:<3} {words:<50} {time.monotonic() - started:5.1f} s")
        elif console.is_terminal and seen.town.stage.now.minute == 0:
            console.print(f"  day {told + 1:<3} {words} …", end="\r")

    return observe


def _from_one(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is less than 1")
    return number
