"""The page of a simulated week: balanced, self-contained, and it says what the figures say."""

from pathlib import Path

import pytest

from tests.rehearsal.test_report import Page, words
from virtci.rehearsal.report.day_drawing import day_drawing
from virtci.rehearsal.report.runner_week import render, write_page
from virtci.rehearsal.runners.figures import Figures, busiest_day
from virtci.rehearsal.runners.invariants import Invariant
from virtci.rehearsal.runners.week import week


@pytest.fixture(scope="module")
def figures() -> Figures:
    return Figures(week(seed=2, days=1, a_day=60).play())


def test_page_is_balanced_and_asks_nobody(figures: Figures, tmp_path: Path) -> None:
    write_page(figures, tmp_path / "runners.html")
    found = Page((tmp_path / "runners.html").read_text())
    assert not found.open
    assert not {"script", "iframe", "img", "object"} & set(found.tags)


def test_page_shows_every_invariant_pool_and_code(figures: Figures) -> None:
    text = words(render(figures))
    assert "all 11 invariants hold" in text
    assert [item for item in Invariant if item.value not in text] == []
    assert [item.pool for item in figures.pools if item.pool not in text] == []
    assert [code for code in figures.by_code if code.value not in text] == []


def test_broken_invariant_comes_with_what_broke_it() -> None:
    broken = Figures(week(seed=2, days=1, a_day=1).play())
    broken.week.witness.broke(Invariant.QUOTA, "52 of 48 <vCPU>")
    text = render(broken)
    assert "1 invariant of 11 broken" in words(text)
    assert "52 of 48 &lt;vCPU&gt;" in text


def test_drawing_keeps_everything_inside(figures: Figures) -> None:
    drawn = day_drawing(figures, busiest_day(figures.week))
    assert [panel.pool for panel in drawn.panels] == [item.pool for item in figures.pools]
    assert all(panel.top < panel.quota_y < panel.bottom for panel in drawn.panels)
    assert all(drawn.left <= mark.x <= drawn.right for mark in (*drawn.failures, *drawn.sweeps))
    assert drawn.sweeps
    assert drawn.height > drawn.sweeps_y > drawn.failures_y > drawn.waiting_bottom
