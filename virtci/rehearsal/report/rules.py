"""The rules of the policy pack, so that the page can name those that found nothing."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from virtci.places import POLICIES

DEFAULT_LEVEL = "mandatory"
"""The level that the pack gives to rules that name none."""
ALL = "all"
"""The key of a configuration that stands for all rules without one of their own."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule as its author describes it."""

    name: str
    description: str
    level: str = DEFAULT_LEVEL


def pack_rules() -> list[Rule]:
    """The rules of the pack; none where it cannot be loaded, because a report must not fail for want of a legend."""
    try:
        from policies.registry import policies

        return [Rule(item.name, item.description, _level(item)) for item in policies()]
    except Exception:
        return []


def configured(stack: str, folder: Path = POLICIES) -> dict[str, str]:
    """The rules that a stack's configuration names, with the level that it gives them, or an empty text."""
    try:
        content = json.loads((folder / "config" / f"{stack}.json").read_text())
    except (OSError, ValueError):
        return {}
    return {name: _configured_level(item) for name, item in content.items()}


def all_rules(known: Iterable[Rule], stacks: Sequence[str], spoken: Iterable[tuple[str, str]]) -> list[Rule]:
    """The rules of the pack, those that only a configuration names, and those that spoke, each once."""
    rules = {rule.name: rule for rule in known}
    named = [pair for stack in stacks for pair in configured(stack).items() if pair[0] != ALL]
    for name, level in (*named, *spoken):
        rules.setdefault(name, Rule(name, "", level or DEFAULT_LEVEL))
    return sorted(rules.values(), key=lambda rule: rule.name)


def levels(rule: Rule, stacks: Sequence[str]) -> str:
    """The level of a rule; where stacks give it different ones, all of them."""
    found = []
    for stack in stacks:
        configuration = configured(stack)
        found.append(configuration.get(rule.name) or configuration.get(ALL) or rule.level)
    return " / ".join(dict.fromkeys(found)) or rule.level


def _level(policy: Any) -> str:
    level = getattr(policy, "enforcement_level", None)
    return str(getattr(level, "value", level) or DEFAULT_LEVEL)


def _configured_level(item: Any) -> str:
    if isinstance(item, dict):
        return str(item.get("enforcementLevel") or "")
    return item if isinstance(item, str) else ""
