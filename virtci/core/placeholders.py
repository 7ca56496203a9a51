"""Values that only a rehearsal may use: they look like the real thing and belong to nobody."""

PLACEHOLDER_ID = "00000000-0000-0000-0000-"
PLACEHOLDER_CHECKSUM = "0" * 64
PLACEHOLDER_ACCOUNT = "0" * 12
STAND_IN_CHECKSUMS = (
    "7dd2c680c27c57735165cb72865c49954922aa0e06ee7471d808d3ffb00f230a",
    "e157086b34a50157b240b80f99b5f66a325570486ed3e4f8ce0c52106f395b57",
    "0ecb7f49f8ba6e2c6f2f6cdab2fcba8124c60731e68b17ab0dd0b62469478aef",
)
"""Those of what a rehearsal offers for download: binary and install script of k3s, and the agent that the hub pins."""
PLACEHOLDER_WORD = "rehearsal"


def is_placeholder(value: str) -> bool:
    """Whether a value is one of the committed rehearsal values: an all-zero id or a name that says so."""
    return (
        PLACEHOLDER_ID in value
        or value in (PLACEHOLDER_CHECKSUM, PLACEHOLDER_ACCOUNT, *STAND_IN_CHECKSUMS)
        or PLACEHOLDER_WORD in value.lower()
    )
