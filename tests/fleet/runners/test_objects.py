"""Objects that several write: no change is lost, and whoever lost a race leaves the others some time."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from virtci.core.problems import Refusal
from virtci.fleet.runners.objects import ATTEMPTS, Document, FileObjects, LostRace, Versioned, update
from virtci.fleet.waiting import Backoff


@dataclass
class Rivals:
    """Somebody is quicker the first times."""

    objects: FileObjects
    times: int
    pauses: list[float] = field(default_factory=list)

    @property
    def backoff(self) -> Backoff:
        return Backoff(self.pauses.append, lambda _, most: most)

    def read(self, key: str) -> Versioned | None:
        return self.objects.read(key)

    def write(self, key: str, document: Mapping[str, Any], version: str | None) -> None:
        if self.times:
            self.times -= 1
            update(self.objects, key, counted)
            raise LostRace(key)
        self.objects.write(key, document, version)

    def delete(self, key: str) -> None:
        self.objects.delete(key)

    def keys(self, prefix: str = "") -> list[str]:
        return self.objects.keys(prefix)


def counted(document: Document | None) -> tuple[Document | None, int]:
    count = (document or {"count": 0})["count"] + 1
    return {"count": count}, count


@pytest.fixture
def rivals(tmp_path: Path) -> Callable[[int], Rivals]:
    return lambda times: Rivals(FileObjects(tmp_path), times)


def test_a_lost_race_is_run_again_on_what_the_other_wrote(rivals: Callable[[int], Rivals]) -> None:
    assert update(rivals(3), "one", counted) == 4


def test_pauses_between_tries_get_longer_up_to_a_limit(rivals: Callable[[int], Rivals]) -> None:
    found = rivals(8)

    update(found, "one", counted)

    assert found.pauses == [0.05, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0, 1.0]


def test_who_wins_at_once_waits_for_nothing(rivals: Callable[[int], Rivals]) -> None:
    found = rivals(0)

    update(found, "one", counted)

    assert found.pauses == []


def test_who_never_wins_is_told_so_in_the_end(rivals: Callable[[int], Rivals]) -> None:
    found = rivals(ATTEMPTS)

    with pytest.raises(Refusal, match="one can be written"):
        update(found, "one", counted)

    assert len(found.pauses) == ATTEMPTS - 1


def test_a_pause_is_drawn_between_nothing_and_the_limit() -> None:
    pauses: list[float] = []

    for _ in range(200):
        Backoff(pauses.append).pause(20)

    assert 0 <= min(pauses) < max(pauses) <= 1.0
    assert len(set(pauses)) > 100, "rivals part only when each draws another pause"
