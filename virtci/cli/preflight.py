"""`virtci preflight`: asks the cloud what only it knows, before a deployment."""

import argparse
import sys
from typing import Any

from virtci.core.problems import ProblemsError
from virtci.fleet.clouds import connect
from virtci.fleet.preflight import vault_problems
from virtci.places import stack_file
from virtci.settings.load import from_file


def add_to(subparsers: Any) -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "preflight",
        help="ask the cloud whether a stack can be deployed",
        description="Reads Pulumi.STACK.yaml and asks Azure, with the login of this shell and read-only, what a stack "
        "file cannot know: whether the name of the vault is free, or taken, or held by a deleted vault.",
        epilog="Exit codes: 0 nothing in the way, 2 problems found, 3 Azure cannot be asked.",
    )
    parser.add_argument("stack", metavar="STACK")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs the command."""
    from azure.core.exceptions import AzureError

    path = stack_file(arguments.stack)
    try:
        settings = from_file(path, rehearsal=False)
        problems = vault_problems(settings, connect(settings.subscription).vaults)
    except ProblemsError as unreadable:
        print(unreadable, file=sys.stderr)
        return 2
    except (AzureError, OSError) as error:
        print(
            f"Azure cannot be asked: {error}\nfix: `az login`, or set AZURE_* for a federated identity", file=sys.stderr
        )
        return 3
    if problems:
        print(ProblemsError(path.name, problems), file=sys.stderr)
        return 2
    print(f"{path.name}: nothing in the way")
    return 0
