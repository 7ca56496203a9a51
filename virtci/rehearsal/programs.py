"""The real programs that rehearsals and tests start, and why one of them is not here.

`tools/engine/programs.py` (`make programs`) brings them into `.engine/bin` and writes down what it could not have.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from virtci.places import ENGINE

CLUSTER = ("kube-apiserver", "etcd", "kube-controller-manager", "kube-scheduler", "kwok")
"""What a rehearsed cluster consists of (`virtci.rehearsal.kubernetes.server`)."""
FIX = "run `make programs`"


@dataclass(frozen=True, slots=True)
class Missing:
    """A program that is not here; the text is fit to be the reason of a skipped test or stage."""

    name: str
    reason: str

    def __str__(self) -> str:
        return f"{self.name} is missing: {self.reason}; {FIX}"


def program(name: str, engine: Path = ENGINE) -> Path | Missing:
    """The path of a program, or why there is none. A name that nobody brings is missing, too."""
    try:
        record = json.loads((engine / "programs.json").read_text())
    except (FileNotFoundError, ValueError):
        record = {}
    path = engine / "bin" / name
    reason = record.get(name, {}).get("missing", "it was not brought here")
    if reason:
        return Missing(name, reason)
    return path if path.exists() else Missing(name, f"{path} is gone")


def missing(names: Iterable[str], engine: Path = ENGINE) -> tuple[Missing, ...]:
    """Those of the programs that are not here."""
    found = (program(name, engine) for name in names)
    return tuple(answer for answer in found if isinstance(answer, Missing))


def path_of(name: str, engine: Path = ENGINE) -> Path:
    """The path of a program for those who cannot go on without it; raises `MissingError` with the reason."""
    found = program(name, engine)
    if isinstance(found, Missing):
        raise MissingError(found)
    return found


class MissingError(Exception):
    """A program that was needed is not here."""

    def __init__(self, missing: Missing) -> None:
        self.missing = missing
        super().__init__(str(missing))
