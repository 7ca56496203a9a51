"""What every test can rely on: no credential of the machine is usable."""

import pytest

from virtci.rehearsal.engine import credentials


@pytest.fixture(autouse=True)
def no_cloud(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that a test does by mistake can reach a cloud."""
    for name, value in credentials().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PULUMI_ERROR_OUTPUT_STRING", "true")
