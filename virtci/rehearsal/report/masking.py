"""Keeps secrets out of what people see: sealed values are masked, and free text is searched for what was sealed.

An exported state may hold a sealed value in the clear beside the mark, so nothing of a sealed value is ever shown.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from virtci.core.sealed import SEAL, SECRET, masked
from virtci.rehearsal.conductor import StackResult

__all__ = ["SECRET", "Scrub", "masked", "scrubber"]

SHORTEST = 8
"""Shorter texts are words of the language, and hiding them everywhere would make the page unreadable."""

Scrub = Callable[[str], str]


def scrubber(results: Iterable[StackResult]) -> Scrub:
    """A function that takes the sealed texts of a rehearsal out of any other text, such as an engine's message."""
    everything = list(results)
    state = [[item.get("inputs"), item.get("outputs")] for result in everything for item in result.resources]
    found = set(_sealed_lines([state, [result.outputs for result in everything]])) - _public_names(everything)
    if not found:
        return str
    pattern = re.compile("|".join(re.escape(text) for text in sorted(found, key=len, reverse=True)))
    return lambda text: pattern.sub(SECRET, text)


def _sealed_lines(value: Any) -> Iterator[str]:
    """Line by line, because a key inside a longer text stands there with other line ends."""
    if isinstance(value, Mapping):
        if SEAL in value:
            for text in _texts(_opened(value.get("plaintext"))):
                yield from (line.strip() for line in text.splitlines() if len(line.strip()) >= SHORTEST)
        else:
            for item in value.values():
                yield from _sealed_lines(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _sealed_lines(item)


def _opened(plaintext: object) -> Any:
    try:
        return json.loads(str(plaintext)) if plaintext is not None else None
    except ValueError:
        return plaintext


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, str):
        yield value


def _public_names(results: Iterable[StackResult]) -> set[str]:
    """Names of resources: an object that is sealed as a whole can hold them as well, and they are no secrets."""
    texts = (str(item.get(key) or "") for result in results for item in result.resources for key in ("urn", "id"))
    return {part for text in texts for part in re.split(r"[/:$]+", text)}
