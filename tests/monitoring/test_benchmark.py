"""The comparison of a hypervisor with the baseline of KVM."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from virtci.core.environments import Environment
from virtci.core.hypervisors import Hypervisor
from virtci.core.problems import Refusal
from virtci.monitoring.benchmark import ENOUGH, MEMORY_LIMIT, STARTS, Measurement, compare, measure, workload

ANSWERS = {
    "virtci:vm_startups:count": "29.6",
    "virtci:vm_startup_seconds:p95": "12.5",
    "virtci:vm_memory_resident_bytes:avg": "3.1e+08",
}
IMAGE = "registry.example/cirros@sha256:" + "0" * 64


def measured(environment: Environment, hypervisor: Hypervisor, **changes: float) -> Measurement:
    values = {"starts": 30.0, "startup_p95_seconds": 10.0, "memory_bytes": 1000.0, **changes}
    return Measurement(environment=environment, hypervisor=hypervisor, **values)


def kvm(**changes: float) -> Measurement:
    return measured(Environment.TEST_KVM, Hypervisor.KVM, **changes)


def mshv(**changes: float) -> Measurement:
    return measured(Environment.TEST_MSHV, Hypervisor.MSHV, **changes)


def answer(value: str | None) -> dict[str, Any]:
    result = [] if value is None else [{"metric": {}, "value": [1777888000.0, value]}]
    return {"status": "success", "data": {"resultType": "vector", "result": result}}


def test_candidate_within_the_limits_passes() -> None:
    found = compare(kvm(), mshv(startup_p95_seconds=12.0, memory_bytes=1049.0), startup_limit=1.2)

    assert found.passed
    assert found.startup_ratio == pytest.approx(1.2)
    assert found.memory_overhead == pytest.approx(0.049)


def test_slow_startup_is_a_fault_with_both_times() -> None:
    found = compare(kvm(), mshv(startup_p95_seconds=15.0), startup_limit=1.2)

    assert found.faults == (
        "test-mshv: startup takes 15 s (95th percentile), 1.50 times the 10 s of test-kvm; at most 1.2 times",
    )


@pytest.mark.parametrize(("memory", "faults"), [(1049.9, 0), (1050.0, 1), (1200.0, 1), (900.0, 0)])
def test_memory_must_stay_below_the_limit_of_the_plan(memory: float, faults: int) -> None:
    found = compare(kvm(), mshv(memory_bytes=memory), startup_limit=1.0)

    assert len(found.faults) == faults
    assert all("more memory than in test-kvm; less than 5%" in item for item in found.faults)


def test_both_faults_are_reported() -> None:
    assert len(compare(kvm(), mshv(startup_p95_seconds=99.0, memory_bytes=9999.0), 2.0).faults) == 2


@given(some.floats(0.1, 1000), some.floats(1, 1e12), some.floats(0.1, 1000), some.floats(1, 1e12), some.floats(0.5, 5))
def test_verdict_is_that_of_the_two_limits(
    base_time: float, base_memory: float, time: float, memory: float, limit: float
) -> None:
    found = compare(
        kvm(startup_p95_seconds=base_time, memory_bytes=base_memory),
        mshv(startup_p95_seconds=time, memory_bytes=memory),
        limit,
    )

    assert found.passed == (time / base_time <= limit and (memory - base_memory) / base_memory < MEMORY_LIMIT)


def test_baseline_must_be_kvm() -> None:
    with pytest.raises(Refusal, match="baseline is measured on kvm; test-mshv has mshv"):
        compare(mshv(), mshv(), 1.2)


@pytest.mark.parametrize("side", ["baseline", "candidate"])
@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"starts": ENOUGH - 0.1}, "at least 20 starts"),
        ({"startup_p95_seconds": float("nan")}, "startup of .* is a number above zero; it is nan"),
        ({"startup_p95_seconds": float("inf")}, "startup of .* it is inf"),
        ({"memory_bytes": 0.0}, "memory of .* it is 0"),
    ],
)
def test_measurement_that_says_nothing_is_refused(side: str, changes: dict[str, float], rule: str) -> None:
    baseline = kvm(**changes) if side == "baseline" else kvm()
    candidate = mshv(**changes) if side == "candidate" else mshv()

    with pytest.raises(Refusal, match=rule) as refused:
        compare(baseline, candidate, 1.2)
    assert (Environment.TEST_KVM if side == "baseline" else Environment.TEST_MSHV) in refused.value.rule


def test_prometheus_is_asked_for_the_recorded_values() -> None:
    found = measure(Environment.TEST_MSHV, Hypervisor.MSHV, lambda query: answer(ANSWERS[query]))

    assert found == mshv(starts=29.6, startup_p95_seconds=12.5, memory_bytes=3.1e8)


@pytest.mark.parametrize(
    "given_answer",
    [answer(None), {"status": "error", "error": "timeout"}, {"status": "success", "data": {"result": []}}],
)
def test_prometheus_that_recorded_nothing_is_named(given_answer: dict[str, Any]) -> None:
    with pytest.raises(Refusal, match="Prometheus of test-mshv has one value of virtci:vm_startups:count; it gave 0"):
        measure(Environment.TEST_MSHV, Hypervisor.MSHV, lambda _: given_answer)


def test_workload_is_the_same_machine_under_different_names() -> None:
    machines = workload(IMAGE, "virt-ci")

    assert len({item["metadata"]["name"] for item in machines}) == len(machines) == STARTS > ENOUGH
    assert all(item["spec"] == machines[0]["spec"] for item in machines)
    assert machines[0]["spec"]["volumes"] == [{"name": "disk", "containerDisk": {"image": IMAGE}}]
    assert {item["metadata"]["namespace"] for item in machines} == {"virt-ci"}
