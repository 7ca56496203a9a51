"""Readiness of a cluster: all nodes or none, and what follows for the gate."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from tests.core.probe_documents import ABSENT, LOCKED, MEASURED_AT, OPENS, node, probe, record
from virtci.core.environments import Gate
from virtci.core.hypervisors import Hypervisor
from virtci.core.problems import Refusal
from virtci.core.readiness import (
    Readiness,
    WhenNotReady,
    judge,
    parse_record,
    require_complete,
    require_fresh,
    settle,
)

AT = datetime.fromisoformat(MEASURED_AT)
GATES_ON = [Gate.HYPERV_L1VH, Gate.CONFIGURABLE_HYPERVISOR]
CAPABLE = probe()
INCAPABLE = probe(mshv=ABSENT)


def judged(*nodes: dict[str, Any], hypervisor: Hypervisor = Hypervisor.MSHV) -> Readiness:
    return judge(parse_record(record(*nodes)), hypervisor)


def refusal(text: str) -> str:
    with pytest.raises(Refusal) as refused:
        parse_record(text)
    assert refused.value.fix
    return refused.value.rule


def test_cluster_of_capable_nodes_is_ready() -> None:
    found = judged(node("n1", CAPABLE), node("n2", CAPABLE))

    assert found.ready
    assert (found.nodes, found.incapable, found.measured_at) == (("n1", "n2"), {}, AT)
    assert found.message == "ready for mshv: all 2 of 2 schedulable nodes"


def test_partly_capable_cluster_is_not_ready_and_names_the_node_with_its_reason() -> None:
    found = judged(node("n1", CAPABLE), node("n2", INCAPABLE), node("n3", CAPABLE))

    assert not found.ready
    assert found.incapable == {"n2": ("/dev/mshv does not exist",)}
    assert found.message == ("not ready for mshv: 1 of 3 schedulable nodes incapable (n2: /dev/mshv does not exist)")


def test_cluster_without_nodes_is_not_ready() -> None:
    found = judged()

    assert not found.ready
    assert found.message == "not ready for mshv: the cluster has no schedulable node"


def test_device_that_does_not_open_is_no_device() -> None:
    assert judged(node("n1", probe(mshv=LOCKED))).incapable == {
        "n1": ("/dev/mshv exists but does not open: permission denied",)
    }


def test_old_software_makes_a_node_incapable_even_with_the_device() -> None:
    found = judged(node("n1", probe(kernel="6.5.0.mshv", memoryMiB=8000)))

    assert [reason.split(":")[0] for reason in found.incapable["n1"]] == ["memory 8000 MiB", "kernel 6.5.0.mshv"]


@pytest.mark.parametrize("hypervisor", [Hypervisor.MSHV, Hypervisor.KVM])
def test_node_whose_probe_failed_is_incapable_with_the_reason(hypervisor: Hypervisor) -> None:
    found = judged(
        node("n1", CAPABLE), node("n2", None, "pod virtci-probe-n2: ImagePullBackOff"), hypervisor=hypervisor
    )

    assert found.incapable["n2"] == ("its probe failed: pod virtci-probe-n2: ImagePullBackOff",)


@pytest.mark.parametrize(
    ("kvm", "reasons"),
    [
        (OPENS, {}),
        (ABSENT, {"n1": ("/dev/kvm does not exist",)}),
        (LOCKED, {"n1": ("/dev/kvm exists but does not open: permission denied",)}),
    ],
)
def test_kvm_needs_its_own_device_and_nothing_of_l1vh(kvm: dict[str, Any], reasons: dict[str, Any]) -> None:
    document = probe(kernel="5.15.0", memoryMiB=4096, mshv=ABSENT, kvm=kvm)

    assert judged(node("n1", document), hypervisor=Hypervisor.KVM).incapable == reasons


def test_emulation_needs_nothing_but_a_node() -> None:
    assert judged(node("n1", None, "timeout"), hypervisor=Hypervisor.EMULATION).ready
    assert not judged(hypervisor=Hypervisor.EMULATION).ready


@given(some.lists(some.booleans(), max_size=8))
def test_ready_means_that_every_node_is_capable(capable: list[bool]) -> None:
    nodes = [node(f"n{index}", CAPABLE if item else INCAPABLE) for index, item in enumerate(capable)]
    found = judged(*nodes)

    assert found.ready == (bool(capable) and all(capable))
    assert set(found.incapable) == {f"n{index}" for index, item in enumerate(capable) if not item}


@pytest.mark.parametrize("gate", GATES_ON)
@pytest.mark.parametrize("choice", list(WhenNotReady))
def test_ready_cluster_gets_the_gate(gate: Gate, choice: WhenNotReady) -> None:
    settled = settle(gate, judged(node("n1", CAPABLE)), choice)

    assert (settled.gate, settled.fallback) == (gate, False)
    assert settled.message == f"gate {gate} on; ready for mshv: all 1 of 1 schedulable nodes"


@pytest.mark.parametrize("gate", GATES_ON)
def test_cluster_that_is_not_ready_is_refused_with_node_rule_and_fix(gate: Gate) -> None:
    with pytest.raises(Refusal) as refused:
        settle(gate, judged(node("n1", CAPABLE), node("n2", INCAPABLE)), WhenNotReady.FAIL)

    assert refused.value.rule == (
        f"every schedulable node has what L1VH needs before gate {gate} goes on; "
        "not ready for mshv: 1 of 2 schedulable nodes incapable (n2: /dev/mshv does not exist)"
    )
    assert "whole cluster" in refused.value.consequence
    assert "dom0qemu image" in refused.value.fix
    assert "whenNotReady: fallback" in refused.value.fix


@pytest.mark.parametrize("gate", GATES_ON)
def test_cluster_that_is_not_ready_goes_on_without_the_gate_when_told_to(gate: Gate) -> None:
    settled = settle(gate, judged(node("n2", INCAPABLE)), WhenNotReady.FALLBACK)

    assert (settled.gate, settled.fallback) == (Gate.OFF, True)
    assert settled.message.startswith(f"fallback: gate {gate} was asked for and stays off, stock KubeVirt; not ready")
    assert "n2: /dev/mshv does not exist" in settled.message


@pytest.mark.parametrize("choice", list(WhenNotReady))
@pytest.mark.parametrize("document", [CAPABLE, INCAPABLE])
def test_gate_can_always_be_switched_off(choice: WhenNotReady, document: dict[str, Any]) -> None:
    settled = settle(Gate.OFF, judged(node("n1", document)), choice)

    assert (settled.gate, settled.fallback) == (Gate.OFF, False)


def test_missing_kvm_is_refused_although_the_gate_is_off() -> None:
    readiness = judged(node("n1", probe(mshv=ABSENT)), hypervisor=Hypervisor.KVM)

    with pytest.raises(Refusal, match=r"what kvm needs.*n1: /dev/kvm does not exist"):
        settle(Gate.OFF, readiness, WhenNotReady.FAIL)
    settled = settle(Gate.OFF, readiness, WhenNotReady.FALLBACK)
    assert (settled.gate, settled.fallback) == (Gate.OFF, False)
    assert settled.message.startswith("gate off, stock KubeVirt, although not ready for kvm")


def test_gate_is_not_settled_by_a_judgement_for_another_hypervisor() -> None:
    with pytest.raises(ValueError, match="needs a judgement for mshv, not for kvm"):
        settle(Gate.HYPERV_L1VH, judged(node("n1", probe(kvm=OPENS)), hypervisor=Hypervisor.KVM), WhenNotReady.FAIL)


@pytest.mark.parametrize("age", [timedelta(minutes=-2), timedelta(0), timedelta(hours=1)])
def test_record_of_an_age_up_to_the_limit_is_fresh(age: timedelta) -> None:
    require_fresh(parse_record(record()), AT + age, timedelta(hours=1))


@pytest.mark.parametrize(
    ("age", "said"),
    [
        (timedelta(hours=1, seconds=1), "1 h ago"),
        (timedelta(days=2, minutes=5), "2 d 5 min ago"),
        (timedelta(minutes=-3), "3 min from now"),
    ],
)
def test_stale_record_is_refused_with_its_age(age: timedelta, said: str) -> None:
    with pytest.raises(Refusal) as refused:
        require_fresh(parse_record(record()), AT + age, timedelta(hours=1))

    assert refused.value.rule == (f"the readiness record is at most 1 h old; it was measured {MEASURED_AT}, {said}")


def test_record_that_covers_every_schedulable_node_is_complete() -> None:
    require_complete(parse_record(record(node("n1", CAPABLE), node("n2", CAPABLE))), {"n1": "uid-of-n1"})


def test_node_that_joined_later_or_was_replaced_is_named() -> None:
    schedulable = {"n1": "uid-of-n1", "n2": "uid-of-another", "n3": "uid-of-n3"}

    with pytest.raises(Refusal, match=r"not measured: n2, n3$"):
        require_complete(parse_record(record(node("n1", CAPABLE), node("n2", CAPABLE))), schedulable)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"version": 2}, "readiness record: version: is 2; this program reads version 1"),
        ({"measuredAt": "yesterday"}, "readiness record: measuredAt: `yesterday` is no ISO 8601 time"),
        ({"measuredAt": "2026-05-04T10:00:00"}, "readiness record: measuredAt: `2026-05-04T10:00:00` is not in UTC"),
        ({"measuredAt": "2026-05-04T10:00:00+02:00"}, "readiness record: measuredAt: `2026-05-04T10:00:00+02:00` is not in UTC"),
        ({"nodes": {}}, "readiness record: nodes: {} is not of type 'array'"),
        ({"extra": 1}, "readiness record: document: Additional properties are not allowed ('extra' was unexpected)"),
    ],
)  # fmt: skip
def test_wrong_record_is_refused_by_field(change: dict[str, Any], rule: str) -> None:
    assert refusal(json.dumps(json.loads(record()) | change)) == rule


@pytest.mark.parametrize(
    ("entry", "rule"),
    [
        ({**node("n2", CAPABLE), "uid": ""}, "readiness record: nodes.n2.uid: "),
        ({"node": "n2", "probe": CAPABLE, "error": ""}, "readiness record: nodes.n2: 'uid' is a required property"),
        (node("n2", {**CAPABLE, "memoryMiB": "much"}), "node n2: memoryMiB: 'much' is not of type 'integer'"),
        (node("n2", {**CAPABLE, "version": 3}), "node n2: version: is 3; this program reads version 1"),
        (node("n2", None), "node n2: error: is empty although there is no probe"),
        (node("n1", CAPABLE), "readiness record: node n1 is listed 2 times"),
    ],
)
def test_wrong_entry_is_refused_by_node_and_field(entry: dict[str, Any], rule: str) -> None:
    assert refusal(record(node("n1", CAPABLE), entry)).startswith(rule)


def test_record_that_is_no_json_is_refused() -> None:
    assert refusal("").startswith("readiness record: is JSON (")
