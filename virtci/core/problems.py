"""A problem with what somebody wrote, in the five parts that every error of this project has."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

SHOWN_OPTIONS = 20


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: where, what stands there, which rule it breaks, what would follow, what to do."""

    key: str
    value: object
    rule: str
    consequence: str
    fix: str

    def __str__(self) -> str:
        shown = "(absent)" if self.value is None else repr(self.value)
        return (
            f"{self.key} = {shown}\n"
            f"     rule:        {self.rule}\n"
            f"     consequence: {self.consequence}\n"
            f"     fix:         {self.fix}"
        )


class Refusal(ValueError):
    """Raised by a check of a single value; the reader of the settings adds the key and the value."""

    def __init__(self, rule: str, consequence: str, fix: str) -> None:
        super().__init__(rule)
        self.rule = rule
        self.consequence = consequence
        self.fix = fix


class ProblemsError(Exception):
    """Everything that is wrong, in one message."""

    def __init__(self, subject: str, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        count = len(self.problems)
        lines = [f"{subject}: {count} problem{'s' if count != 1 else ''}; nothing was changed."]
        lines += [f"\n  {number}. {problem}" for number, problem in enumerate(self.problems, 1)]
        super().__init__("\n".join(lines))


def nearest(word: str, right: Iterable[str]) -> str:
    """A hint at the right spelling: the closest one, or the list when none is close."""
    options = sorted(right)
    close = get_close_matches(word, options, n=1, cutoff=0.6)
    if close:
        return f"did you mean `{close[0]}`?"
    return "one of: " + ", ".join(options[:SHOWN_OPTIONS]) + (", …" if len(options) > SHOWN_OPTIONS else "")
