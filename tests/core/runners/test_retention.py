"""What becomes of machines when their jobs are over, and until when a kept one stays."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtci.core.problems import Refusal
from virtci.core.runners.retention import HANGING, OnCancel, Result, keep_until, results_of, verdict


@given(st.lists(st.sampled_from(list(Result))), st.sampled_from(list(OnCancel)))
def test_one_failed_job_is_enough_to_keep(others: list[Result], on_cancel: OnCancel) -> None:
    assert verdict([*others, Result.FAILURE], on_cancel, timedelta()).keep


@given(st.lists(st.sampled_from([Result.SUCCESS, Result.SKIPPED])), st.sampled_from(list(OnCancel)))
def test_success_and_skipped_are_destroyed(results: list[Result], on_cancel: OnCancel) -> None:
    assert not verdict(results, on_cancel, HANGING).keep


@pytest.mark.parametrize(
    ("on_cancel", "step", "kept"),
    [
        (OnCancel.IF_HANGING, HANGING, True),
        (OnCancel.IF_HANGING, HANGING - timedelta(seconds=1), False),
        (OnCancel.KEEP, timedelta(), True),
        (OnCancel.DESTROY, HANGING, False),
    ],
)
def test_cancelled_run_is_kept_by_choice_or_when_a_step_was_hanging(
    on_cancel: OnCancel, step: timedelta, kept: bool
) -> None:
    found = verdict([Result.SUCCESS, Result.CANCELLED], on_cancel, step)
    assert found.keep is kept
    assert "cancelled" in found.why


def test_needs_are_read_as_github_writes_them() -> None:
    assert results_of({"km-test": {"result": "failure", "outputs": {}}, "kkm": {"result": "skipped"}}) == {
        "km-test": Result.FAILURE,
        "kkm": Result.SKIPPED,
    }


@pytest.mark.parametrize("value", [{"result": "failed"}, {}, "failure", None])
def test_result_that_is_none_is_refused_with_its_job(value: object) -> None:
    with pytest.raises(Refusal, match="job `km-test`"):
        results_of({"km-test": value})


@given(st.datetimes(datetime(2026, 1, 1), datetime(2030, 1, 1)), st.integers(1, 30))
def test_week_counts_from_the_failure(failed_at: datetime, days: int) -> None:
    assert keep_until(failed_at, days) - failed_at == timedelta(days=days)
