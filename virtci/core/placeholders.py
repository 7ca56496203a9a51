"""Values that only a rehearsal may use: they look like the real thing and belong to nobody."""

PLACEHOLDER_ID = "00000000-0000-0000-0000-"
PLACEHOLDER_CHECKSUM = "0" * 64
STAND_IN_CHECKSUMS = (
    "7dd2c680c27c57735165cb72865c49954922aa0e06ee7471d808d3ffb00f230a",
    "e157086b34a50157b240b80f99b5f66a325570486ed3e4f8ce0c52106f395b57",
)
"""Those of the k3s binary and install script that a rehearsal offers for download."""
PLACEHOLDER_WORD = "rehearsal"


def is_placeholder(value: str) -> bool:
    """Whether a value is one of the committed rehearsal values: an all-zero id or a name that says so."""
    return (
        PLACEHOLDER_ID in value
        or value in (PLACEHOLDER_CHECKSUM, *STAND_IN_CHECKSUMS)
        or PLACEHOLDER_WORD in value.lower()
    )
