"""The simulated fleet, for the commands that ask it."""

from tests.fleet.conftest import awake, fleet, plane

__all__ = ["awake", "fleet", "plane"]
