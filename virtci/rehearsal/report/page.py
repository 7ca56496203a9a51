"""The page: what the results of a rehearsal say, arranged for the template."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from virtci.core.inventory import short_kind
from virtci.core.lifetimes import SCHEDULES, Lifetime
from virtci.core.prices import Cost
from virtci.core.quota import QuotaLine
from virtci.rehearsal.conductor import StackResult
from virtci.rehearsal.endings import Ending
from virtci.rehearsal.report.architecture import Architecture, architecture
from virtci.rehearsal.report.drawing import drawing
from virtci.rehearsal.report.environments import environment_lines, runner_lines
from virtci.rehearsal.report.facts import cloud_name, label_of
from virtci.rehearsal.report.figures import (
    Finding,
    changed,
    cost_lines,
    ending_of,
    family_name,
    findings,
    kinds,
    point_of,
    share,
    vcpus,
)
from virtci.rehearsal.report.masking import masked, scrubber
from virtci.rehearsal.report.pipelines import PipelineLines
from virtci.rehearsal.report.rules import Rule, all_rules, levels, pack_rules
from virtci.rehearsal.report.template import environment

Row = dict[str, Any]
PREVIEWS = ("preview", "second preview")
DESTROY = "destroy"
MANDATORY = "mandatory"
CHECKS = {
    "preflight": "asked the cloud for what must be there",
    "boot": "the machine's boot",
    "readiness": "probes of the nodes",
    "contract": "outputs read and checked",
    "runner": "a runner's boot and registration",
}


def write_report(
    results: Sequence[StackResult],
    path: Path,
    rules: Sequence[Rule] | None = None,
    pipelines: Sequence[PipelineLines] = (),
    skipped: Mapping[str, str] | None = None,
) -> None:
    """Writes the page. `rules` are those of the policy pack; left out, the pack is asked."""
    known = pack_rules() if rules is None else rules
    path.write_text(render(results, known, pipelines, skipped), encoding="utf-8")


def render(
    results: Sequence[StackResult],
    rules: Iterable[Rule],
    pipelines: Sequence[PipelineLines] = (),
    skipped: Mapping[str, str] | None = None,
) -> str:
    """The page as text. Whatever the template prints is searched for secrets and escaped."""
    found = architecture(result for result in results if not result.settings.kubevirt)
    return (
        environment(scrubber(results))
        .get_template("page.html.jinja")
        .render(
            results=results,
            made=datetime.now(UTC),
            summary=[_summary(result) for result in results],
            total=_total(results),
            troubles=sorted((trouble for result in results for trouble in _troubles(result)), key=_rank),
            advice=sum(item.level != MANDATORY for result in results for item in findings(result)),
            runners=list(runner_lines(results)),
            environments=list(environment_lines(results)),
            skipped=skipped or {},
            pipelines=pipelines,
            drawing=drawing(found),
            dependencies=list(_dependencies(found)),
            tones={result.name: number % 4 for number, result in enumerate(results)},
            quota=[_quota(result) for result in results if result.settings.quota],
            cost=[_cost(result) for result in results if result.settings.budget],
            policies=_policies(results, rules),
            timeline=list(_timeline(results)),
            kinds=_kinds(results),
            lists=[_lists(result) for result in results],
        )
    )


def _summary(result: StackResult) -> Row:
    total = cost_lines(result)[-1]
    good, ending = ending_of(result)
    return {
        "name": result.name,
        "good": good,
        "ending": ending,
        "known": bool(result.resources),
        "resources": kinds(result).total(),
        "violations": len(findings(result)),
        "vcpus": vcpus(result),
        "expected": total.expected,
        "ceiling": total.ceiling,
        "seconds": sum(result.seconds.values()),
        "simulated": sum(result.simulated_seconds.values()),
    }


def _total(results: Sequence[StackResult]) -> Row:
    rows = [_summary(result) for result in results]
    keys = ("resources", "violations", "vcpus", "expected", "ceiling", "seconds", "simulated")
    return {key: sum(row[key] for row in rows) for key in keys}


def _troubles(result: StackResult) -> Iterator[Row]:
    """What stopped a stack or spoils it; advice of policies is no trouble."""
    for step, run in result.runs.items():
        for error in run.errors:
            yield _trouble(result, 0, f"error in {step}", error)
    for item in findings(result):
        if item.level == MANDATORY:
            yield _trouble(result, 1, f"policy {item.policy}", item.message, item.resource)
    if result.ending is Ending.NOT_STABLE:
        for urn, operation in result.runs[PREVIEWS[1]].changes.items():
            text = f"the second preview would {operation} what was just deployed"
            yield _trouble(result, 2, "not stable", text, urn.rsplit("::", 1)[-1])
    for found in (result.before, result.runner):
        if found and found.not_booted:
            yield _trouble(result, 4, "machine not booted", found.not_booted)
    for fault in result.contract_faults:
        yield _trouble(result, 3, "output contract", fault)
    for left in result.left_behind:
        yield _trouble(result, 4, "left behind", left)
    if result.ending is not Ending.GOOD and not _explained(result):
        yield _trouble(result, 5, "ending", ending_of(result)[1])


def _explained(result: StackResult) -> bool:
    spoken = any(run.errors or run.mandatory for run in result.runs.values())
    return spoken or bool(result.contract_faults or result.left_behind) or result.ending is Ending.NOT_STABLE


def _trouble(result: StackResult, rank: int, what: str, text: str, resource: str = "") -> Row:
    """A trouble with its point, and the whole text where that is more."""
    whole, point = text.strip(), point_of(text)
    return {
        "stack": result.name, "rank": rank, "what": what, "resource": resource,
        "point": point, "text": whole if whole != point else "",
    }  # fmt: skip


def _rank(trouble: Row) -> int:
    return int(trouble["rank"])


def _dependencies(found: Architecture) -> Iterator[Row]:
    for link in found.links:
        ends = {
            end: {"label": label_of(part.kind), "name": cloud_name(part), "stack": part.stack}
            for end, part in (("source", found.parts[link.source]), ("target", found.parts[link.target]))
        }
        yield {**ends, "reasons": link.reasons, "implied": link.implied}


def _quota(result: StackResult) -> Row:
    return {"stack": result.name, "lines": [_quota_line(line) for line in result.quota]}


def _quota_line(line: QuotaLine) -> Row:
    whole = max(line.limit or 0, line.needed + line.reserve, 1)
    return {
        "region": line.region,
        "family": family_name(line),
        "needed": line.needed,
        "reserve": line.reserve,
        "limit": line.limit,
        "exceeded": line.exceeded,
        "words": share(line),
        "percent": {
            "needed": 100 * line.needed / whole,
            "reserve": 100 * line.reserve / whole,
            "limit": 100 * line.limit / whole if line.limit is not None else None,
        },
    }


def _cost(result: StackResult) -> Row:
    lines = cost_lines(result)
    budget = result.budget
    whole = max(lines[-1].ceiling, budget, 1)
    meanings = {lifetime.value: SCHEDULES[lifetime].meaning for lifetime in Lifetime}
    return {
        "stack": result.name,
        "known": bool(result.resources),
        "lines": [
            {
                "name": line.name,
                "meaning": meanings.get(line.name, ""),
                "expected": line.expected,
                "ceiling": line.ceiling,
                "percent": {"expected": 100 * line.expected / whole, "ceiling": 100 * line.ceiling / whole},
            }
            for line in lines
        ],
        "budget": budget,
        "budget_percent": 100 * budget / whole,
        "used": 100 * lines[-1].expected / budget,
        "costs": sorted(result.bill.costs, key=_by_size),
        "number": len(result.bill.costs),
        "by_usage": result.bill.by_usage,
        "unpriced": result.bill.unpriced,
    }


def _by_size(cost: Cost) -> tuple[float, str]:
    return -cost.expected, cost.what


def _policies(results: Sequence[StackResult], known: Iterable[Rule]) -> Row:
    spoken = {result.name: findings(result) for result in results}
    stacks = list(spoken)
    everything: list[tuple[str, Finding]] = [(name, item) for name, items in spoken.items() for item in items]
    rules = all_rules(known, stacks, [(item.policy, item.level) for _, item in everything])
    heard = {result.name for result in results if _heard(result)}
    counts = {name: Counter(item.policy for item in items) for name, items in spoken.items()}
    runs = [run for result in results for run in result.runs.values()]
    return {
        "stacks": stacks,
        "heard": [name for name in stacks if name in heard],
        "packs": {pack.split("|")[0]: version for run in runs for pack, version in run.policies.items()},
        "rules": [
            {
                "name": rule.name,
                "description": rule.description,
                "level": levels(rule, stacks),
                "counts": [counts[name][rule.name] if name in heard else None for name in stacks],
            }
            for rule in rules
        ],
        "verdicts": everything,
    }


def _heard(result: StackResult) -> bool:
    """Whether the policies had their say: a preview that broke down before may have kept them silent."""
    return any(run.verdicts or run.succeeded for step, run in result.runs.items() if step in PREVIEWS)


def _timeline(results: Sequence[StackResult]) -> Iterator[Row]:
    """The steps in the order in which they were taken: up the stacks, and down again."""
    steps = [(result, step) for result in results for step in result.seconds if step != DESTROY]
    steps += [(result, DESTROY) for result in reversed(results) if DESTROY in result.seconds]
    whole = sum(result.seconds[step] for result, step in steps) or 1
    began = 0.0
    for result, step in steps:
        seconds, run = result.seconds[step], result.runs.get(step)
        yield {
            "stack": result.name,
            "step": step,
            "failed": run is not None and not run.succeeded,
            "did": changed(run.changes) if run and run.steps else CHECKS.get(step, "nothing"),
            "seconds": seconds,
            "simulated": result.simulated_seconds.get(step),
            "from": 100 * began / whole,
            "share": 100 * seconds / whole,
        }
        began += seconds


def _kinds(results: Sequence[StackResult]) -> list[Row]:
    found = [kinds(result) for result in results]
    return [
        {"kind": short_kind(kind), "counts": [each[kind] for each in found], "total": sum(each[kind] for each in found)}
        for kind in sorted({kind for each in found for kind in each})
    ]


def _lists(result: StackResult) -> Row:
    """Everything in the state, and the outputs."""
    return {
        "stack": result.name,
        "resources": [
            {
                "name": _urn(item).rsplit("::", 1)[-1],
                "urn": _urn(item),
                "type": item["type"],
                "id": item.get("id") or "",
            }
            for item in sorted(result.resources, key=_urn)
        ],
        "outputs": [{"name": name, "text": _shown(masked(value))} for name, value in sorted(result.outputs.items())],
    }


def _urn(item: Row) -> str:
    return str(item["urn"])


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
