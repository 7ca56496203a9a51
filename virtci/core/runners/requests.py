"""What a workflow asks for: machines by cloud, with what its jobs need; and the record of each machine's life."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from virtci.core.problems import Refusal
from virtci.core.runners.clouds import Capability, Cloud, Serves
from virtci.core.runners.ladder import Rung
from virtci.core.runners.naming import Run, RunnerName

VERSION = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """One machine that a run asks for. `overflow`: another cloud will do where it has the capability."""

    name: RunnerName
    capability: Capability
    serves: Serves
    overflow: bool = True
    spot: bool = False


class Phase(StrEnum):
    """Where a machine's life stands."""

    REQUESTED = "requested"
    LEASED = "leased"
    CREATED = "created"
    PROBED = "probed"
    ONLINE = "online"
    KEPT = "kept"
    REVIVED = "revived"
    ENDED = "ended"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """One place that did not do: which, the code, what was said, when."""

    rung: str
    code: str
    said: str
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """Everything that is known of one machine; kept in the state account under its stack's name."""

    request: Request
    phase: Phase
    at: Mapping[str, datetime] = field(default_factory=dict)
    """When each phase was reached last."""
    rung: Rung | None = None
    slot: str = ""
    attempts: tuple[Attempt, ...] = ()
    keep_until: datetime | None = None
    why: str = ""
    """Why it waits, was kept or ended, in a sentence."""

    @property
    def stack(self) -> str:
        """The stack that declares the machine."""
        return self.request.name.stack

    def reached(self, phase: Phase, now: datetime, **more: Any) -> "Record":
        """The record after its next phase."""
        return replace(self, phase=phase, at={**self.at, phase.value: now}, **more)


OVER = (Phase.ENDED, Phase.FAILED)
"""The phases after which nothing is left of a machine."""


def key_of(stack: str) -> str:
    """Where the record of a machine is kept while something of it is there."""
    return f"runners/{stack}"


def key_of_ended(stack: str) -> str:
    """Where it is kept afterwards: apart, so that nobody reads a year of them to find the few that matter."""
    return f"ended/{stack}"


def to_document(record: Record) -> dict[str, Any]:
    """As plain values for JSON."""
    name, rung = record.request.name, record.rung
    return {
        "version": VERSION,
        "run": {
            "repository": name.run.repository,
            "workflow": name.run.workflow,
            "runNumber": name.run.run_number,
            "runId": name.run.run_id,
            "attempt": name.run.attempt,
        },
        "cloud": name.cloud.value,
        "number": name.slot,
        "again": name.again,
        "capability": record.request.capability.value,
        "serves": record.request.serves.value,
        "overflow": record.request.overflow,
        "spot": record.request.spot,
        "label": name.label,
        "phase": record.phase.value,
        "at": {phase: moment.isoformat() for phase, moment in record.at.items()},
        "rung": rung
        and {"cloud": rung.cloud, "region": rung.region, "zone": rung.zone, "type": rung.type, "spot": rung.spot},
        "slot": record.slot,
        "attempts": [
            {"rung": item.rung, "code": item.code, "said": item.said, "at": item.at.isoformat()}
            for item in record.attempts
        ],
        "keepUntil": record.keep_until.isoformat() if record.keep_until else None,
        "why": record.why,
    }


def from_document(document: Mapping[str, Any]) -> Record:
    """From plain values. Raises `Refusal` for a document of another version."""
    if document.get("version") != VERSION:
        raise Refusal(
            f"a runner's record has version {VERSION}, not {document.get('version')!r}",
            "what became of its machine cannot be told",
            "use the release of virtci that wrote it",
        )
    run, rung, kept = document["run"], document["rung"], document["keepUntil"]
    return Record(
        request=Request(
            name=RunnerName(
                run=Run(
                    repository=run["repository"],
                    workflow=run["workflow"],
                    run_number=run["runNumber"],
                    run_id=run["runId"],
                    attempt=run["attempt"],
                ),
                cloud=Cloud(document["cloud"]),
                slot=document["number"],
                again=document["again"],
            ),
            capability=Capability(document["capability"]),
            serves=Serves(document["serves"]),
            overflow=document["overflow"],
            spot=document["spot"],
        ),
        phase=Phase(document["phase"]),
        at={phase: datetime.fromisoformat(moment) for phase, moment in document["at"].items()},
        rung=rung and Rung(**{**rung, "cloud": Cloud(rung["cloud"])}),
        slot=document["slot"],
        attempts=tuple(
            Attempt(
                rung=item["rung"],
                code=item["code"],
                said=item["said"],
                at=datetime.fromisoformat(item["at"]),
            )
            for item in document["attempts"]
        ),
        keep_until=datetime.fromisoformat(kept) if kept else None,
        why=document["why"],
    )
