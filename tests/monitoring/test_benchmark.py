"""The comparison of a hypervisor with the baseline of KVM."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from tests.real_programs import run
from virtci.core.environments import Environment
from virtci.core.hypervisors import Hypervisor
from virtci.core.problems import Refusal
from virtci.monitoring.benchmark import (
    ENOUGH,
    MEMORY_LIMIT,
    STARTS,
    Measurement,
    compare,
    measure,
    memory,
    starts,
    startup,
    workload,
)

STARTUP = "kubevirt_vmi_phase_transition_time_from_creation_seconds"
ANSWERS = {starts(150): "29.6", startup(150): "12.5", memory("virt-ci"): "3.1e+08"}
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


def asked(answers: Callable[[str], dict[str, Any]]) -> Measurement:
    return measure(Environment.TEST_MSHV, Hypervisor.MSHV, answers, "virt-ci", 150)


def test_prometheus_is_asked_for_what_started_in_the_time_of_the_workload() -> None:
    found = asked(lambda query: answer(ANSWERS[query]))

    assert found == mshv(starts=29.6, startup_p95_seconds=12.5, memory_bytes=3.1e8)


@pytest.mark.parametrize(
    "given_answer",
    [answer(None), {"status": "error", "error": "timeout"}, {"status": "success", "data": {"result": []}}],
)
def test_prometheus_that_knows_nothing_is_named(given_answer: dict[str, Any]) -> None:
    with pytest.raises(Refusal, match="Prometheus of test-mshv knows starts of the workload; it gave 0 values"):
        asked(lambda _: given_answer)


@pytest.mark.parametrize(
    ("query", "value", "rule"),
    [(starts(150), "3", "at least 20 starts"), (memory("virt-ci"), "NaN", "memory of test-mshv")],
)
def test_a_measurement_that_says_nothing_is_refused_where_it_is_made(query: str, value: str, rule: str) -> None:
    with pytest.raises(Refusal, match=rule):
        asked(lambda asked_for: answer(value if asked_for == query else ANSWERS[asked_for]))


@pytest.mark.program("promtool")
def test_neither_the_suite_before_nor_machines_of_others_count(tmp_path: Path) -> None:
    # A sample every 30 s. The suite: 100 slow starts up to minute 5. The workload: 30 starts of 10 to 20 s after minute 7,
    # some of them counted by a process that began to count only then.
    series = {
        f'{STARTUP}_bucket{{phase="Running", pod="a", le="10"}}': "0x40",
        f'{STARTUP}_bucket{{phase="Running", pod="a", le="20"}}': "0x15 10 20x24",
        f'{STARTUP}_bucket{{phase="Running", pod="a", le="+Inf"}}': "0+10x10 100x4 110 120x24",
        f'{STARTUP}_count{{phase="Running", pod="a"}}': "0+10x10 100x4 110 120x24",
        f'{STARTUP}_count{{phase="Scheduling", pod="a"}}': "0+10x40",
        f'{STARTUP}_bucket{{phase="Running", pod="b", le="10"}}': "_x16 0x24",
        f'{STARTUP}_bucket{{phase="Running", pod="b", le="20"}}': "_x16 10x24",
        f'{STARTUP}_bucket{{phase="Running", pod="b", le="+Inf"}}': "_x16 10x24",
        f'{STARTUP}_count{{phase="Running", pod="b"}}': "_x16 10x24",
        'kubevirt_vmi_memory_resident_bytes{namespace="virt-ci", name="benchmark-01"}': "100x40",
        'kubevirt_vmi_memory_resident_bytes{namespace="virt-ci", name="benchmark-02"}': "200x40",
        'kubevirt_vmi_memory_resident_bytes{namespace="virt-ci", name="smoke-1"}': "9000x40",
        'kubevirt_vmi_memory_resident_bytes{namespace="kubevirt-test-default1", name="benchmark-01"}': "9000x40",
    }
    expected = {starts(180): 30, startup(180): 19.5, memory("virt-ci"): 150}
    expressions = [
        {"expr": text, "eval_time": "10m", "exp_samples": [{"labels": "{}", "value": value}]}
        for text, value in expected.items()
    ]
    inputs = [{"series": name, "values": values} for name, values in series.items()]
    group = {"interval": "30s", "input_series": inputs, "promql_expr_test": expressions}
    (tmp_path / "test.yaml").write_text(json.dumps({"rule_files": [], "evaluation_interval": "30s", "tests": [group]}))

    said = run("promtool", "test", "rules", str(tmp_path / "test.yaml"))

    assert said.returncode == 0, said.stdout + said.stderr


def test_workload_is_the_same_machine_under_different_names() -> None:
    machines = workload(IMAGE, "virt-ci")

    assert len({item["metadata"]["name"] for item in machines}) == len(machines) == STARTS > ENOUGH
    assert all(item["spec"] == machines[0]["spec"] for item in machines)
    assert machines[0]["spec"]["volumes"] == [{"name": "disk", "containerDisk": {"image": IMAGE}}]
    assert {item["metadata"]["namespace"] for item in machines} == {"virt-ci"}
