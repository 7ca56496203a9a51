"""Figures, their arithmetic, and the table that shows them."""

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

OPENING = "<!-- figures: written by `python -m tools.bench --write` -->"
CLOSING = "<!-- end of figures -->"
HEADINGS = ("group", "what", "target", "median", "best", "ratio", "verdict")
Samples = Sequence[float]


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table: derived once from the medians of what was measured, once from the smallest values."""

    group: str
    name: str
    unit: str
    median: float
    best: float
    runs: int
    target: float | None = None
    ratio: float | None = None
    against: str = ""

    @property
    def verdict(self) -> str:
        """Whether the median keeps to the target; nothing where there is none, no praise for what cannot be."""
        if self.target is None:
            return ""
        if not self.median > 0:
            return "noise"
        return "good" if self.median <= self.target else "misses"

    @property
    def row(self) -> tuple[str, ...]:
        """The cells of the table."""
        return (
            self.group,
            self.name,
            "" if self.target is None else f"≤ {self.target:.3g} {self.unit}".rstrip(),
            f"{self.median:.3g} {self.unit}".rstrip(),
            f"{self.best:.3g}",
            "" if self.ratio is None else f"{self.ratio:.3g} of {self.against}",
            self.verdict,
        )


def figure(
    line: tuple[str, str, str],
    derive: Callable[..., float],
    *samples: Samples,
    target: float | None = None,
    against: tuple[Figure, str] | None = None,
) -> Figure:
    """A figure (group, name, unit) derived from samples, perhaps set against another."""
    median = derive(*(statistics.median(values) for values in samples))
    best = derive(*(min(values) for values in samples))
    runs = min(len(values) for values in samples)
    other, label = against or (None, "")
    return Figure(*line, median, best, runs, target, ratio(median, other.median) if other else None, label)


def ratio(value: float, other: float) -> float | None:
    """How many times `other` a value is; nothing where noise has made one of them meaningless."""
    return value / other if value > 0 and other > 0 else None


def itself(value: float) -> float:
    """A figure that is measured as it is."""
    return value


def beyond(fixed: float, value: float) -> float:
    """What is left of a value without its fixed part."""
    return value - fixed


def marginal_ms(small: int, large: int) -> Callable[[float, float], float]:
    """Milliseconds that one more thing costs, from the seconds for a small and a large number of them."""
    return lambda few, many: (many - few) / (large - small) * 1000


def exponent(small: int, large: int) -> Callable[[float, float, float], float]:
    """Slope in a log-log plot of time without its fixed part: 1 is linear, 2 is quadratic."""

    def derive(fixed: float, few: float, many: float) -> float:
        if min(few, many) <= fixed:
            return math.nan
        return math.log((many - fixed) / (few - fixed)) / math.log(large / small)

    return derive


def markdown(figures: Sequence[Figure]) -> str:
    """The figures as a table of Markdown."""
    rows = (HEADINGS, ("---",) * len(HEADINGS), *(item.row for item in figures))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def rewrite(document: str, content: str) -> str:
    """The document with the content between its markers."""
    before, opening, rest = document.partition(OPENING)
    _, closing, after = rest.partition(CLOSING)
    if not closing:
        message = f"the document has no `{OPENING}` followed by `{CLOSING}`"
        raise ValueError(message)
    return f"{before}{opening}\n\n{content}\n\n{closing}{after}"
