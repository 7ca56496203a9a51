"""What machines cost: by the second, from their creation to their end, split at midnight."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtci.core.runners.clouds import Cloud
from virtci.core.runners.ledger import Entry, spent_on, total
from virtci.core.runners.sizes import hourly_usd
from virtci.rehearsal.clock import START

HOUR = timedelta(hours=1)
MIDNIGHT = START.replace(hour=0) + timedelta(days=1)


def entry(**changes: object) -> Entry:
    values = {
        "stack": "run-ec2-1-1-1", "run": "o/r/1/1", "cloud": Cloud.EC2, "region": "us-east-2", "type": "m5.xlarge",
        "started": START, "ended": START + HOUR,
    }  # fmt: skip
    return Entry(**(values | changes))  # type: ignore[arg-type]  # fields of several types


def test_hour_costs_what_the_table_says() -> None:
    found = total([entry(busy=HOUR / 2)], START + 9 * HOUR)
    assert found.vcpu_hours == pytest.approx(4)
    assert found.idle_share == pytest.approx(0.5)
    assert found.usd == pytest.approx(hourly_usd(Cloud.EC2, "us-east-2", "m5.xlarge"))


def test_machine_that_is_there_still_costs_until_now() -> None:
    assert total([entry(ended=None)], START + 3 * HOUR).vcpu_hours == pytest.approx(12)


def test_nothing_paid_is_nothing_idle() -> None:
    assert total([], START).idle_share == 0


@given(st.lists(st.tuples(st.integers(-3000, 3000), st.integers(1, 3000)), max_size=8))
def test_days_add_up_to_the_whole(spans: list[tuple[int, int]]) -> None:
    entries = [
        entry(started=MIDNIGHT + timedelta(minutes=begin), ended=MIDNIGHT + timedelta(minutes=begin + length))
        for begin, length in spans
    ]
    now = MIDNIGHT + timedelta(days=10)
    days = [date(2026, 1, 1) + timedelta(days=number) for number in range(20)]
    assert sum(spent_on(day, entries, now) for day in days) == pytest.approx(total(entries, now).usd)


def test_day_knows_nothing_of_what_is_still_to_come() -> None:
    assert spent_on(START.date(), [entry(ended=None)], START + HOUR) == pytest.approx(0.192)
