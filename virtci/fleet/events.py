"""What one operation of the engine did, read from its event log.

`pulumi preview --event-log FILE` writes an event a line (an option for debugging: `PULUMI_DEBUG_COMMANDS=true`). In the
events of resources the engine itself masks secrets. The same file also holds what the SDK says for debugging, with
secrets in plain text: nothing of that is read here, and the file must not leave the machine that wrote it.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from virtci.core.inventory import UNKNOWN, Resource, plain_kind
from virtci.core.problems import Refusal
from virtci.core.sealed import masked

UNKNOWN_TEXT = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""How the engine writes a value that is known only after the deployment (pulumi/pulumi, resource/stack/deployment.go)."""
REFRESH = "refresh"
UNCHANGING = ("same", "read", REFRESH)
MANDATORY = "mandatory"
COLOURS = re.compile(r"<\{%[^%]*%\}>")
KEYS = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL)

Inputs = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Step:
    """What the operation does to one resource: `create`, `update`, `replace`, `delete`, `import` or `same`.

    `before` and `after` are inputs without secrets; absent where the resource was not, or will not be. `paths` are
    the properties that differ, in the engine's notation; `forcing` those of them that a replacement is for.
    """

    urn: str
    kind: str
    operation: str
    before: Inputs | None
    after: Inputs | None
    paths: tuple[str, ...] = ()
    forcing: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The logical name."""
        return self.urn.rsplit("::", 1)[-1]

    @property
    def changes(self) -> bool:
        """Whether the resource is not left as it is."""
        return self.operation not in UNCHANGING


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a policy says about one resource, or about the whole stack."""

    policy: str
    level: str
    urn: str
    message: str


@dataclass(slots=True)
class Log:
    """One operation: its steps by URN, what a refresh found different, verdicts and complaints.

    `found_changed` are the URNs of resources that are not in the cloud as the state says; `ended` whether the log has
    an end, `succeeded` whether that was a good one.
    """

    steps: dict[str, Step] = field(default_factory=dict)
    found_changed: set[str] = field(default_factory=set)
    verdicts: list[Verdict] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    ended: bool = False
    succeeded: bool = False

    @property
    def complete(self) -> bool:
        """Whether every resource was looked at: the program ran to its end, and no provider refused."""
        return self.ended and not self.errors

    def resources(self, *, after: bool) -> list[Resource]:
        """What the stack declares of the clouds, before or after the operation."""
        found = ((step, step.after if after else step.before) for step in self.steps.values())
        return [
            Resource(step.name, plain_kind(step.kind), inputs)
            for step, inputs in found
            if inputs is not None and not step.kind.startswith("pulumi:")
        ]


def read_log(path: Path) -> Log:
    """Reads an event log. Raises `Refusal` where there is none, or a line is not an event."""
    log = Log()
    try:
        # A line separator inside of a text is no end of a line.
        for line in path.read_text(encoding="utf-8").split("\n"):
            if line:
                _take(log, _event(line))
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise Refusal(
            f"{path.name} is an event log of the engine: {type(error).__name__} {error}",
            "nobody could say what the operation would do",
            "run the engine with PULUMI_DEBUG_COMMANDS=true and --event-log; read its own output when it left none",
        ) from error
    log.errors = [text for text in log.errors if text not in ("preview failed", "update failed")]
    return log


def _event(line: str) -> dict[str, Any]:
    event = json.loads(line)
    if not isinstance(event, dict):
        raise TypeError("a line is not an object")
    return event


def _take(log: Log, event: Mapping[str, Any]) -> None:
    if "resourcePreEvent" in event:
        _take_step(log, event["resourcePreEvent"]["metadata"])
    elif "resOutputsEvent" in event:
        metadata = event["resOutputsEvent"]["metadata"]
        if metadata["op"] == REFRESH and (not metadata.get("new") or metadata.get("detailedDiff")):
            log.found_changed.add(metadata["urn"])
    elif "policyEvent" in event:
        found = event["policyEvent"]
        log.verdicts.append(
            Verdict(
                found["policyName"], found["enforcementLevel"], found.get("resourceUrn", ""), _own(found["message"])
            )
        )
    elif "diagnosticEvent" in event:
        found = event["diagnosticEvent"]
        kept = {"error": log.errors, "warning": log.warnings}.get(found["severity"])
        text = plain_text(found["message"])
        if kept is not None and text not in kept:
            kept.append(text)
    elif "summaryEvent" in event:
        log.ended = True
        log.succeeded = event["summaryEvent"].get("result") == "succeeded"


def _take_step(log: Log, metadata: Mapping[str, Any]) -> None:
    """Of the three steps of a replacement, the one that says why stays; components are no resources of a cloud."""
    if not (metadata.get("new") or metadata.get("old") or {}).get("custom"):
        return
    operation = "replace" if "replace" in metadata["op"] else metadata["op"]
    known = log.steps.get(metadata["urn"])
    before, after = _inputs(metadata.get("old")), _inputs(metadata.get("new"))
    paths = tuple(_paths(metadata) or (_differing(before, after) if operation == "update" else ()))
    if operation == REFRESH or (operation == "replace" and known and known.operation == "replace" and not paths):
        return
    log.steps[metadata["urn"]] = Step(
        urn=metadata["urn"],
        kind=metadata["type"],
        operation=operation,
        before=before,
        after=None if operation == "delete" else after or {},
        paths=paths,
        forcing=tuple(_forcing(metadata)),
    )


def _paths(metadata: Mapping[str, Any]) -> list[str]:
    return sorted(metadata.get("detailedDiff") or metadata.get("diffs") or metadata.get("keys") or ())


def _differing(before: Inputs | None, after: Inputs | None) -> list[str]:
    """The properties that differ, where a provider names none."""
    old, new = before or {}, after or {}
    return sorted(key for key in old.keys() | new.keys() if old.get(key) != new.get(key))


def _forcing(metadata: Mapping[str, Any]) -> Iterator[str]:
    detailed = metadata.get("detailedDiff") or {}
    yield from sorted(path for path, found in detailed.items() if found["diffKind"].endswith("-replace"))
    if not detailed:
        yield from sorted(metadata.get("keys") or ())


def _inputs(state: Mapping[str, Any] | None) -> Inputs | None:
    return None if state is None else _known(masked(state.get("inputs") or {}))


def _known(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _known(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_known(item) for item in value]
    return UNKNOWN if value == UNKNOWN_TEXT else value


def _own(message: str) -> str:
    """A verdict's own words; the engine puts the policy's description on a line before them."""
    first, _, rest = plain_text(message).partition("\n")
    return rest or first


def plain_text(message: str) -> str:
    """A message without colours, and without a private key should one have got into it."""
    return KEYS.sub("[secret]", COLOURS.sub("", message)).strip()
