"""How commands that ask others end when they cannot: one sentence, and an exit code of its own."""

import argparse
import sys
from collections.abc import Callable

from virtci.core.problems import Refusal

NOT_ASKED = 3


def said(run: Callable[[argparse.Namespace], int]) -> Callable[[argparse.Namespace], int]:
    """The command, with a `Refusal` said in words instead of raised."""

    def saying(arguments: argparse.Namespace) -> int:
        try:
            return run(arguments)
        except Refusal as refusal:
            print(f"{refusal.rule}; {refusal.consequence}\nfix: {refusal.fix}", file=sys.stderr)
            return NOT_ASKED

    return saying
