"""Runs real programs for tests that are marked `program(name)`."""

import subprocess

from virtci.rehearsal.programs import path_of


def run(name: str, *arguments: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
    """What the program says, on stdout and stderr, to these arguments and to this text on stdin."""
    return subprocess.run([path_of(name), *arguments], input=text, capture_output=True, text=True, check=False)
