"""What in the clouds is not as declared, found by a preview that reads every resource first.

A resource has drifted when reading it brought something new, and a deployment of the same program would change it back.
So a value that the program leaves to others (ignored changes, what the service fills in) is no drift, and neither is a
change that is merged but not deployed. What nobody declared is not seen at all.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import Field

from virtci.core.inventory import short_kind
from virtci.fleet.comments import Repository
from virtci.fleet.differences import Difference, differences
from virtci.fleet.events import Log, Step
from virtci.fleet.markdown import COMMENT_LIMIT, block, code, count, table
from virtci.fleet.review import NO_END, NO_REASON, Part

MARKER = "<!-- virt-ci:drift -->"
LABEL = "infrastructure-drift"
TITLE = "Infrastructure is not as declared"
ENTRIES = (10_000, 200, 50, 10)
ERROR = 2_000
ROOM = 100
"""Characters for a marker."""
SECTIONS = {
    "drifted": "Changed outside of the program; the next deployment changes it back.",
    "pending": "Merged and not deployed, or changed by the last deployment only in part.",
}


class Entry(Part):
    """A property of a resource that is not as declared; without a property, the resource is gone."""

    resource: str
    kind: str
    path: str
    declared: str
    found: str


class Drift(Part):
    """What one stack's check found."""

    version: Literal[1] = 1
    stack: str
    drifted: tuple[Entry, ...] = Field(description="Changed outside of the program.")
    pending: tuple[str, ...] = Field(description="Resources that the program would change without any drift.")
    errors: tuple[str, ...] = Field(description="Why the check says nothing.")


def drift_of(stack: str, log: Log) -> Drift:
    """What `pulumi preview --refresh` found in a stack. A check that failed says nothing, and why."""
    errors = tuple(log.errors)
    if not errors and not log.succeeded:
        errors = (NO_REASON if log.ended else NO_END,)
    changing = [step for step in log.steps.values() if step.changes and not step.kind.startswith("pulumi:")]
    changing = [] if errors else sorted(changing, key=lambda step: (step.kind, step.name))
    return Drift(
        stack=stack,
        drifted=tuple(entry for step in changing if step.urn in log.found_changed for entry in _entries(step)),
        pending=tuple(step.name for step in changing if step.urn not in log.found_changed),
        errors=errors,
    )


def _entries(step: Step) -> list[Entry]:
    kind = short_kind(step.kind)
    if step.before is None:
        return [Entry(resource=step.name, kind=kind, path="", declared="exists", found="gone")]
    found = differences(step.before, step.after, step.paths) or [Difference("", "something else", "as in the program")]
    return [
        Entry(resource=step.name, kind=kind, path=item.path, declared=item.after, found=item.before) for item in found
    ]


def report(drifts: Mapping[str, Drift | None], run: str) -> str:
    """The text of the issue, as long as fits; a stack without a result was not checked."""
    for most in ENTRIES:
        text = "\n\n".join([_introduction(run), *(stack_text(name, drift, most) for name, drift in drifts.items())])
        if len(text) <= COMMENT_LIMIT - ROOM:
            return text
    return _introduction(run)


def unchecked(drifts: Mapping[str, Drift | None]) -> list[str]:
    """The stacks of which nothing is known."""
    return [name for name, drift in drifts.items() if drift is None or drift.errors]


def keep_issue(repository: Repository, drifts: Mapping[str, Drift | None], run: str) -> str:
    """Opens, updates or closes the one issue, and says what it did.

    Without drift the issue is closed, unless a stack was not checked: then it stays as the last full check left it.
    """
    issue = repository.find_issue(MARKER, LABEL)
    if any(drift and drift.drifted for drift in drifts.values()):
        text = report(drifts, run)
        if issue is None:
            return f"drift: opened {repository.open_issue(MARKER, LABEL, TITLE, text)}"
        return f"drift: updated {repository.update_issue(issue, MARKER, TITLE, text)}"
    if unknown := unchecked(drifts):
        return f"not checked: {', '.join(unknown)}; no issue was opened or closed"
    if issue is None:
        return "no drift"
    return f"no drift: closed {repository.close_issue(issue, f'Everything is as declared again ([run]({run})).')}"


def _introduction(run: str) -> str:
    return (
        f"A check that changes nothing ([run]({run})) found this. Deploy the stack to make it as declared again, or "
        "declare what was found. The issue is kept up to date and closed by the checks that follow."
    )


def stack_text(name: str, drift: Drift | None, most: int = ENTRIES[0]) -> str:
    """What the check of one stack found."""
    parts = [f"### {name}"]
    if drift is None:
        parts.append("**Not checked**: the job ended before; see the run.")
    elif drift.errors:
        parts += ["**Not checked**", *(block(error[:ERROR]) for error in drift.errors[:3])]
    elif not drift.drifted:
        parts.append("As declared.")
    else:
        parts += [SECTIONS["drifted"], _table(drift.drifted, most)]
    if drift and drift.pending:
        names = ", ".join(code(resource) for resource in drift.pending[:most])
        parts.append(f"{SECTIONS['pending']} {count(len(drift.pending), 'resource')}: {names}")
    return "\n\n".join(parts)


def _table(entries: Sequence[Entry], most: int) -> str:
    rows = [
        (code(entry.resource), entry.kind, code(entry.path), code(entry.declared), code(entry.found))
        for entry in entries[:most]
    ]
    text = table(("resource", "type", "property", "declared", "found"), rows)
    return text if len(entries) <= most else f"{text}\n\nand {len(entries) - most} more"
