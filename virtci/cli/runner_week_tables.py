"""The tables of a simulated week of on-demand runners, for people."""

from datetime import timedelta

from rich.text import Text

from virtci.cli.console import console
from virtci.cli.tables import add_row, new_table, print_table
from virtci.rehearsal.report.figures import duration
from virtci.rehearsal.runners.figures import IDLE_LIMIT, Figures


def show(figures: Figures) -> None:
    """Prints figures, failures, leaks, and each invariant with its verdict."""
    console.print()
    _figures(figures)
    _pools(figures)
    _failures(figures)
    _leaks(figures)
    _invariants(figures)


def _figures(figures: Figures) -> None:
    week, paid = figures.week, figures.paid
    median, late = figures.to_online
    table = new_table("figure", "#value", "limit")
    people = week.people
    for name, value, limit in (
        ("pull requests", str(len(people.requests)), ""),
        ("machines", str(figures.machines), ""),
        ("request to online, median", _span(median), ""),
        ("request to online, 95th percentile", _span(late), ""),
        ("vCPU-hours paid", f"{paid.vcpu_hours:,.0f}", ""),
        ("USD, list price on demand", f"{paid.usd:,.2f}", ""),
        ("runs again of failed jobs", str(people.reruns), ""),
        ("machines that came back for them", str(week.restarted), ""),
        ("sweeps", str(week.sweeps), ""),
        ("image builds of others", str(week.neighbours.builds), ""),
    ):
        add_row(table, name, value, limit)
    add_row(table, "idle share of paid vCPU-hours", f"{paid.idle_share:.1%}", _verdict(paid.idle_share <= IDLE_LIMIT, f"≤ {IDLE_LIMIT:.0%}"))  # fmt: skip
    add_row(table, "runs lost", str(figures.lost), _verdict(figures.lost == 0, "0"))
    add_row(table, "leaks left", str(figures.leaks_left), _verdict(figures.leaks_left == 0, "0"))
    print_table(table)


def _pools(figures: Figures) -> None:
    table = new_table("pool", "#most vCPU of ours", "#with others", "#reserve", "#quota", "verdict")
    for item in figures.pools:
        good = item.everybody <= item.limit and item.ours <= item.limit - item.reserve
        numbers = (item.ours, item.everybody, item.reserve, item.limit)
        add_row(table, item.pool, *map(str, numbers), _verdict(good, "within" if good else "above"))
    print_table(table)


def _failures(figures: Figures) -> None:
    if not figures.by_code:
        console.print("failures of starts: none", end="\n\n")
        return
    table = new_table("code", "#times", "what the ladder did", "meaning")
    for code, then in figures.by_code.items():
        add_row(table, code.value, str(then.total()), _sums(then), code.meaning)
    print_table(table)


def _sums(then: "dict[str, int]") -> str:
    return "; ".join(f"{number} {what}" for what, number in sorted(then.items(), key=lambda item: -item[1]))


def _leaks(figures: Figures) -> None:
    table = new_table("leak", "#found", "#cured")
    for item in figures.leaks:
        add_row(table, item.leak.value, str(item.found), Text(str(item.cured), style="" if item.cured == item.found else "red"))  # fmt: skip
    print_table(table)


def _invariants(figures: Figures) -> None:
    table = new_table("invariant", "verdict")
    for invariant, said in figures.broken.items():
        add_row(table, invariant.value, _verdict(not said, "broken" if said else "holds"))
    print_table(table)
    for invariant, said in figures.broken.items():
        for sentence in said:
            console.print(Text(f"broken: {invariant}: {sentence}", style="red"))


def _span(span: timedelta) -> str:
    return duration(span.total_seconds())


def _verdict(good: bool, words: str) -> Text:
    return Text(words, style="green" if good else "red")
