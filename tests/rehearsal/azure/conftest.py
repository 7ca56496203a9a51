"""The clouds that the tests start from."""

import pytest

from tests.rehearsal.azure.simulated import Cloud, build
from virtci.rehearsal import clock


@pytest.fixture(autouse=True)
def _hurried_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most tests have one caller; there is nobody to give a moment to."""
    monkeypatch.setattr(clock, "QUIET_SECONDS", 0.0005)


@pytest.fixture
def cloud() -> Cloud:
    return build()


@pytest.fixture
def ready(cloud: Cloud) -> Cloud:
    """A cloud with the group, a network and an interface."""
    cloud.group()
    cloud.network()
    cloud.interface()
    return cloud
