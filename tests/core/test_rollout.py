"""The phases of the rollout and the gate's default in each."""

import pytest

from virtci.core.environments import Gate
from virtci.core.rollout import CURRENT, PHASES, Phase, default_gate


def test_every_phase_stands_in_order_with_its_conditions() -> None:
    assert list(PHASES) == list(Phase)
    assert all(rollout.entered_when for rollout in PHASES.values())


@pytest.mark.parametrize("ready", [False, True])
@pytest.mark.parametrize("phase", [Phase.ALPHA, Phase.BETA])
def test_gate_is_off_by_default_before_general_availability(phase: Phase, ready: bool) -> None:
    assert default_gate(phase, Gate.HYPERV_L1VH, ready=ready) is Gate.OFF


@pytest.mark.parametrize("gate", [Gate.HYPERV_L1VH, Gate.CONFIGURABLE_HYPERVISOR])
def test_general_availability_switches_the_gate_on_only_where_the_cluster_is_ready(gate: Gate) -> None:
    assert default_gate(Phase.GA, gate, ready=True) is gate
    assert default_gate(Phase.GA, gate, ready=False) is Gate.OFF


def test_feature_is_alpha_today() -> None:
    assert default_gate(CURRENT, Gate.HYPERV_L1VH, ready=True) is Gate.OFF
