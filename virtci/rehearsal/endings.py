"""How a rehearsal can end."""

from enum import IntEnum


class Ending(IntEnum):
    """The ending of a stack and of a whole rehearsal; the exit code of `virtci rehearse`."""

    GOOD = 0
    REFUSED = 1
    BAD_SETTINGS = 2
    NOT_STABLE = 3
    CONTRACT_BROKEN = 4
    LEFT_BEHIND = 5
    NO_ENGINE = 6
    NO_SPACE = 7
    PIPELINE_RED = 8
    INVARIANT_BROKEN = 9
    INTERRUPTED = 130
