"""The `virtci` command."""

import argparse
import sys
from collections.abc import Sequence

from virtci.cli import (
    check,
    doctor,
    drift,
    images,
    kubeconfig,
    outputs,
    pipeline,
    power,
    preflight,
    readiness,
    rehearse,
    review,
    rotate,
    runners,
    status,
)

COMMANDS = (
    check,
    preflight,
    rehearse,
    outputs,
    review,
    drift,
    doctor,
    status,
    power,
    kubeconfig,
    readiness,
    rotate,
    runners,
    images,
    pipeline,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Parses the command line and runs a command; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="virtci",
        description="Continuous integration that needs a hypervisor: check, rehearse and read its infrastructure.",
        epilog="Every command explains itself: virtci COMMAND --help",
    )
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add_to(subparsers)
    parsed = parser.parse_args(arguments)
    try:
        return int(parsed.run(parsed))
    except KeyboardInterrupt:
        print("\ninterrupted; nothing outside this run was touched.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
