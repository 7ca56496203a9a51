"""What a reviewer wants to know of a preview: changes, vCPU, cost and verdicts, as one document without secrets."""

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from virtci.core.inventory import Resource, UndeterminedError, bill, demands, short_kind
from virtci.core.prices import total
from virtci.core.problems import Refusal
from virtci.core.quota import held_against
from virtci.fleet.differences import differences
from virtci.fleet.events import MANDATORY, Log, Step, Verdict
from virtci.settings.models import Budget, Quota

Operation = Literal["delete", "replace", "update", "create", "import"]
OPERATIONS: tuple[Operation, ...] = ("delete", "replace", "update", "create", "import")
"""What cannot be undone comes first."""
STACK = "stack"
"""What a verdict on the whole stack is about."""
NO_END = "the engine ended before the preview did; its own output says why"
NO_REASON = "the engine calls the preview failed and gives no reason; its own output may"


class Part(BaseModel):
    """A part of a review, written in camelCase."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)


class Property(Part):
    """A property that differs, with texts for people."""

    path: str
    before: str
    after: str


class Change(Part):
    """A resource that the deployment would not leave as it is."""

    operation: Operation
    name: str
    kind: str = Field(description="Type without API version.")
    properties: tuple[Property, ...] = Field(description="What differs; empty for what is made or deleted as a whole.")
    forcing: tuple[str, ...] = Field(description="Properties that can only be changed by a replacement.")


class QuotaRow(Part):
    """A vCPU limit, what the stack needs of it now and what it would need."""

    region: str
    family: str
    before: int
    after: int
    reserve: int
    limit: int | None
    exceeded: bool


class Money(Part):
    """USD a month: as the lifetime classes make it, and if everything ran all the time."""

    expected: float
    ceiling: float


class Cost(Part):
    """What the stack costs now and would cost, and what is not in that."""

    before: Money
    after: Money
    budget: int | None
    by_usage: int = Field(description="Resources that are billed by usage and count as nothing here.")
    unpriced: tuple[str, ...] = Field(description="Resources whose price is not known.")

    @property
    def counts(self) -> bool:
        """Whether the stack has, or would have, anything that is paid for."""
        return bool(self.before.ceiling or self.after.ceiling or self.by_usage or self.unpriced)


class Finding(Part):
    """What a policy said about some resources in the same words."""

    policy: str
    level: str
    message: str
    resources: tuple[str, ...]

    @property
    def mandatory(self) -> bool:
        """Whether it stops a deployment."""
        return self.level == MANDATORY


class Review(Part):
    """The review of one stack. Figures that a failed preview cannot give are absent."""

    version: Literal[1] = 1
    stack: str
    changes: tuple[Change, ...]
    unchanged: int
    quota: tuple[QuotaRow, ...] | None
    cost: Cost | None
    findings: tuple[Finding, ...]
    errors: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def good(self) -> bool:
        """Whether the stack may be deployed."""
        return not self.errors and not any(finding.mandatory for finding in self.findings)


def review_of(stack: str, log: Log, quota: Quota | None, budget: Budget | None) -> Review:
    """The review of a preview; limits are those of the stack file under review."""
    errors = list(log.errors)
    if not log.ended:
        errors.append(NO_END)
    elif not log.succeeded and not errors and all(verdict.level != MANDATORY for verdict in log.verdicts):
        errors.append(NO_REASON)
    rows = cost = None
    if log.complete:
        before, after = log.resources(after=False), log.resources(after=True)
        cost = _cost(before, after, budget)
        try:
            rows = _quota(before, after, quota)
        except (UndeterminedError, Refusal) as error:
            errors.append(f"the vCPU cannot be counted: {error}")
    return Review(
        stack=stack,
        changes=tuple(_changes(log)),
        unchanged=sum(not step.changes for step in _of_clouds(log)),
        quota=rows,
        cost=cost,
        findings=tuple(_findings(log.verdicts)),
        errors=tuple(errors),
        warnings=tuple(log.warnings),
    )


def _of_clouds(log: Log) -> list[Step]:
    """What only the engine knows, such as its providers, is no resource of a cloud."""
    return [step for step in log.steps.values() if not step.kind.startswith("pulumi:")]


def _changes(log: Log) -> list[Change]:
    found = [_change(step) for step in _of_clouds(log) if step.changes]
    return sorted(found, key=lambda change: (OPERATIONS.index(change.operation), change.kind, change.name))


def _change(step: Step) -> Change:
    differing = differences(step.before, step.after, step.paths) if step.before and step.after else []
    return Change.model_validate(
        {
            "operation": step.operation,
            "name": step.name,
            "kind": short_kind(step.kind),
            "properties": [
                {"path": item.path, "before": item.before, "after": item.after} for item in differing
            ],
            "forcing": step.forcing,
        }
    )  # fmt: skip


def _findings(verdicts: Sequence[Verdict]) -> list[Finding]:
    """Verdicts of the same words together, mandatory ones first. Messages begin with the name of their resource."""
    grouped: dict[tuple[str, str, str], list[str]] = {}
    for verdict in verdicts:
        whole = not verdict.urn or "::pulumi:pulumi:Stack::" in verdict.urn
        name = STACK if whole else verdict.urn.rsplit("::", 1)[-1]
        words = verdict.message.removeprefix(f"{name}: ")
        grouped.setdefault((verdict.policy, verdict.level, words), []).append(name)
    found = [
        Finding(policy=policy, level=level, message=message, resources=tuple(dict.fromkeys(names)))
        for (policy, level, message), names in grouped.items()
    ]
    return sorted(found, key=lambda finding: (not finding.mandatory, finding.policy, finding.message))


def _quota(before: Sequence[Resource], after: Sequence[Resource], quota: Quota | None) -> tuple[QuotaRow, ...]:
    limits, reserve = (quota.limits, quota.reserve) if quota else ({}, 0)
    now = {(line.region, line.family.lower()): line for line in held_against(demands(before), limits, reserve)}
    then = {(line.region, line.family.lower()): line for line in held_against(demands(after), limits, reserve)}
    return tuple(
        QuotaRow(
            region=line.region,
            family=line.family,
            before=now[key].needed if key in now else 0,
            after=then[key].needed if key in then else 0,
            reserve=line.reserve,
            limit=line.limit,
            exceeded=key in then and then[key].exceeded,
        )
        for key, line in {**now, **then}.items()
    )


def _cost(before: Sequence[Resource], after: Sequence[Resource], budget: Budget | None) -> Cost:
    then = bill(after)
    return Cost(
        before=_money(before),
        after=_money(after),
        budget=budget.monthly_usd if budget else None,
        by_usage=len(then.by_usage),
        unpriced=then.unpriced,
    )


def _money(resources: Sequence[Resource]) -> Money:
    ceiling, expected = total(bill(resources).costs)
    return Money(expected=round(expected, 2), ceiling=round(ceiling, 2))
