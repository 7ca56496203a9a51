"""The hypervisor decision, row by row, and what it makes of the KubeVirt resource."""

from itertools import product

import pytest

from virtci.core.decision import (
    DEVICE_RESOURCES,
    DOMAIN_TYPES,
    Devices,
    DomainType,
    decide,
    decide_on_node,
    gate_named,
    kubevirt_spec,
)
from virtci.core.environments import Gate
from virtci.core.hypervisors import Hypervisor
from virtci.core.problems import Refusal

# fmt: off
PODS = """
gate                   | /dev/mshv | /dev/kvm | emulation | domain type | asks for | fallback
off                    | no        | no       | no        | -           | kvm      | no
off                    | no        | no       | yes       | qemu        | -        | no
off                    | no        | yes      | no        | kvm         | kvm      | no
off                    | no        | yes      | yes       | kvm         | -        | no
off                    | yes       | no       | no        | -           | kvm      | no
off                    | yes       | no       | yes       | qemu        | -        | no
off                    | yes       | yes      | no        | kvm         | kvm      | no
off                    | yes       | yes      | yes       | kvm         | -        | no
HyperVL1VH             | no        | no       | no        | -           | kvm      | no
HyperVL1VH             | no        | no       | yes       | qemu        | -        | yes
HyperVL1VH             | no        | yes      | no        | kvm         | kvm      | yes
HyperVL1VH             | no        | yes      | yes       | kvm         | -        | yes
HyperVL1VH             | yes       | no       | no        | hyperv      | mshv     | no
HyperVL1VH             | yes       | no       | yes       | hyperv      | -        | no
HyperVL1VH             | yes       | yes      | no        | hyperv      | mshv     | no
HyperVL1VH             | yes       | yes      | yes       | hyperv      | -        | no
ConfigurableHypervisor | no        | no       | no        | -           | mshv     | no
ConfigurableHypervisor | no        | no       | yes       | qemu        | -        | yes
ConfigurableHypervisor | no        | yes      | no        | -           | mshv     | no
ConfigurableHypervisor | no        | yes      | yes       | qemu        | -        | yes
ConfigurableHypervisor | yes       | no       | no        | hyperv      | mshv     | no
ConfigurableHypervisor | yes       | no       | yes       | hyperv      | -        | no
ConfigurableHypervisor | yes       | yes      | no        | hyperv      | mshv     | no
ConfigurableHypervisor | yes       | yes      | yes       | hyperv      | -        | no
"""
NODES_WITH_EMULATION = {Gate.OFF: False, Gate.HYPERV_L1VH: True, Gate.CONFIGURABLE_HYPERVISOR: True}
"""On a node, emulation keeps the devices from every pod: whatever it has, the type is qemu. Value: is it a fallback?"""
# fmt: on
Row = tuple[Gate, Devices, bool, str, str, bool]
YES = {"yes": True, "no": False}


def rows() -> list[Row]:
    found: list[Row] = []
    for line in PODS.strip().splitlines()[1:]:
        gate, mshv, kvm, emulation, domain, asks, fallback = (cell.strip() for cell in line.split("|"))
        found.append((Gate(gate), Devices(mshv=YES[mshv], kvm=YES[kvm]), YES[emulation], domain, asks, YES[fallback]))
    return found


ROWS = rows()


def test_truth_table_holds_every_combination_once() -> None:
    combinations = product(Gate, (False, True), (False, True), (False, True))

    assert [(gate, d.mshv, d.kvm, emulation) for gate, d, emulation, *_ in ROWS] == list(combinations)


@pytest.mark.parametrize(("gate", "devices", "emulation", "domain", "asks", "fallback"), ROWS)
def test_decision_equals_the_truth_table(
    gate: Gate, devices: Devices, emulation: bool, domain: str, asks: str, fallback: bool
) -> None:
    decision = decide(gate, devices, emulation)

    assert (decision.domain_type or "-") == domain
    assert (decision.device_resource or "-").removeprefix("devices.kubevirt.io/") == asks
    assert decision.fallback == fallback
    assert decision.runs == (domain != "-")


@pytest.mark.parametrize(("gate", "devices", "emulation"), [row[:3] for row in ROWS])
def test_log_is_one_line_that_names_gate_missing_device_and_outcome(
    gate: Gate, devices: Devices, emulation: bool
) -> None:
    decision = decide(gate, devices, emulation)
    outcome = f"domain type {decision.domain_type}" if decision.runs else "no virtual machine starts"

    assert "\n" not in decision.log
    assert decision.log.startswith("gate off" if gate is Gate.OFF else f"gate {gate} on")
    assert decision.log.endswith(outcome)
    assert ("falls back" in decision.log) == decision.fallback
    if gate is not Gate.OFF and not devices.mshv:
        assert "/dev/mshv does not open" in decision.log


