"""What every test can rely on: no credential of the machine is usable, and the programs that it names are there."""

import pytest

from virtci.rehearsal.engine import credentials
from virtci.rehearsal.programs import CLUSTER, missing


def pytest_runtest_setup(item: pytest.Item) -> None:
    """A test whose programs cannot be had is skipped with the names and the reasons."""
    wanted = [str(name) for marker in item.iter_markers("program") for name in marker.args]
    if item.get_closest_marker("cluster"):
        wanted += [*CLUSTER, "kubectl"]
    lacking = missing(dict.fromkeys(wanted))
    if lacking:
        pytest.skip("; ".join(str(program) for program in lacking))


@pytest.fixture(autouse=True)
def no_cloud(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that a test does by mistake can reach a cloud."""
    for name, value in credentials().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PULUMI_ERROR_OUTPUT_STRING", "true")
