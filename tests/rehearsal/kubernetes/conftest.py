"""Two clusters for all tests of a run; each test has a namespace of its own."""

from collections.abc import Iterator

import pytest

from tests.rehearsal.kubernetes.hands import APPEARED, CAPABLE, DOCUMENTS, INCAPABLE, SILENT, Hands
from virtci.rehearsal.kubernetes.server import Cluster, ControlPlane, Node, clusters


@pytest.fixture(scope="session")
def planes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, ControlPlane]]:
    wanted = [
        Cluster("one", (CAPABLE, INCAPABLE, SILENT), DOCUMENTS, APPEARED),
        Cluster("other", (Node("lonely", kernel="6.8.0", memory_mib=8_192, cpus=2),)),
    ]
    with clusters(wanted, tmp_path_factory.mktemp("clusters")) as found:
        yield found


@pytest.fixture
def hands(planes: dict[str, ControlPlane], request: pytest.FixtureRequest) -> Hands:
    """A namespace of the first cluster that is named after the test."""
    namespace = request.node.name.replace("_", "-")[:63].rstrip("-")
    hands = Hands(planes["one"], namespace)
    hands.kubectl("create", "namespace", namespace)
    hands.wait("serviceaccount/default", "create")
    return hands
