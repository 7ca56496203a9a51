"""`virtci drift`: finds what in the clouds is not as declared, and keeps one issue about it."""

import argparse
from pathlib import Path
from typing import Any

from virtci.cli.refusals import said
from virtci.fleet.actions import add_summary, keep_result, repository_slug, results, run_link


def add_to(subparsers: Any) -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "drift",
        help="find what in the clouds is not as declared, and keep one issue about it",
        description="Reads every resource of a stack with a preview that changes nothing, and says what somebody "
        "changed outside of the program; opens one issue for all stacks, keeps it up to date, and closes it.",
        epilog="Exit codes: 0 checked (drift or not), 1 a stack could not be checked, 3 the engine or GitHub cannot be "
        "asked. What nobody declared is not seen.",
    )
    commands = parser.add_subparsers(dest="drift", required=True, metavar="WHAT")
    stack = commands.add_parser("stack", help="check one stack and write what was found")
    stack.add_argument("stack", metavar="STACK")
    stack.add_argument("--to", type=Path, metavar="DIR", help="folder for the result, STACK.json")
    stack.add_argument("--summary", type=Path, metavar="FILE", help="append the result to this file as Markdown")
    stack.set_defaults(run=said(run_stack))
    issue = commands.add_parser("issue", help="open, update or close the issue")
    issue.add_argument("--of", nargs="+", required=True, metavar="STACK", help="the stacks that were checked")
    issue.add_argument("--from", type=Path, dest="source", required=True, metavar="DIR", help="folder with results")
    issue.set_defaults(run=said(run_issue))


def run_stack(arguments: argparse.Namespace) -> int:
    """Checks one stack."""
    from virtci.fleet.drift import drift_of, stack_text
    from virtci.fleet.engine import preview
    from virtci.fleet.markdown import count

    found = drift_of(arguments.stack, preview(arguments.stack, refresh=True))
    if arguments.to:
        keep_result(arguments.to, found.stack, found)
    if arguments.summary:
        add_summary(arguments.summary, stack_text(found.stack, found))
    if found.errors:
        print(f"{found.stack}: not checked; see above")
        return 1
    print(f"{found.stack}: {count(len(found.drifted), 'difference')} from what is declared")
    return 0


def run_issue(arguments: argparse.Namespace) -> int:
    """Makes the issue say what the checks found; what was not checked closes nothing."""
    from virtci.fleet.clouds import github
    from virtci.fleet.comments import Repository
    from virtci.fleet.drift import Drift, keep_issue, unchecked

    drifts = results(arguments.source, arguments.of, Drift)
    with github() as client:
        print(keep_issue(Repository(client, repository_slug()), drifts, run_link()))
    return 1 if unchecked(drifts) else 0