@pytest.mark.parametrize(("devices", "emulation"), [row[1:3] for row in ROWS if row[0] is Gate.OFF])
def test_gate_off_is_the_same_whatever_mshv_does(devices: Devices, emulation: bool) -> None:
    other = Devices(mshv=not devices.mshv, kvm=devices.kvm)

    assert decide(Gate.OFF, devices, emulation) == decide(Gate.OFF, other, emulation)


@pytest.mark.parametrize("emulation", [False, True])
@pytest.mark.parametrize("kvm", [False, True])
def test_gate_of_the_fork_without_the_device_chooses_what_stock_kubevirt_does(kvm: bool, emulation: bool) -> None:
    devices = Devices(mshv=False, kvm=kvm)
    stock = decide(Gate.OFF, devices, emulation)
    forked = decide(Gate.HYPERV_L1VH, devices, emulation)

    assert (forked.runs, forked.domain_type, forked.device_resource) == (
        stock.runs,
        stock.domain_type,
        stock.device_resource,
    )


def test_upstream_gate_never_falls_back_to_kvm() -> None:
    decision = decide(Gate.CONFIGURABLE_HYPERVISOR, Devices(mshv=False, kvm=True), use_emulation=False)

    assert not decision.runs
    assert decision.hypervisor is None
    assert decision.domain_type is None
    assert "no fallback to KVM" in decision.log


@pytest.mark.parametrize(("gate", "devices", "emulation"), [row[:3] for row in ROWS])
def test_on_a_node_emulation_keeps_every_device_from_pods(gate: Gate, devices: Devices, emulation: bool) -> None:
    decision = decide_on_node(gate, devices, emulation)

    if not emulation:
        assert decision == decide(gate, devices, use_emulation=False)
    else:
        assert (decision.domain_type, decision.device_resource) == (DomainType.QEMU, None)
        assert decision.fallback == NODES_WITH_EMULATION[gate]


def test_names_are_those_of_libvirt_and_kubevirt() -> None:
    assert DOMAIN_TYPES == {Hypervisor.MSHV: "hyperv", Hypervisor.KVM: "kvm", Hypervisor.EMULATION: "qemu"}
    assert DEVICE_RESOURCES == {Hypervisor.MSHV: "devices.kubevirt.io/mshv", Hypervisor.KVM: "devices.kubevirt.io/kvm"}


@pytest.mark.parametrize("gate", list(Gate))
def test_gate_has_its_name(gate: Gate) -> None:
    assert gate_named(gate.value) is gate


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("HyperVL1HV", "did you mean `HyperVL1VH`?"),
        ("ConfigurableHypervisors", "did you mean `ConfigurableHypervisor`?"),
        ("LiveMigration", "one of: ConfigurableHypervisor, HyperVL1VH, off"),
        ("", "one of: ConfigurableHypervisor, HyperVL1VH, off"),
    ],
)
def test_unknown_gate_is_refused_with_the_known_ones(name: str, hint: str) -> None:
    with pytest.raises(Refusal) as refused:
        gate_named(name)

    assert f"`{name}`" in refused.value.rule
    assert all(gate.value in refused.value.rule for gate in Gate)
    assert "any string" in refused.value.consequence
    assert refused.value.fix == hint


def test_resource_of_a_machine_with_the_gate_of_the_fork() -> None:
    spec = kubevirt_spec(Gate.HYPERV_L1VH, use_emulation=False, single_node=True, control_plane_nodes=True)

    assert spec == {
        "configuration": {"developerConfiguration": {"featureGates": ["HyperVL1VH"]}},
        "infra": {"replicas": 1},
    }


def test_resource_with_the_upstream_gate_names_the_hypervisor() -> None:
    spec = kubevirt_spec(Gate.CONFIGURABLE_HYPERVISOR, use_emulation=False, single_node=True, control_plane_nodes=True)

    assert spec["configuration"] == {
        "developerConfiguration": {"featureGates": ["ConfigurableHypervisor"]},
        "hypervisors": [{"name": "hyperv-direct"}],
    }


def test_resource_with_the_gate_off_says_so_with_an_empty_list() -> None:
    spec = kubevirt_spec(Gate.OFF, use_emulation=True, single_node=True, control_plane_nodes=True)

    assert spec["configuration"] == {"developerConfiguration": {"featureGates": [], "useEmulation": True}}


def test_cluster_without_control_plane_nodes_places_the_components_itself() -> None:
    spec = kubevirt_spec(Gate.OFF, use_emulation=False, single_node=False, control_plane_nodes=False)

    assert spec["infra"] == {"nodePlacement": {"nodeSelector": {"kubernetes.io/os": "linux"}}}
    assert "infra" not in kubevirt_spec(Gate.OFF, use_emulation=False, single_node=False, control_plane_nodes=True)
