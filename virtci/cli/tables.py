"""The tables that a rehearsal prints for people: the figures of all stacks, then one line for each stack."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from rich import box
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from virtci.cli.console import WIDTH, console
from virtci.core.inventory import short_kind
from virtci.rehearsal.conductor import StackResult
from virtci.rehearsal.endings import Ending
from virtci.rehearsal.report.figures import (
    cost_lines,
    duration,
    ending_of,
    family_name,
    findings,
    kinds,
    point_of,
    share,
    vcpus,
)
from virtci.rehearsal.report.masking import Scrub, masked, scrubber

GUTTER = 2


def show(results: Sequence[StackResult]) -> None:
    """Prints what a reviewer wants to know; secrets are masked, also inside messages."""
    scrub = scrubber(results)
    deployed = [result for result in results if result.resources]
    console.print()
    found = [trouble for result in results for trouble in troubles(result, scrub)]
    if found:
        console.print(*found, sep="\n", end="\n\n")
    if deployed:
        print_table(resources_table(deployed))
        print_table(quota_table(deployed))
        print_table(cost_table([result for result in deployed if result.settings.budget]))
        for result in deployed:
            print_table(outputs_table(result, scrub))
    if any(map(findings, results)):
        print_table(policies_table(results, scrub))
    elif deployed:
        console.print("policies: no violation", end="\n\n")
    print_table(summary_table(results))


def troubles(result: StackResult, scrub: Scrub) -> Iterator[Text]:
    """What stopped the stack or spoils it, but for policies: a line each, the report has all of it."""
    for step, run in result.runs.items():
        for error in run.errors:
            yield _trouble(result, f"error in {step}", scrub(point_of(error)))
    if result.ending is Ending.NOT_STABLE:
        for urn, operation in result.runs["second preview"].changes.items():
            yield _trouble(result, "not stable", f"the second preview would {operation} {urn.rsplit('::', 1)[-1]}")
    for fault in result.contract_faults:
        yield _trouble(result, "output contract", scrub(fault))
    for left in result.left_behind:
        yield _trouble(result, "left behind", scrub(left))


def resources_table(results: Sequence[StackResult]) -> Table:
    """Resources by kind, and how many each stack has of it."""
    counted = {result.name: kinds(result) for result in results}
    table = new_table("resources", "#total", "in")
    for kind in sorted({kind for each in counted.values() for kind in each}):
        numbers = {stack: each[kind] for stack, each in counted.items() if each[kind]}
        shown = ", ".join(f"{stack} {number}" for stack, number in numbers.items())
        add_row(table, short_kind(kind), str(sum(numbers.values())), shown)
    return table


def quota_table(results: Sequence[StackResult]) -> Table:
    """What can run at once, by region and family, against the share of each stack."""
    table = new_table("vCPU of", "region", "family", "#needed", "#reserve", "#share", "verdict")
    for result in results:
        for number, line in enumerate(result.quota):
            limit = "none" if line.limit is None else str(line.limit)
            figures = (str(line.needed), str(line.reserve), limit, _verdict(not line.exceeded, share(line)))
            add_row(table, "" if number else _stack(result), line.region, family_name(line), *figures)
    return table


def cost_table(results: Sequence[StackResult]) -> Table:
    """Monthly cost of each stack by lifetime class, and what is not in it."""
    table = new_table("USD a month of", "lifetime", "#expected", "#ceiling", "remark")
    for result in results:
        for number, line in enumerate(cost_lines(result)):
            remark = _budget(result, line.expected) if line.name == "total" else ""
            amounts = (f"{line.expected:,.2f}", f"{line.ceiling:,.2f}")
            add_row(table, "" if number else _stack(result), line.name, *amounts, remark)
        if usage := len(result.bill.by_usage):
            add_row(table, "", "by usage", "", "", f"{usage} resources, not in the total")
        for item in result.bill.unpriced:
            add_row(table, "", Text("no price", style="red"), "", "", item)
    return table


def outputs_table(result: StackResult, scrub: Scrub) -> Table:
    """Outputs, a line each; sealed values are masked, and long ones are cut: the report has all of them."""
    table = new_table(f"output of {result.name}", "value")
    room = WIDTH - GUTTER - max(map(len, [*result.outputs, f"output of {result.name}"]))
    for name, value in result.outputs.items():
        shown = masked(value)
        text = shown if isinstance(shown, str) else json.dumps(shown, ensure_ascii=False)
        cell = Text(scrub(" ".join(text.split())))
        cell.truncate(room, overflow="ellipsis")
        add_row(table, name, cell)
    return table


def policies_table(results: Sequence[StackResult], scrub: Scrub) -> Table:
    """Every verdict of a policy, once."""
    table = new_table("policy", "level", "stack", "resource", "message")
    for result in results:
        for item in findings(result):
            level = _verdict(item.level != "mandatory", item.level)
            add_row(table, item.policy, level, _stack(result), item.resource or "whole stack", scrub(item.message))
    return table


def summary_table(results: Sequence[StackResult]) -> Table:
    """How each stack ended, in one line each."""
    table = new_table(
        "stack", "ending", "#resources", "#violations", "#vCPU", "#USD/month", "#ceiling", "#real", "#simulated"
    )
    for result in results:
        good, ending = ending_of(result)
        total = cost_lines(result)[-1]
        known = [str(kinds(result).total()), str(len(findings(result)))]
        figures = (
            [str(vcpus(result)), f"{total.expected:,.2f}", f"{total.ceiling:,.2f}"] if result.resources else ["-"] * 3
        )
        times = [duration(sum(seconds.values())) for seconds in (result.seconds, result.simulated_seconds)]
        add_row(table, _stack(result), _verdict(good, ending), *known, *figures, *times)
    return table


def new_table(*columns: str) -> Table:
    """A table without lines but the one under its head; columns whose name begins with # hold numbers."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="dim", collapse_padding=True)
    for column in columns:
        justify: Any = "right" if column.startswith("#") else "left"
        table.add_column(column.removeprefix("#"), justify=justify, no_wrap=column.startswith("#"), overflow="fold")
    return table


def add_row(table: Table, *cells: str | Text) -> None:
    """Cells are plain texts: what a cloud or a file says must not be read as markup."""
    table.add_row(*(cell if isinstance(cell, Text) else Text(cell) for cell in cells))


def print_table(table: Table) -> None:
    """Prints a table, as wide as it may be."""
    console.print(Padding(table, (0, 0, 1, 0), expand=False), width=WIDTH, soft_wrap=False)


def _stack(result: StackResult) -> Text:
    return Text(result.name, style="bold")


def _verdict(good: bool, words: str) -> Text:
    return Text(words, style="green" if good else "red")


def _budget(result: StackResult, expected: float) -> Text:
    budget = result.budget
    if not budget:
        return Text("")
    return _verdict(expected <= budget, f"{100 * expected / budget:.0f} % of the budget of {budget:,}")


def _trouble(result: StackResult, what: str, text: str) -> Text:
    return Text.assemble((f"{result.name}: {what}", "red"), ": ", text)
