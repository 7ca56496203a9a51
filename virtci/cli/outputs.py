"""`virtci outputs`: the outputs of a stack, held against the contract, in the form that a consumer reads."""

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from virtci.outputs.check import contract_faults, read
from virtci.outputs.formats import FORMATS
from virtci.places import ENGINE, ROOT


def add_to(subparsers: Any) -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "outputs",
        help="print the outputs of a stack for a consumer",
        description="Reads the outputs of a deployed stack (or of a file), holds them against the contract and "
        "prints them. Secrets are not part of the contract; where one is needed, the name of its vault secret is.",
        epilog="Exit codes: 0 printed, 2 unknown stack or file, 4 the outputs break the contract. "
        "Example: virtci outputs --stack test --format github-matrix",
    )
    parser.add_argument("--stack", required=True, help="stack whose outputs are read with `pulumi stack output`")
    parser.add_argument("--format", choices=sorted(FORMATS), default="json", help="default: json")
    parser.add_argument(
        "--file", type=Path, help="read this JSON file instead, for example .rehearsal/outputs/test.json"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs the command."""
    try:
        found = json.loads(arguments.file.read_text() if arguments.file else stack_output(arguments.stack))
        outputs = read(found)
    except (OSError, json.JSONDecodeError, subprocess.CalledProcessError) as error:
        detail = getattr(error, "stderr", "") or str(error)
        print(f"the outputs of stack `{arguments.stack}` cannot be read: {detail.strip()}", file=sys.stderr)
        return 2
    except ValidationError:
        print(f"the outputs of stack `{arguments.stack}` break the contract:", file=sys.stderr)
        for fault in contract_faults(found):
            print(f"  {fault}", file=sys.stderr)
        return 4
    sys.stdout.write(FORMATS[arguments.format](outputs))
    return 0


def stack_output(stack: str) -> str:
    """What the engine prints for a stack of the current backend."""
    command = [engine(), "stack", "output", "--json", "--stack", stack]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def engine() -> str:
    """The engine: the one on PATH, or the checkout's own."""
    return shutil.which("pulumi") or str(ENGINE / "bin" / "pulumi")
