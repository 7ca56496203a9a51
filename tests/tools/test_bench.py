"""The arithmetic of the bench: a wrong slope would be believed for years."""

import math

import pytest

from tools.bench.figures import (
    CLOSING,
    OPENING,
    Figure,
    beyond,
    exponent,
    figure,
    itself,
    marginal_ms,
    markdown,
    ratio,
    rewrite,
)

LINE = ("b", "one more", "ms")


def test_the_fixed_cost_is_no_part_of_the_marginal_cost() -> None:
    assert marginal_ms(20, 120)(2.0, 2.5) == pytest.approx(5.0)


@pytest.mark.parametrize(("few", "many", "expected"), [(3.0, 12.0, 1.0), (3.0, 102.0, 2.0), (3.0, 3.0, 0.0)])
def test_the_exponent_is_the_slope_of_the_time_beyond_the_fixed_cost(few: float, many: float, expected: float) -> None:
    assert exponent(100, 1000)(2.0, few, many) == pytest.approx(expected)


def test_an_exponent_without_a_signal_is_not_a_number_and_meets_no_target() -> None:
    found = figure(LINE, exponent(100, 1000), [2.0], [1.9], [3.0], target=1.1)

    assert math.isnan(found.median)
    assert found.verdict == "noise"


def test_a_figure_is_derived_from_the_medians_and_from_the_best() -> None:
    found = figure(LINE, beyond, [1.0, 2.0, 9.0], [4.0, 5.0, 99.0])

    assert (found.median, found.best, found.runs) == (3.0, 3.0, 3)


def test_a_ratio_is_to_the_median_of_the_other_and_is_left_out_where_one_is_noise() -> None:
    other = figure(LINE, itself, [2.0, 4.0, 6.0])

    assert figure(LINE, itself, [8.0], against=(other, "it")).ratio == pytest.approx(2.0)
    assert ratio(8.0, -0.1) is ratio(-0.1, 8.0) is None


@pytest.mark.parametrize(
    ("median", "target", "verdict"), [(-1.0, 5.0, "noise"), (5.0, 5.0, "good"), (5.1, 5.0, "misses"), (5.1, None, "")]
)
def test_the_median_is_held_against_the_target(median: float, target: float | None, verdict: str) -> None:
    assert Figure(*LINE, median, 1.0, 3, target).verdict == verdict


def test_the_table_shows_target_measurement_ratio_and_verdict() -> None:
    lines = markdown([Figure(*LINE, 4.321, 4.0, 3, 5.0, 1.5, "untyped"), Figure("d", "growth", "", 1.25, 1.2, 2)])

    assert lines.splitlines()[2:] == [
        "| b | one more | ≤ 5 ms | 4.32 ms | 4 | 1.5 of untyped | good |",
        "| d | growth |  | 1.25 | 1.2 |  |  |",
    ]


def test_only_what_is_between_the_markers_is_rewritten() -> None:
    document = f"before\n{OPENING}\nold\n{CLOSING}\nafter\n"

    assert rewrite(document, "new") == f"before\n{OPENING}\n\nnew\n\n{CLOSING}\nafter\n"
    assert rewrite(rewrite(document, "newer"), "new") == rewrite(document, "new")


@pytest.mark.parametrize("document", ["", OPENING, CLOSING, f"{CLOSING} {OPENING}"])
def test_a_document_without_markers_is_refused(document: str) -> None:
    with pytest.raises(ValueError, match="end of figures"):
        rewrite(document, "new")
