"""What a cluster gets: the whole table of gate, nodes and choice."""

import pytest

from tests.committed import readiness_record
from virtci.core.cluster_choice import Choice, choose
from virtci.core.environments import Environment, Gate
from virtci.core.hypervisors import Hypervisor
from virtci.core.problems import Refusal
from virtci.core.readiness import WhenNotReady, parse_record

MSHV, KVM, EMULATION = Hypervisor.MSHV, Hypervisor.KVM, Hypervisor.EMULATION


def chosen(gate: Gate, *nodes: Hypervisor, when: WhenNotReady = WhenNotReady.FAIL) -> Choice:
    """The choice for a development cluster with these nodes."""
    return choose(Environment.DEV, gate, when, parse_record(readiness_record(*nodes)))


@pytest.mark.parametrize("gate", [Gate.HYPERV_L1VH, Gate.CONFIGURABLE_HYPERVISOR])
def test_capable_nodes_get_the_declared_gate(gate: Gate) -> None:
    choice = chosen(gate, MSHV, MSHV)

    assert (choice.gate, choice.fallback, choice.hypervisor) == (gate, False, MSHV)
    assert choice.readiness is not None
    assert choice.readiness.ready


def test_one_incapable_node_stops_it_and_is_named() -> None:
    with pytest.raises(Refusal) as refusal:
        chosen(Gate.HYPERV_L1VH, MSHV, EMULATION)

    assert "node-1" in refusal.value.rule
    assert "node-0:" not in refusal.value.rule


def test_one_incapable_node_with_fallback_leaves_the_gate_off_and_says_so() -> None:
    choice = chosen(Gate.HYPERV_L1VH, KVM, KVM, when=WhenNotReady.FALLBACK)

    assert (choice.gate, choice.declared, choice.fallback) == (Gate.OFF, Gate.HYPERV_L1VH, True)
    assert choice.hypervisor is KVM
    assert "fallback" in choice.reason
    assert "node-0" in choice.reason


def test_nodes_that_differ_have_no_common_hypervisor() -> None:
    assert chosen(Gate.HYPERV_L1VH, MSHV, KVM, when=WhenNotReady.FALLBACK).hypervisor is None


def test_a_gate_that_is_declared_off_needs_no_record() -> None:
    choice = choose(Environment.TEST_KVM, Gate.OFF, WhenNotReady.FAIL, None)

    assert (choice.gate, choice.readiness, choice.hypervisor, choice.use_emulation) == (Gate.OFF, None, KVM, False)


def test_the_environment_of_emulation_emulates() -> None:
    choice = choose(Environment.TEST_EMULATION, Gate.OFF, WhenNotReady.FAIL, None)

    assert (choice.hypervisor, choice.use_emulation) == (EMULATION, True)


def test_a_gate_that_is_on_without_a_record_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="readiness record"):
        choose(Environment.DEV, Gate.HYPERV_L1VH, WhenNotReady.FAIL, None)
