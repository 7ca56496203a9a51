"""The life of on-demand runners: what a workflow gets, what becomes of its machines, and what is left: nothing."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.rehearsal.runners.lives import (
    RUN,
    ask,
    calm,
    done,
    ended,
    job,
    remains,
    started,
    starting,
    stopping,
    swept,
)
from virtci.core.problems import Refusal
from virtci.core.runners.clouds import Capability, Cloud, Serves
from virtci.core.runners.failures import Code
from virtci.core.runners.naming import Run
from virtci.core.runners.requests import Phase, Record
from virtci.core.runners.retention import Result
from virtci.core.runners.sweep import Leak
from virtci.fleet.runners.ports import StartFailed
from virtci.rehearsal.runners.hosting import Runner
from virtci.rehearsal.runners.town import Plan

BOTH = (ask(Cloud.AZURE), ask(Cloud.EC2))


def test_run_gets_a_runner_in_each_cloud_at_once() -> None:
    world = calm()
    found = started(world, *BOTH)
    assert [record.phase for record in found] == [Phase.ONLINE, Phase.ONLINE]
    assert [record.rung.cloud for record in found if record.rung] == [Cloud.AZURE, Cloud.EC2]
    one, other = (record.at[Phase.CREATED] - record.at[Phase.REQUESTED] for record in found)
    assert abs(one - other) < timedelta(minutes=1)


def test_two_launchers_that_saw_the_same_room_are_not_both_granted_it() -> None:
    world = calm()
    platform = world.platforms[Cloud.AZURE]
    platform.foreign["westus"] = 44
    runs = [replace(RUN, run_id=number) for number in (1, 2)]
    starts = [starting(world, [ask(run=run, overflow=False)]) for run in runs]

    world.stage.run(world.stage.now + timedelta(minutes=20))

    assert [process.ended for process in starts] == [True, False]
    assert platform.refused_by_quota == 0
    assert [lease.holder for lease in world.launcher().leases.leases()] == ["run-azure-1-1-1"]
    assert "the platform's quota leaves 1 units to the runners, 1 are leased" in str(world.told)


def test_second_start_of_the_same_machine_finds_the_first() -> None:
    world = calm()
    first = started(world, *BOTH)
    assert started(world, *BOTH) == first
    assert sum(len(platform.bill) for platform in world.platforms.values()) == 2


def test_after_success_nothing_is_left() -> None:
    world = calm()
    started(world, *BOTH)
    done(world, stopping(world, Result.SUCCESS))
    assert remains(world) == []


def test_failed_machine_is_kept_for_a_week_and_holds_no_vcpu() -> None:
    world = calm()
    for record in started(world, *BOTH):
        job(world, record, fails=True)
    world.stage.run(world.stage.now + timedelta(minutes=30))
    failed_at = world.stage.now
    done(world, stopping(world, Result.FAILURE))
    ended(world)
    assert [platform.used(region) for platform in world.platforms.values() for region in platform.limits] == [0, 0]
    assert "evidence run-azure-991-1-1" in remains(world)
    assert "stopped machine run-ec2-991-1-1" in remains(world)
    assert world.launcher().leases.leases() == []
    world.stage.run(failed_at + timedelta(days=7, minutes=-20))
    swept(world)
    assert any("evidence" in item for item in remains(world)), "a day early"
    world.stage.run(failed_at + timedelta(days=7, minutes=10))
    assert swept(world).plan.leaks == {}, "what ends in its time is no leak"
    assert remains(world) == []


def test_one_cloud_s_failure_does_not_fail_the_other() -> None:
    world = calm(Plan(azure_types=("Standard_D4s_v5",)))
    world.platforms[Cloud.AZURE].dice.weather = calm(capacity=1).dice.weather
    world.platforms[Cloud.EC2].dice = calm().dice
    found = done(world, starting(world, [ask(Cloud.AZURE, overflow=False), ask(Cloud.EC2)]))
    assert isinstance(found, list)
    assert isinstance(found[0], StartFailed)
    assert found[0].code is Code.CAPACITY
    assert isinstance(found[1], Record)


def test_without_a_machine_the_next_rung_is_tried_and_the_record_says_so() -> None:
    world = calm()
    world.platforms[Cloud.AZURE].dice = calm(capacity=1).dice
    found = started(world, ask(Cloud.AZURE))[0]
    assert found.rung
    assert found.rung.cloud is Cloud.EC2
    assert [(item.code, item.rung) for item in found.attempts] == [
        ("CAPACITY", "Standard_D4s_v5 in azure westus"),
        ("CAPACITY", "Standard_D4ds_v5 in azure westus"),
    ]


def test_job_that_asks_for_nested_kvm_overflows_only_to_machines_that_have_it() -> None:
    world = calm()
    world.platforms[Cloud.AZURE].dice = calm(capacity=1).dice
    found = started(world, ask(Cloud.AZURE, capability=Capability.KVM_NESTED))[0]
    assert found.rung
    assert found.rung.type == "m8i.xlarge"


def test_machine_without_its_hypervisor_is_never_registered() -> None:
    world = calm(hypervisor_absent=1)
    found = done(world, starting(world, [ask(Cloud.AZURE, overflow=False)]), minutes=60)
    assert isinstance(found, list)
    assert isinstance(found[0], StartFailed)
    assert found[0].code is Code.HYPERVISOR_ABSENT
    assert world.github.records == {}
    assert [item for item in remains(world) if "lease" in item or "machine" in item] == []


def test_machine_that_never_comes_online_has_a_deadline() -> None:
    world = calm(never_online=1)
    found = done(world, starting(world, [ask(Cloud.AZURE, overflow=False)]), minutes=60)
    assert isinstance(found, list)
    assert isinstance(found[0], StartFailed)
    assert found[0].code is Code.NETWORK
    assert "within 0:15:00" in str(found[0])


def test_when_all_units_are_taken_the_next_run_waits_its_turn_and_says_why() -> None:
    world = calm(Plan(azure={"westus": (8, 4)}))
    started(world)
    second = ask(Cloud.AZURE, run=_other(992), overflow=False)
    waiting = starting(world, [second])
    world.stage.run(world.stage.now + timedelta(minutes=30))
    assert not waiting.ended
    record = world.launcher().record(second.name.stack)
    assert record
    assert record.why == "azure-westus: 0 of 1 units are free"
    done(world, stopping(world, Result.SUCCESS))
    assert waiting.result[0].phase is Phase.ONLINE
    assert world.platforms[Cloud.AZURE].refused_by_quota == 0


def test_patient_claim_goes_to_the_other_cloud_and_says_which_and_why() -> None:
    world = calm(Plan(azure={"westus": (8, 4)}))
    started(world)
    found = started(world, ask(Cloud.AZURE, run=_other(992)))[0]
    assert found.rung
    assert found.rung.cloud is Cloud.EC2
    said = [text for about, text in world.told if about == found.stack]
    assert "waits: azure-westus: 0 of 1 units are free" in said
    assert any("instead of azure" in text for text in said)


def test_what_others_use_of_the_quota_is_left_to_them() -> None:
    world = calm()
    world.platforms[Cloud.AZURE].foreign["westus"] = 48
    waiting = starting(world, [ask(Cloud.AZURE, overflow=False)])
    world.stage.run(world.stage.now + timedelta(minutes=10))
    record = world.launcher().record("run-azure-991-1-1")
    assert record
    assert "the platform's quota leaves 0 units" in record.why
    world.platforms[Cloud.AZURE].foreign["westus"] = 0
    done(world, waiting)
    assert world.platforms[Cloud.AZURE].refused_by_quota == 0


def test_day_above_its_budget_queues() -> None:
    world = calm(Plan(daily_budget_usd=0.05))
    started(world)
    world.stage.run(world.stage.now + timedelta(hours=1))
    waiting = starting(world, [ask(run=_other(992))])
    world.stage.run(world.stage.now + timedelta(minutes=10))
    record = world.launcher().record("run-azure-992-1-1")
    assert record
    assert "the day's budget of 0.05 USD is spent" in record.why
    assert not waiting.ended


def test_job_run_again_finds_a_machine_under_the_label_it_waits_for() -> None:
    world = calm()
    first = started(world)[0]
    job(world, first, minutes=5, fails=True)
    world.stage.run(world.stage.now + timedelta(minutes=10))
    done(world, stopping(world, Result.FAILURE))
    ended(world)
    world.stage.run(world.stage.now + timedelta(hours=2))
    again = job(world, first, minutes=5)
    world.github.runs["rehearsal-org/km/991"] = None
    assert swept(world).restarted == (first.request.name.label,)
    world.stage.run(world.stage.now + timedelta(minutes=20))
    assert again.result == "success"
    assert "evidence run-azure-991-1-1" in remains(world), "evidence of the first failure stays"
    done(world, stopping(world, Result.SUCCESS))
    assert [item for item in remains(world) if "again" in item] == []


def test_one_job_runner_is_gone_from_github_after_its_job() -> None:
    world = calm()
    record = started(world, ask(serves=Serves.JOB))[0]
    done_job = job(world, record, minutes=5)
    world.stage.run(world.stage.now + timedelta(minutes=10))
    assert done_job.result == "success"
    assert world.github.records == {}


def test_machine_whose_stop_never_ran_is_swept_with_its_reason() -> None:
    world = calm()
    started(world, *BOTH)
    ended(world)
    world.stage.run(world.stage.now + timedelta(minutes=30))
    assert swept(world).plan.leaks == {Leak.LEFT_RUNNING: 2}
    assert remains(world) == []


def test_machine_of_a_failed_job_whose_stop_never_ran_is_kept_all_the_same() -> None:
    world = calm()
    job(world, started(world)[0], minutes=5, fails=True)
    world.stage.run(world.stage.now + timedelta(minutes=10))
    ended(world)
    world.stage.run(world.stage.now + timedelta(minutes=30))
    swept(world)
    assert "evidence run-azure-991-1-1" in remains(world)
    assert world.platforms[Cloud.AZURE].used("westus") == 0


def test_foreign_things_are_not_touched() -> None:
    world = calm()
    world.github.records["azure-runner-of-others"] = _foreign_runner()
    started(world)
    done(world, stopping(world, Result.SUCCESS))
    ended(world)
    world.stage.run(world.stage.now + timedelta(days=1))
    swept(world)
    assert remains(world) == ["runner azure-runner-of-others"]


@pytest.mark.parametrize("result", [Result.SUCCESS, Result.FAILURE])
def test_stop_can_run_twice(result: Result) -> None:
    world = calm()
    started(world, *BOTH)
    done(world, stopping(world, result))
    before = remains(world)
    done(world, stopping(world, result))
    assert remains(world) == before


def test_stop_of_a_run_without_machines_says_so() -> None:
    world = calm()
    with pytest.raises(Refusal, match="run rehearsal-org/km/991/1 started runners"):
        done(world, stopping(world, Result.SUCCESS))


def _other(run_id: int) -> Run:
    return replace(RUN, run_id=run_id)


def _foreign_runner() -> Runner:
    return Runner(4711, "azure-runner-of-others", Serves.RUN)
