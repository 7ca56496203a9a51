"""`virtci check`: reads stack files and reports everything that is wrong with them, without an engine."""

import argparse
import sys
from typing import Any

from virtci.core.problems import ProblemsError
from virtci.places import stack_file, stacks
from virtci.settings.load import from_file


def add_to(subparsers: Any) -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "check",
        help="read stack files and report every problem",
        description="Reads Pulumi.STACK.yaml and reports every problem at once. Starts no engine and calls no cloud.",
        epilog="Exit codes: 0 all good, 2 problems found.",
    )
    parser.add_argument("stacks", nargs="*", metavar="STACK", help="stacks to read; default: all stack files")
    parser.add_argument("--rehearsal", action="store_true", help="allow the placeholders that only a rehearsal may use")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs the command."""
    names = arguments.stacks or stacks()
    failed = False
    for name in names:
        path = stack_file(name)
        if not path.exists():
            print(f"stack `{name}` has no file {path.name}; there are: {', '.join(stacks())}", file=sys.stderr)
            failed = True
            continue
        try:
            from_file(path, arguments.rehearsal)
        except ProblemsError as problems:
            print(f"{problems}\n", file=sys.stderr)
            failed = True
        else:
            print(f"{path.name}: good")
    return 2 if failed else 0
