"""Secret values as the engine writes them down: an object with a mark, sometimes with the value beside it."""

from collections.abc import Mapping
from typing import Any

SEAL = "4dabf18193072939515e22adb298388d"
"""The key under which the engine keeps what a special value is; here it means a secret."""
SECRET = "[secret]"  # noqa: S105  the word that stands for one


def masked(value: Any) -> Any:
    """The value with every sealed part replaced."""
    if isinstance(value, Mapping):
        return SECRET if SEAL in value else {key: masked(item) for key, item in value.items()}
    return [masked(item) for item in value] if isinstance(value, list | tuple) else value
