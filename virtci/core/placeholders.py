"""Values that only a rehearsal may use: they look like the real thing and belong to nobody."""

PLACEHOLDER_ID = "00000000-0000-0000-0000-"
PLACEHOLDER_CHECKSUM = "0" * 64
PLACEHOLDER_ACCOUNT = "0" * 12
STAND_IN_CHECKSUMS = (
    "7dd2c680c27c57735165cb72865c49954922aa0e06ee7471d808d3ffb00f230a",
    "e157086b34a50157b240b80f99b5f66a325570486ed3e4f8ce0c52106f395b57",
    "498ab9ac0d715029c014695e0e01041210a4cdd2b01056d6344b1c3afd405e32",
)
"""Those of what a rehearsal offers for download: binary and install script of k3s, and the agent that stack files pin."""
PLACEHOLDER_WORD = "rehearsal"


def is_placeholder(value: str) -> bool:
    """Whether a value is one of the committed rehearsal values: an all-zero id or a name that says so."""
    return (
        PLACEHOLDER_ID in value
        or value in (PLACEHOLDER_CHECKSUM, PLACEHOLDER_ACCOUNT, *STAND_IN_CHECKSUMS)
        or PLACEHOLDER_WORD in value.lower()
    )
