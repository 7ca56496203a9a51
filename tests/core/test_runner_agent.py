"""Which agents GitHub registers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtci.core.problems import Refusal
from virtci.core.runner_agent import MINIMUM, require_agent

numbers = st.integers(min_value=0, max_value=999)


@given(st.tuples(numbers, numbers, numbers))
def test_an_agent_is_taken_exactly_when_it_is_as_new_as_the_minimum(version: tuple[int, int, int]) -> None:
    try:
        require_agent(".".join(map(str, version)))
    except Refusal:
        assert version < MINIMUM
    else:
        assert version >= MINIMUM


@pytest.mark.parametrize("version", ["2.329", "2.329.0.1", "v2.336.0", "latest", "", "2.336.x"])
def test_what_is_no_version_is_refused(version: str) -> None:
    with pytest.raises(Refusal) as refusal:
        require_agent(version)
    assert repr(version) in refusal.value.rule
    assert refusal.value.fix
