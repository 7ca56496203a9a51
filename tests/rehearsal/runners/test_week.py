"""Days of pull requests in simulated time: what must hold does, in any weather; and what is broken on purpose is seen."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from functools import cache
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from virtci.core.runners.clouds import Capability
from virtci.core.runners.ladder import Place, Rung, ladder
from virtci.core.runners.leases import Lease
from virtci.core.runners.requests import Phase, Request
from virtci.core.runners.sweep import Plan as SweepPlan
from virtci.core.runners.tags import RunTags, read_run_tags
from virtci.fleet.runners import ledger, start, stop
from virtci.fleet.runners import sweep as sweeping
from virtci.fleet.runners.embedded_leases import EmbeddedLeases
from virtci.fleet.runners.launcher import Launcher
from virtci.fleet.runners.sweep import Swept
from virtci.rehearsal.runners import hosting, people, platform
from virtci.rehearsal.runners import week as weeks
from virtci.rehearsal.runners.figures import GAVE_UP, IDLE_LIMIT, Figures, busiest_day, step
from virtci.rehearsal.runners.hosting import Hosting
from virtci.rehearsal.runners.invariants import Invariant
from virtci.rehearsal.runners.weather import CALM, Weather
from virtci.rehearsal.runners.week import PLAN, Week, calm_week, week

Patch = pytest.MonkeyPatch
FEW, MORE = 10, 40
"""Pull requests of a day: fewer than a pool has units, and so many that they meet."""
NARROW = replace(PLAN, azure={"westus": (12, 4)}, ec2={"us-east-2": (12, 4)})


@pytest.fixture(scope="module")
def storm() -> Week:
    """One day as bad as they come."""
    return week(seed=4, days=1).play()


@pytest.fixture(scope="module")
def calm() -> Week:
    """One day on which nothing goes wrong."""
    return calm_week(seed=1, days=1).play()


@pytest.mark.parametrize("seed", [2, 3])
def test_every_invariant_holds_in_a_storm(seed: int) -> None:
    assert week(seed, days=1).play().broken == {}


def test_storm_that_the_others_stand_for_holds_too_and_had_everything_in_it(storm: Week) -> None:
    found = Figures(storm)
    assert storm.broken == {}
    assert len(found.by_code) >= 2
    assert sum(line.found for line in found.leaks) > 5
    assert storm.restarted > 5
    assert storm.neighbours.builds > 1
    assert {item.workflow.name for item in storm.people.requests} == {item.name for item in people.WORKFLOWS}


def test_calm_day_has_no_leak_at_all(calm: Week) -> None:
    found = Figures(calm)
    assert calm.broken == {}
    assert calm.leaks == {}
    assert found.failures == []
    assert found.leaks_left == found.lost == calm.restarted == 0
    assert found.paid.idle_share <= IDLE_LIMIT


def test_same_seed_gives_the_same_day() -> None:
    one, other = (Figures(week(5, days=1, a_day=20).play()).document() for _ in range(2))
    assert one == other


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 10_000),
    rates=st.fixed_dictionaries({name: st.floats(0, 3 * rate) for name, rate in asdict(Weather()).items()}),
)
def test_no_weather_breaks_more_than_the_patience_of_people(seed: int, rates: Mapping[str, float]) -> None:
    """Where three times as much goes wrong, somebody may give up: a run may be lost, and nothing else."""
    found = week(seed, days=1, a_day=15, weather=Weather(**rates)).play()
    assert set(found.broken) <= {Invariant.LOST}, found.broken


def sweeps_do_nothing(patch: Patch) -> None:
    patch.setattr(weeks, "sweep", lambda *_: Swept(SweepPlan(), (), ()))


def leases_are_never_given_back(patch: Patch) -> None:
    patch.setattr(EmbeddedLeases, "release", lambda *_: None)


def start_skips_the_lease(patch: Patch) -> None:
    numbers = count(100)

    def at_once(launcher: Launcher, request: Request, rungs: tuple[Rung, ...], _: object = ()) -> tuple[Rung, Lease]:
        rung, now = rungs[0], launcher.pace.now()
        slot = f"auto-runner-{rung.region}-{next(numbers)}"
        launcher.reached(request.name.stack, Phase.LEASED, rung=rung, slot=slot)
        return rung, Lease(holder=request.name.stack, pool=rung.pool, slots=(slot,), since=now, heartbeat=now)

    patch.setattr(start, "_lease", at_once)
    patch.setattr(start, "_beat", lambda *_: None)


def nobody_starts_again_for_jobs_run_again(patch: Patch) -> None:
    patch.setattr(sweeping, "_restarted", lambda *_: (False, ""))


def waits_are_not_told(patch: Patch) -> None:
    patch.setattr(start, "_tell_wait", lambda *_: None)


def tags_of_another_system_pass(patch: Patch) -> None:
    def read(found: Mapping[str, str], _: str) -> RunTags | None:
        return read_run_tags(found, found.get("system", ""))

    patch.setattr(platform, "read_run_tags", read)


def every_runner_is_ours(patch: Patch) -> None:
    patch.setattr(hosting, "is_ours", lambda _: True)


def ledger_is_not_opened(patch: Patch) -> None:
    patch.setattr(ledger, "opened", lambda *_: None)


def runner_records_stay(patch: Patch) -> None:
    patch.setattr(Hosting, "forget", lambda *_: True)


def kept_for_two_weeks(patch: Patch) -> None:
    patch.setattr(stop, "keep_until", lambda failed_at, _: failed_at + timedelta(days=14))


def capability_is_not_looked_at(patch: Patch) -> None:
    def anywhere(_: Capability, places: list[Place], spot: bool) -> tuple[Rung, ...]:
        return ladder(Capability.NONE, places, spot)

    patch.setattr(start, "ladder", anywhere)


def end_of_the_ledger_fails(patch: Patch) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    patch.setattr(ledger, "closed", fail)


def nothing(_: Patch) -> None:
    """The weather alone does it."""


@cache
def played(weather: Weather, a_day: int) -> frozenset[Invariant]:
    """What a day breaks; where many meet, in pools that are too small for them."""
    return frozenset(week(7, 1, a_day, weather, NARROW if a_day == MORE else PLAN).play().broken)


@pytest.mark.parametrize(
    ("defect", "weather", "a_day", "seen"),
    [
        (sweeps_do_nothing, replace(CALM, stop_lost=0.5), FEW, Invariant.ALIVE),
        (leases_are_never_given_back, CALM, FEW, Invariant.ALIVE),
        (start_skips_the_lease, CALM, MORE, Invariant.QUOTA),
        (start_skips_the_lease, CALM, MORE, Invariant.RACE),
        (nobody_starts_again_for_jobs_run_again, replace(CALM, vanishes=0.4), FEW, Invariant.STUCK),
        (waits_are_not_told, CALM, MORE, Invariant.STUCK),
        (tags_of_another_system_pass, CALM, FEW, Invariant.FOREIGN),
        (every_runner_is_ours, CALM, FEW, Invariant.FOREIGN),
        (ledger_is_not_opened, CALM, FEW, Invariant.LEDGER),
        (runner_records_stay, CALM, FEW, Invariant.RECORD),
        (kept_for_two_weeks, replace(CALM, tests_fail=0.5), FEW, Invariant.KEPT),
        (capability_is_not_looked_at, CALM, MORE, Invariant.CAPABILITY),
        (nothing, replace(CALM, never_online=1), 3, Invariant.LOST),
        (end_of_the_ledger_fails, CALM, 3, Invariant.ERRORS),
    ],
    ids=lambda value: value.__name__ if callable(value) else value.name if isinstance(value, Invariant) else "",
)
def test_what_is_broken_on_purpose_is_seen(
    defect: Callable[[Patch], None], weather: Weather, a_day: int, seen: Invariant, monkeypatch: Patch
) -> None:
    assert seen not in played(replace(weather, never_online=0), a_day)
    defect(monkeypatch)
    assert seen in played.__wrapped__(weather, a_day)


def test_every_invariant_is_broken_by_some_test() -> None:
    marks = test_what_is_broken_on_purpose_is_seen.pytestmark  # type: ignore[attr-defined]  # pytest puts it there
    assert {case[-1] for mark in marks for case in mark.args[1]} == set(Invariant)


def test_figures_are_counted(storm: Week) -> None:
    found = Figures(storm)
    median, late = found.to_online
    assert timedelta(seconds=60) < median < late
    assert found.machines == sum(len(item.bill) for item in storm.town.platforms.values()) > 300
    assert 0 < found.paid.idle_vcpu_hours < found.paid.vcpu_hours
    assert all(item.everybody <= item.limit and item.ours <= item.limit - item.reserve for item in found.pools)
    assert all(line.cured == line.found for line in found.leaks)
    assert len(found.failures) == sum(then.total() for then in found.by_code.values())


def test_document_has_every_invariant_and_limit(calm: Week) -> None:
    found = Figures(calm).document()
    assert [item["invariant"] for item in found["invariants"]] == [item.value for item in Invariant]
    assert found["idleShare"] <= found["idleShareLimit"]
    assert found["runsLost"] == found["leaksLeft"] == 0


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("m5.xlarge in ec2 us-east-2 zone a", "m8i.xlarge in ec2 us-east-2 zone a", "another size"),
        ("m5.xlarge in ec2 us-east-2 zone a", "m8i.xlarge in ec2 us-east-2 zone b", "another zone"),
        ("m5.xlarge in ec2 us-east-2 zone a", "m5.xlarge in ec2 us-east-1", "another region"),
        ("m5.xlarge in ec2 us-east-2 zone a", "Standard_D4s_v5 in azure westus", "another cloud"),
        ("m5.xlarge in ec2 us-east-2 (spot)", "m5.xlarge in ec2 us-east-2", "on demand instead of spot"),
        ("m5.xlarge in ec2 us-east-2", None, GAVE_UP),
    ],
)
def test_step_of_the_ladder_is_the_largest_part_that_changed(before: str, after: str | None, said: str) -> None:
    assert step(before, after) == said


def test_fullest_day_is_a_day_of_the_week(storm: Week) -> None:
    day = busiest_day(storm)
    assert storm.diary.moments[0].at.date() <= day.date() <= storm.diary.moments[-1].at.date()
    assert (day.hour, day.minute) == (0, 0)


def test_jobs_ask_for_a_capability_and_runners_of_one_job_take_one(storm: Week) -> None:
    machines = {job.capability for jobs in storm.town.github.jobs.values() for job in jobs}
    assert machines >= {Capability.KVM_METAL, Capability.KVM_NESTED, Capability.EMULATION}
    assert storm.town.stage.now - datetime.fromisoformat("2026-01-05T08:00:00+00:00") > timedelta(days=8)
