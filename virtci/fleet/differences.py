"""Which properties of a resource differ, down to single values, as short texts for people."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from virtci.core.inventory import UNKNOWN
from virtci.core.sealed import SECRET

ABSENT = object()
"""Stands for a value that is not there."""
WORDS = {id(ABSENT): "(absent)", id(UNKNOWN): "(known after the deployment)"}
LONGEST = 80
"""Longer values are cut: a table in a comment is for reading."""
PART = re.compile(r'\["(?P<quoted>(?:[^"\\]|\\.)*)"\]|\[(?P<index>\d+)\]|(?P<plain>[^.\[\]]+)')


@dataclass(frozen=True, slots=True)
class Difference:
    """One property with its value before and after."""

    path: str
    before: str
    after: str


def differences(
    before: Mapping[str, Any] | None, after: Mapping[str, Any] | None, paths: Sequence[str]
) -> list[Difference]:
    """What differs below the paths that the engine names; a secret that differs is named and not shown."""
    found: list[Difference] = []
    for path in paths:
        old, new = value_at(before, path), value_at(after, path)
        found += list(_below(path, old, new)) or [Difference(path, shown(old), shown(new))]
    return found


def value_at(values: Any, path: str) -> Any:
    """The value at a path in the engine's notation, `ABSENT` where there is none; inside of a secret, the secret."""
    value = ABSENT if values is None else values
    for match in PART.finditer(path):
        if value in (SECRET, UNKNOWN):
            return value
        if match["index"] is not None:
            index = int(match["index"])
            value = value[index] if isinstance(value, list) and index < len(value) else ABSENT
        else:
            key = match["plain"] if match["quoted"] is None else match["quoted"]
            value = value.get(key, ABSENT) if isinstance(value, Mapping) else ABSENT
    return value


def shown(value: Any) -> str:
    """A value on one line, cut where it is long."""
    if word := WORDS.get(id(value)):
        return word
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=_unknown)
    line = " ".join(text.split())
    if len(line) <= LONGEST:
        return line
    # What an ARM id names stands at its end.
    return f"…{line[-LONGEST:]}" if line.startswith("/") else f"{line[:LONGEST]}… ({len(line):,} characters)"


def _unknown(value: Any) -> str:
    return WORDS.get(id(value), "")


def _below(path: str, old: Any, new: Any) -> Iterator[Difference]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted(old.keys() | new.keys()):
            yield from _below(f"{path}.{key}", old.get(key, ABSENT), new.get(key, ABSENT))
    elif isinstance(old, list) and isinstance(new, list):
        yield from _items(path, old, new)
    elif old is not new and old != new:
        yield Difference(path, shown(old), shown(new))


def _items(path: str, old: list[Any], new: list[Any]) -> Iterator[Difference]:
    """Items are matched by their name where all have one of their own, by position where the lists are as long."""
    named_old, named_new = _by_name(old), _by_name(new)
    if named_old is not None and named_new is not None:
        for name in dict.fromkeys((*named_old, *named_new)):
            yield from _below(f"{path}[{name}]", named_old.get(name, ABSENT), named_new.get(name, ABSENT))
    elif len(old) == len(new):
        for index, (before, after) in enumerate(zip(old, new, strict=True)):
            yield from _below(f"{path}[{index}]", before, after)
    elif old != new:
        gone, come = ([item for item in these if item not in those] for these, those in ((old, new), (new, old)))
        # Where only the number of equal items differs, neither is left over.
        yield Difference(path, shown(gone), shown(come)) if gone or come else Difference(path, shown(old), shown(new))


def _by_name(items: list[Any]) -> dict[str, Any] | None:
    names = [item.get("name") if isinstance(item, Mapping) else None for item in items]
    known = all(isinstance(name, str) for name in names) and len(set(names)) == len(names)
    return dict(zip(map(str, names), items, strict=True)) if known else None
