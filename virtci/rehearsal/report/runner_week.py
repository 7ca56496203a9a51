"""The page of a simulated week of on-demand runners: its figures, its invariants, and one of its days as a drawing."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from virtci.rehearsal.report.day_drawing import day_drawing
from virtci.rehearsal.report.figures import duration
from virtci.rehearsal.report.template import environment
from virtci.rehearsal.runners.figures import IDLE_LIMIT, Figures, busiest_day
from virtci.rehearsal.runners.people import WORKFLOWS

Row = dict[str, Any]


def write_page(figures: Figures, path: Path, calm: bool = False) -> None:
    """Writes the page."""
    path.write_text(render(figures, calm), encoding="utf-8")


def render(figures: Figures, calm: bool = False) -> str:
    """The page as text. Nothing in a simulated week is a secret."""
    day = busiest_day(figures.week)
    return (
        environment(lambda text: text)
        .get_template("runners.html.jinja")
        .render(
            made=datetime.now(UTC),
            week=figures.week,
            calm=calm,
            holds=figures.holds,
            figures=_figures(figures),
            invariants=[{"name": item.value, "said": said} for item, said in figures.broken.items()],
            pools=figures.pools,
            failures=[
                {"code": code.value, "meaning": code.meaning, "number": then.total(), "then": then.most_common()}
                for code, then in figures.by_code.items()
            ],
            leaks=figures.leaks,
            day=day,
            drawing=day_drawing(figures, day),
            workflows=[
                {
                    "name": item.name,
                    "share": item.share,
                    "asked": [
                        f"{asked.cloud}: {asked.capability}{', spot' if asked.spot else ''}, for one {asked.serves}"
                        for asked in item.asked
                    ],
                }
                for item in WORKFLOWS
            ],
        )
    )


def _figures(figures: Figures) -> list[Row]:
    """Name, value, limit, and whether it is kept; nothing for what has none."""
    week, paid = figures.week, figures.paid
    median, late = figures.to_online
    return [
        _row("Pull requests", str(len(week.people.requests))),
        _row("Machines", str(figures.machines)),
        _row("Request to online, median", duration(median.total_seconds())),
        _row("Request to online, 95th percentile", duration(late.total_seconds())),
        _row(
            "Idle share of paid vCPU-hours",
            f"{paid.idle_share:.1%}",
            f"≤ {IDLE_LIMIT:.0%}",
            paid.idle_share <= IDLE_LIMIT,
        ),
        _row("vCPU-hours paid", f"{paid.vcpu_hours:,.0f}"),
        _row("USD, list price on demand", f"{paid.usd:,.2f}"),
        _row("Runs lost", str(figures.lost), "0", figures.lost == 0),
        _row("Leaks left", str(figures.leaks_left), "0", figures.leaks_left == 0),
        _row("Runs again of failed jobs", str(week.people.reruns)),
        _row("Machines that came back for them", str(week.restarted)),
        _row("Sweeps", str(week.sweeps)),
        _row("Image builds of others", str(week.neighbours.builds)),
    ]


def _row(name: str, value: str, limit: str = "", good: bool | None = None) -> Row:
    return {"name": name, "value": value, "limit": limit, "good": good}
