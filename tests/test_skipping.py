"""A test whose programs cannot be had is skipped with their names and reasons, and no other."""

from collections.abc import Iterable

import pytest

from tests import conftest
from virtci.rehearsal.programs import Missing


@pytest.fixture(autouse=True)
def without_etcd(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(names: Iterable[str]) -> tuple[Missing, ...]:
        return tuple(Missing(name, "no Go") for name in names if name == "etcd")

    monkeypatch.setattr(conftest, "missing", missing)


@pytest.mark.parametrize("marker", [pytest.mark.cluster, pytest.mark.program("act", "etcd")])
def test_a_test_that_needs_a_missing_program_is_skipped(
    marker: pytest.MarkDecorator, request: pytest.FixtureRequest
) -> None:
    request.node.add_marker(marker)

    with pytest.raises(pytest.skip.Exception, match=r"^etcd is missing: no Go; run `make programs`$"):
        conftest.pytest_runtest_setup(request.node)


def test_a_test_that_needs_others_runs(request: pytest.FixtureRequest) -> None:
    request.node.add_marker(pytest.mark.program("act", "kwok"))

    conftest.pytest_runtest_setup(request.node)
