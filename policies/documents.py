"""Policy documents of AWS, as the rules read them."""

import json
from collections.abc import Mapping
from typing import Any

Statement = Mapping[str, Any]


def statements(text: Any) -> list[Statement] | None:
    """The statements of a document; nothing where it is not known or is none."""
    try:
        content = json.loads(text) if isinstance(text, str) else text
    except ValueError:
        return None
    found = content.get("Statement") if isinstance(content, Mapping) else None
    items = [found] if isinstance(found, Mapping) else found
    return [item for item in items if isinstance(item, Mapping)] if isinstance(items, list) and items else None


def listed(value: Any) -> list[str]:
    """A value that can be one text or several, as several."""
    return [value] if isinstance(value, str) else [str(item) for item in value or ()]
