"""The tables that a rehearsal prints for people."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from virtci.core.prices import total
from virtci.rehearsal.conductor import Ending, StackResult

console = Console(highlight=False, soft_wrap=True)
SHOWN_WIDTH = 90
SECRET_MARK = "4dabf18193072939515e22adb298388d"
"""The key under which the engine keeps a sealed value."""


def show(results: Sequence[StackResult]) -> None:
    """Prints everything that a reviewer wants to know about each stack."""
    for result in results:
        console.print(f"\n[bold]{result.name}[/bold]  {ending_text(result)}")
        show_errors(result)
        if result.resources:
            console.print(resources_table(result))
            console.print(policy_line(result))
            console.print(quota_table(result))
            console.print(cost_table(result))
            console.print(outputs_table(result))
        for item in result.left_behind:
            console.print(f"  left behind: {item}")


def ending_text(result: StackResult) -> str:
    """How the stack ended, in words."""
    if result.ending is Ending.GOOD:
        count = len(result.runs["second preview"].steps)
        return f"[green]good[/green]: {count} resources, second preview shows no change"
    return f"[red]{result.ending.name.lower().replace('_', ' ')}[/red]"


def show_errors(result: StackResult) -> None:
    """Prints what stopped the stack: errors, verdicts, changes that should not be, broken promises."""
    for step, run in result.runs.items():
        for error in run.errors:
            console.print(f"  [red]{step}[/red]: {error}", markup=True)
        for verdict in run.verdicts:
            where = verdict.urn.rsplit("::", 1)[-1] or result.name
            console.print(f"  [red]{verdict.level}[/red] {verdict.policy} ({where}): {verdict.message}")
    if result.ending is Ending.NOT_STABLE:
        for urn, operation in result.runs["second preview"].changes.items():
            console.print(f"  second preview: {operation} {urn.rsplit('::', 1)[-1]}")
    for fault in result.contract_faults:
        console.print(f"  contract: {fault}")


def resources_table(result: StackResult) -> Table:
    """Resources by kind."""
    counts = Counter(item["type"] for item in result.resources if item.get("custom"))
    table = _table("resources", "kind", "count")
    for kind, count in sorted(counts.items()):
        table.add_row(kind, str(count))
    return table


def policy_line(result: StackResult) -> str:
    """How many verdicts there were."""
    found = [verdict for run in result.runs.values() for verdict in run.verdicts]
    return f"  policies: {len(found)} violation{'s' if len(found) != 1 else ''} in two previews"


def quota_table(result: StackResult) -> Table:
    """VCPU by family and region against the stack's share."""
    table = _table("vCPU", "region", "family", "needed", "reserve", "share", "")
    for line in result.quota:
        share = "none" if line.limit is None else str(line.limit)
        verdict = "[red]too little[/red]" if line.exceeded else "fits"
        table.add_row(line.region, line.family, str(line.needed), str(line.reserve), share, verdict)
    return table


def cost_table(result: StackResult) -> Table:
    """Monthly cost by lifetime class."""
    classes: dict[str, list[Any]] = defaultdict(list)
    for cost in result.bill.costs:
        classes[cost.lifetime.value].append(cost)
    table = _table("cost, USD a month", "lifetime", "expected", "ceiling")
    for lifetime, costs in sorted(classes.items()):
        ceiling, expected = total(costs)
        table.add_row(lifetime, f"{expected:,.2f}", f"{ceiling:,.2f}")
    ceiling, expected = total(result.bill.costs)
    table.add_row("total", f"{expected:,.2f}", f"{ceiling:,.2f}", style="bold")
    if result.bill.by_usage:
        table.add_row("by usage", ", ".join(result.bill.by_usage), "not in the total")
    for item in result.bill.unpriced:
        table.add_row("[red]no price[/red]", item, "")
    return table


def outputs_table(result: StackResult) -> Table:
    """Outputs; sealed values are masked."""
    table = _table("outputs", "name", "value")
    for name, value in result.outputs.items():
        text = "[secret]" if SECRET_MARK in str(value) else str(value)
        table.add_row(name, text if len(text) <= SHOWN_WIDTH else f"{text[: SHOWN_WIDTH - 1]}…")
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", show_edge=False, pad_edge=False, box=None, header_style="dim")
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number == 0 else "left", overflow="fold")
    return table
