"""Pieces of GitHub's Markdown. What programs, clouds and stack files say is shown as code, so it cannot be markup."""

import re
from collections.abc import Iterable, Sequence

COMMENT_LIMIT = 65_536
"""Characters of a comment or an issue; GitHub answers a longer one with "body is too long" (REST API, 2026-09)."""
FENCES = re.compile("`+")
FOLDED = 10
"""Lists with more lines than this are folded."""


def code(text: str) -> str:
    """Text as code on one line, also inside of a table; an empty one as a hyphen."""
    line = " ".join(text.split()).replace("|", "\\|")
    if not line:
        return "-"
    fence = "`" * (_longest_fence(line) + 1)
    pad = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{pad}{line}{pad}{fence}"


def block(text: str) -> str:
    """Text as a block of code."""
    fence = "`" * max(3, _longest_fence(text) + 1)
    return f"{fence}text\n{text}\n{fence}"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; columns whose name begins with # hold numbers."""
    head = "| " + " | ".join(column.removeprefix("#") for column in columns) + " |"
    line = "|" + "|".join("--:" if column.startswith("#") else "---" for column in columns) + "|"
    return "\n".join([head, line, *("| " + " | ".join(row) + " |" for row in rows)])


def folded(title: str, content: str) -> str:
    """Content that a click opens."""
    return f"<details><summary>{title}</summary>\n\n{content}\n\n</details>"


def titled(title: str, content: str, lines: int) -> str:
    """Content below its title, folded where it is long."""
    return folded(title, content) if lines > FOLDED else f"**{title}**\n\n{content}"


def count(number: int, noun: str) -> str:
    """A number and its noun in the right form."""
    plural = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{number:,} {noun if number == 1 else plural}"


def _longest_fence(text: str) -> int:
    return max((len(match.group()) for match in FENCES.finditer(text)), default=0)
