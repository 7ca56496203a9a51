"""The world of the pipeline, built once for all tests that run it."""

from collections.abc import Iterator

import pytest

from tests.pipeline.world import World, pipeline_world


@pytest.fixture(scope="session")
def built_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Four environments."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("virtci.rehearsal.clock.QUIET_SECONDS", 0.0005)
        with pipeline_world(tmp_path_factory.mktemp("world")) as world:
            yield world


@pytest.fixture
def world(built_world: World) -> World:
    """The same with everything on, and nothing left of an earlier test."""
    built_world.reset()
    return built_world
