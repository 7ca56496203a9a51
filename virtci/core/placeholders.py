"""Values that only a rehearsal may use: they look like the real thing and belong to nobody."""

PLACEHOLDER_ID = "00000000-0000-0000-0000-"
PLACEHOLDER_WORD = "rehearsal"


def is_placeholder(value: str) -> bool:
    """Whether a value is one of the committed rehearsal values: an all-zero id or a name that says so."""
    return PLACEHOLDER_ID in value or PLACEHOLDER_WORD in value.lower()
