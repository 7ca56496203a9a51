"""One lease server for all tests of a run; each test has pools of its own."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.fleet.runners.houses import PLACE_KEPT, BoskosHouse, EmbeddedHouse, House, boskos_house
from virtci.rehearsal.boskos import Boskos, boskos
from virtci.rehearsal.kubernetes.server import ControlPlane

BOSKOS = (pytest.mark.program("boskos"), pytest.mark.cluster)


@pytest.fixture(scope="session")
def lease_server(plane: ControlPlane) -> Iterator[Boskos]:
    """The real Boskos on the cluster of the tests."""
    with boskos(plane, {"none": ["none-01"]}, request_ttl=PLACE_KEPT) as server:
        yield server


@pytest.fixture
def house_of_boskos(lease_server: Boskos) -> Iterator[Callable[[int], BoskosHouse]]:
    """Makes pools of some units."""
    with ExitStack() as stack:
        yield lambda units: stack.enter_context(boskos_house(lease_server, units))


@pytest.fixture(params=["embedded", pytest.param("boskos", marks=BOSKOS)])
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[int], House]:
    """Makes a store whose pool has some units: every store passes the same tests."""
    if request.param == "boskos":
        made: Callable[[int], House] = request.getfixturevalue("house_of_boskos")
        return made
    return lambda units: EmbeddedHouse(tmp_path, tuple(f"slot-{index:02}" for index in range(1, units + 1)))
