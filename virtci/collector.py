"""Keeps Python's garbage collector out of the way of a program that lives for seconds.

The provider SDKs make a million objects when they are imported, all of them for good. Collections among them cost a
fifth of a preview; the figures are in docs/performance.md.
"""

import gc

THRESHOLDS = (50_000, 10, 10)


def pause() -> None:
    """Before the imports: nothing is collected."""
    gc.disable()


def settle() -> None:
    """After the imports: what is there stays and is never looked at again; the rest is collected, less often."""
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
    gc.enable()
