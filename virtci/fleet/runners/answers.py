"""What the clients of a cloud raise, in the terms of the launcher."""

from collections.abc import Iterator
from contextlib import contextmanager

from virtci.core.problems import Refusal
from virtci.core.runners.failures import Code, classified
from virtci.fleet.runners.ports import StartFailed, Unanswered
from virtci.fleet.troubles import CLIENTS, refusal_of, status_of

PASSING = (408, 429)
MISSING_RIGHTS = (401, 403)


@contextmanager
def answering(what: str) -> Iterator[None]:
    """Turns whatever a client raises inside the block into `Unanswered`, `StartFailed`, or `Refusal` for a missing right."""
    try:
        yield
    except Exception as error:
        ours = isinstance(error, Refusal | StartFailed)
        if ours or not (type(error).__module__.partition(".")[0] in CLIENTS or isinstance(error, OSError)):
            raise
        raise _translated(error, what) from None


def _translated(error: Exception, what: str) -> Exception:
    status, refusal = status_of(error), refusal_of(error, what)
    said = f"{what}: {refusal.consequence}"
    if status in MISSING_RIGHTS or (status is None and "this login" in refusal.rule):
        return refusal
    if status is None or status in PASSING or status >= 500:
        return Unanswered(Code.NETWORK, said)
    return StartFailed(classified(str(error)), said)
