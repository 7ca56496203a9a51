"""Reviews as the comment on a pull request and as the summary of a job."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from virtci.core.quota import REGIONAL
from virtci.fleet.markdown import COMMENT_LIMIT, block, code, count, folded, table, titled
from virtci.fleet.review import Change, Cost, Finding, Operation, QuotaRow, Review

DONE: Mapping[Operation, str] = {
    "delete": "deleted", "replace": "replaced", "update": "updated", "create": "created", "import": "imported"
}  # fmt: skip
SHORT = "The details did not fit into a comment; they are in the summary of the run."
ABSENT = "no preview"
ROOM = 100
Number = TypeVar("Number", int, float)


@dataclass(frozen=True, slots=True)
class Detail:
    """How much of a review is shown: at most so many properties, resources, findings, and characters of a text."""

    properties: int
    resources: int
    irreversible: int
    findings: int
    characters: int


FULL = Detail(10_000, 10_000, 10_000, 1_000, 10_000)
DETAILS = (
    FULL,
    Detail(200, 1_000, 1_000, 100, 4_000),
    Detail(20, 200, 1_000, 50, 2_000),
    Detail(0, 50, 200, 20, 1_000),
    Detail(0, 0, 50, 10, 500),
)
"""From everything to little; deletes and replacements go last."""


def comment(reviews: Mapping[str, Review | None], source: str) -> str:
    """The comment on a pull request, as detailed as fits; a stack without a review had no preview.

    `source` says in Markdown what was previewed. The longest text leaves room for a marker of 100 characters.
    """
    start = f"### {heading(reviews)}\n\n{overview(reviews)}\n\n{source}"
    for detail in DETAILS:
        text = "\n\n".join([start, *(stack_text(review, detail) for review in reviews.values() if review)])
        if len(text) <= COMMENT_LIMIT - ROOM:
            return text
    return f"{start}\n\n{SHORT}"


def heading(reviews: Mapping[str, Review | None]) -> str:
    """The outcome in one line."""
    stopped = [name for name, review in reviews.items() if review is None or not review.good]
    if stopped:
        return f"Preview: stopped by {', '.join(stopped)}"
    changed = [name for name, review in reviews.items() if review and review.changes]
    return f"Preview: good, changes {', '.join(changed)}" if changed else "Preview: good, no change"


def overview(reviews: Mapping[str, Review | None]) -> str:
    """A line for each stack."""
    columns = ("stack", "verdict", *(f"#{word}" for word in DONE.values() if word != "imported"))
    rows = [_row(name, review) for name, review in reviews.items()]
    return table((*columns, "#vCPU needed", "#USD a month", "#at most"), rows)


def stack_text(review: Review, detail: Detail = FULL) -> str:
    """Everything about one stack."""
    parts = [f"#### {review.stack}", *_errors(review, detail), *_findings(review.findings, detail)]
    for operation in DONE:
        found = [change for change in review.changes if change.operation == operation]
        if found:
            parts.append(_changes(operation, found, detail))
    if not review.changes and not review.errors:
        parts.append(f"No change; {count(review.unchanged, 'resource')} as they are.")
    if review.quota:
        parts.append(folded("vCPU", _quota_table(review.quota)))
    if review.cost and review.cost.counts:
        parts.append(folded("cost", _cost_lines(review.cost)))
    if review.warnings and detail.findings:
        text = block("\n".join(_cut(warning, detail.characters) for warning in review.warnings[: detail.findings]))
        parts.append(folded(count(len(review.warnings), "warning"), text))
    return "\n\n".join(parts)


def _row(name: str, review: Review | None) -> tuple[str, ...]:
    operations = [operation for operation in DONE if operation != "import"]
    if review is None:
        return (name, f"**{ABSENT}**: see the run", *("-" for _ in operations), "-", "-", "-")
    counts = [sum(change.operation == operation for change in review.changes) for operation in operations]
    irreversible = {"delete", "replace"}
    shown = [
        f"**{number}**" if number and operation in irreversible else str(number or "-")
        for operation, number in zip(operations, counts, strict=True)
    ]
    vcpu = " ".join(_share(row) for row in review.quota or () if row.family == REGIONAL) or "-"
    return (name, _verdict(review), *shown, vcpu, *_money(review.cost))


def _verdict(review: Review) -> str:
    stops = sum(finding.mandatory for finding in review.findings)
    reasons = [
        count(number, noun) for number, noun in ((len(review.errors), "error"), (stops, "violation")) if number
    ]  # fmt: skip
    return "good" if review.good else f"**stopped**: {', '.join(reasons)}"


def _share(row: QuotaRow) -> str:
    kept = f" ({row.reserve} kept free)" if row.reserve else ""
    limit = "no limit declared" if row.limit is None else f"of {row.limit}{kept}"
    text = f"{_step(row.before, row.after, str)} {limit}"
    return f"**{text}**" if row.exceeded else text


def _step(before: Number, after: Number, show: Callable[[Number], str]) -> str:
    return show(after) if before == after else f"{show(before)} → {show(after)}"


def _money(cost: Cost | None) -> tuple[str, str]:
    if cost is None or not cost.counts:
        return "-", "-"
    expected = _step(cost.before.expected, cost.after.expected, _usd)
    if cost.before.expected != cost.after.expected:
        expected += f" ({cost.after.expected - cost.before.expected:+,.2f})"
    if cost.budget is not None:
        expected += f" of {cost.budget:,}"
        expected = f"**{expected}**" if cost.after.expected > cost.budget else expected
    return expected, _step(cost.before.ceiling, cost.after.ceiling, _usd)


def _usd(amount: float) -> str:
    return f"{amount:,.2f}"


def _errors(review: Review, detail: Detail) -> Iterator[str]:
    for error in review.errors[: detail.findings]:
        yield f"**Error**\n\n{block(_cut(error, detail.characters))}"
    if len(review.errors) > detail.findings:
        yield f"and {count(len(review.errors) - detail.findings, 'error')} more"


def _findings(findings: Sequence[Finding], detail: Detail) -> Iterator[str]:
    if not findings:
        return
    shown = [
        f"- **{finding.level}** {code(finding.policy)}, {_names(finding.resources)}: "
        f"{code(_cut(finding.message, detail.characters))}"
        for finding in findings[: detail.findings]
    ]
    if len(findings) > detail.findings:
        shown.append(f"- and {len(findings) - detail.findings} more")
    yield "**Policies**\n\n" + "\n".join(shown)


def _names(names: Sequence[str], most: int = 3) -> str:
    shown = ", ".join(code(name) for name in names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown


def _changes(operation: Operation, changes: Sequence[Change], detail: Detail) -> str:
    most = detail.irreversible if operation in ("delete", "replace") else detail.resources
    title = f"{DONE[operation].capitalize()}: {count(len(changes), 'resource')}"
    lines = [line for change in changes[:most] for line in _change_lines(change, detail.properties)]
    if len(changes) > most:
        lines.append(f"- and {len(changes) - most} more" if lines else f"- {count(len(changes), 'resource')}")
    return titled(title, "\n".join(lines), len(lines))


def _change_lines(change: Change, most: int) -> Iterator[str]:
    because = f", because of {_names(change.forcing)}" if change.forcing else ""
    yield f"- {code(change.name)} {change.kind}{because}"
    for item in change.properties[:most]:
        yield f"  - {code(item.path)}: {code(item.before)} → {code(item.after)}"
    if len(change.properties) > most:
        yield f"  - {count(len(change.properties) - most, 'property')} more"


def _quota_table(rows: Sequence[QuotaRow]) -> str:
    columns = ("region", "family", "#now", "#then", "#kept free", "#share", "verdict")
    return table(
        columns,
        [
            (
                row.region,
                "regional total" if row.family == REGIONAL else row.family,
                str(row.before),
                str(row.after),
                str(row.reserve),
                "none" if row.limit is None else str(row.limit),
                "**exceeded**" if row.exceeded else "fits",
            )
            for row in rows
        ],
    )


def _cost_lines(cost: Cost) -> str:
    rows = [
        ("expected", _usd(cost.before.expected), _usd(cost.after.expected)),
        ("if everything ran all the time", _usd(cost.before.ceiling), _usd(cost.after.ceiling)),
    ]
    lines = [table(("USD a month", "#now", "#then"), rows)]
    if cost.budget is not None:
        lines.append(f"Budget: {cost.budget:,} USD a month.")
    if cost.by_usage:
        lines.append(f"Billed by usage and not counted: {count(cost.by_usage, 'resource')}.")
    lines += [f"**No price**: {code(entry)}" for entry in cost.unpriced]
    return "\n\n".join(lines)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}…"
