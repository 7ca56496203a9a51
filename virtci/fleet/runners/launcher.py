"""Everything that the life of a runner stands on, handed to each of its stages as one value."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from virtci.core.runners import requests
from virtci.core.runners.clouds import Cloud
from virtci.core.runners.ladder import Place
from virtci.core.runners.leases import LeaseStore
from virtci.core.runners.naming import Run, stack_of
from virtci.core.runners.requests import OVER, Phase, Record, key_of, key_of_ended
from virtci.core.tags import TagSet
from virtci.fleet.runners.objects import Document, Objects, update
from virtci.fleet.runners.ports import Actions, Limits, RunnerCloud, Stacks
from virtci.fleet.waiting import Pace

Observe = Callable[[str, str], None]
"""Told of what a sentence is about, and the sentence."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rules:
    """What the stack of the runners says about their life."""

    tags: TagSet
    labels: tuple[str, ...]
    keys: tuple[str, ...]
    agent: Mapping[str, str]
    places: Mapping[Cloud, tuple[Place, ...]]
    retention_days: int
    maximum: timedelta
    daily_budget_usd: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Launcher:
    """The clouds, GitHub, Pulumi, the leases and the records; and the clock of it all."""

    rules: Rules
    clouds: Mapping[Cloud, RunnerCloud]
    github: Actions
    stacks: Stacks
    leases: LeaseStore
    objects: Objects
    pace: Pace
    limits: Limits
    observe: Observe

    def record(self, stack: str) -> Record | None:
        """What is known of a machine, also of one that is gone."""
        seen = self.objects.read(key_of(stack)) or self.objects.read(key_of_ended(stack))
        return requests.from_document(seen.document) if seen else None

    def records(self, prefix: str = "") -> list[Record]:
        """The machines of which something is there, those whose stack begins so."""
        return self._read(f"runners/{prefix}")

    def records_under(self, label: str) -> list[Record]:
        """All machines that ever were under a label, the first one first."""
        first = stack_of(label)
        found = [*self._read(f"runners/{first}"), *self._read(f"ended/{first}")]
        mine = {record.stack: record for record in found if record.request.name.label == label}
        return sorted(mine.values(), key=lambda record: record.request.name.again)

    def records_of_run(self, run_id: int) -> list[Record]:
        """Every machine that a run ever had, by its stack; those that are gone too."""
        folders = [f"{folder}/run-{cloud}-{run_id}-" for folder in ("ended", "runners") for cloud in Cloud]
        found = {record.stack: record for folder in folders for record in self._read(folder)}
        return [found[stack] for stack in sorted(found)]

    def has_ended(self, run: Run) -> bool:
        """Whether machines of a run were there once."""
        return any(self.objects.keys(f"ended/run-{cloud}-{run.run_id}-") for cloud in Cloud)

    def reached(self, stack: str, phase: Phase, **more: Any) -> Record:
        """Writes the next phase of a machine into its record; with the last one it is put aside."""

        def change(document: Document | None) -> tuple[Document | None, Record]:
            if document is None:
                raise KeyError(stack)
            record = requests.from_document(document).reached(phase, self.pace.now(), **more)
            return requests.to_document(record), record

        key = key_of(stack) if self.objects.read(key_of(stack)) else key_of_ended(stack)
        record = update(self.objects, key, change)
        if phase in OVER and key == key_of(stack):
            self._put_aside(record)
        return record

    def _put_aside(self, record: Record) -> None:
        update(self.objects, key_of_ended(record.stack), lambda _: (requests.to_document(record), None))
        self.objects.delete(key_of(record.stack))

    def _read(self, prefix: str) -> list[Record]:
        found = (self.objects.read(key) for key in self.objects.keys(prefix))
        return [requests.from_document(item.document) for item in found if item]
