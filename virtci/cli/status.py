"""`virtci status`: what state the environments are in."""

import argparse
import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from virtci.cli.targets import add_outputs, fleet
from virtci.core.problems import Refusal

if TYPE_CHECKING:
    from virtci.fleet.status import Status, Subject

GOOD, NOT_SEEN, ATTENTION = 0, 1, 2
STYLES = {"attention": "bold red", "unknown": "yellow", "asleep": "dim", "good": ""}
MARKS = {"attention": "!", "unknown": "?", "asleep": "z", "good": " "}


def add_to(subparsers: Any) -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "status",
        help="show what state the environments are in",
        description="Asks Azure, the vault and the clusters, with the login of this shell and read-only: power, boot and "
        "hypervisor, readiness of the nodes, gate, KubeVirt, last test, kubeconfig and cost of each environment. What "
        "cannot be asked is shown as unknown, with the reason.",
        epilog="Exit codes: 0 all good, 1 something could not be looked at, 2 something needs attention.",
    )
    parser.add_argument(
        "environments", nargs="*", metavar="ENV", help="environments to look at; default: all of the stacks"
    )
    add_outputs(parser)
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs the command."""
    from virtci.fleet.clouds import connect
    from virtci.fleet.status import Level, look_at
    from virtci.fleet.waiting import now

    try:
        known = fleet(arguments)
        names = arguments.environments or [target.environment.value for target in known.targets]
        targets = [known.target(name) for name in names]
        found = look_at(connect(known.subscription), known, targets, now())
    except Refusal as refusal:
        print(f"{refusal.rule}; {refusal.consequence}\nfix: {refusal.fix}", file=sys.stderr)
        return NOT_SEEN
    if arguments.json:
        print(json.dumps(asdict(found), indent=2, default=str))
    else:
        show(found)
    return {Level.GOOD: GOOD, Level.UNKNOWN: NOT_SEEN, Level.ATTENTION: ATTENTION}[found.worst]


def show(status: "Status") -> None:
    """Prints a table for each environment, and the budgets of the stacks."""
    for subject in (*status.environments, *status.stacks):
        _print(subject)
    print("! needs attention   ? unknown   z asleep", file=sys.stderr)


def _print(subject: "Subject") -> None:
    from rich.table import Table
    from rich.text import Text

    from virtci.cli.console import console

    table = Table(
        box=None, pad_edge=False, show_header=False, title_justify="left", title=f"{subject.name}  ({subject.compute})"
    )
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for fact in subject.facts:
        style, mark = STYLES[fact.level.value], MARKS[fact.level.value]
        text = f"{fact.text}\nfix: {fact.fix}" if fact.fix else fact.text
        table.add_row(mark, fact.name, Text(text, style=style))
    console.print(table)
    console.print()
