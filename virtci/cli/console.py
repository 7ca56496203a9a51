"""Where tables for people are printed."""

import sys

from rich.console import Console

WIDTH = 110
"""Tables are this wide at most, so that they read the same in a terminal, in a log and in a mail."""
console = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else WIDTH)
