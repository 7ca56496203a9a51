"""A request that the contract has accepted, and its answer before it is written as HTTP."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from virtci.rehearsal.github.store import World

PER_PAGE, MOST_PER_PAGE = 30, 100


@dataclass(frozen=True, slots=True)
class Request:
    """A request that the contract has accepted."""

    path: Mapping[str, str]
    query: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer before it is written as HTTP."""

    status: int
    body: Any = None


Handler = Callable[[World, Request], Answer]


def page(items: Sequence[Any], query: Mapping[str, str], usual: int = PER_PAGE, most: int = MOST_PER_PAGE) -> list[Any]:
    """The part of a list that a request asks for."""
    size = min(int(query.get("per_page", usual)) or usual, most)
    start = (max(int(query.get("page", 1)), 1) - 1) * size
    return list(items[start : start + size])
