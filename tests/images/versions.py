"""Versions of an image, for tests that need some."""

from datetime import UTC, datetime

from hypothesis import strategies as st

from virtci.core.runners.images import ImageVersion, State, Version

MADE = datetime(2026, 11, 1, tzinfo=UTC)
versions = st.builds(Version, st.integers(2020, 2030), st.integers(1, 12), st.integers(1, 40))


def version(text: str, state: State = State.OFFERED, *, ready: bool = True, **parts: str) -> ImageVersion:
    return ImageVersion(
        version=Version.parse(text), state=state, made=MADE, ready=ready, ids=(f"id/{text}",), parts=parts
    )


images = st.lists(
    st.builds(
        lambda number, state, ready: version(str(number), state, ready=ready and state is not State.FAILED),
        versions,
        st.sampled_from(State),
        st.booleans(),
    ),
    unique_by=lambda item: item.version,
    max_size=12,
)


def names(found: list[ImageVersion]) -> list[str]:
    return [str(item.version) for item in found]
