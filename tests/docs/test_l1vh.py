"""`docs/l1vh.md` says what the tables and functions of the domain say."""

import inspect
from itertools import product

import pytest
import yaml

from tests.committed import ROOT
from virtci.core import capabilities as capability_module
from virtci.core import readiness
from virtci.core.capabilities import capabilities
from virtci.core.decision import Devices, decide
from virtci.core.environments import SINGLE_NODE, Gate
from virtci.core.hypervisors import Hypervisor
from virtci.core.label_filters import EVERYWHERE, ONE_NODE, SEVERAL_NODES
from virtci.core.rollout import CURRENT, PHASES
from virtci.monitoring.rules import rules

TEXT = (ROOT / "docs" / "l1vh.md").read_text()
OUTCOMES = {Hypervisor.MSHV: "L1VH", Hypervisor.KVM: "KVM", Hypervisor.EMULATION: "emulation", None: "does not start"}
YES = {True: "yes", False: "no"}


def rows(heading: str) -> list[list[str]]:
    """The body of the table under a heading."""
    section = TEXT.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def test_requirements_are_those_of_the_table() -> None:
    assert rows("What a cluster needs") == [[row.what, row.minimum, row.why] for row in capabilities().values()]


@pytest.mark.parametrize(
    ("gate", "mshv", "kvm", "emulation"), list(product(Gate, (True, False), (True, False), (True, False)))
)
def test_each_combination_has_one_row_with_the_outcome_of_the_decision(
    gate: Gate, mshv: bool, kvm: bool, emulation: bool
) -> None:
    decision = decide(gate, Devices(mshv=mshv, kvm=kvm), emulation)
    outcome = OUTCOMES[decision.hypervisor] + (", fallback" if decision.fallback else "")
    cells = (gate.value, YES[mshv], YES[kvm], YES[emulation])

    matching = [
        row
        for row in rows("Which hypervisor a virtual machine gets")
        if all(cell in (shown, "any") for cell, shown in zip(row[:4], cells, strict=True))
    ]

    assert [row[4] for row in matching] == [outcome]


def test_messages_are_those_of_the_readiness_check() -> None:
    source = inspect.getsource(readiness) + inspect.getsource(capability_module)
    for message, meaning, fix in rows("When a cluster is ready"):
        assert meaning
        assert fix
        for part in message.strip("`").replace("/dev/mshv", "/dev/{hypervisor}").split("…"):
            assert part.strip() in source, message


def test_phases_are_those_of_the_rollout() -> None:
    assert rows("Rollout and rollback") == [
        [phase.value, rollout.default.value, "; ".join(rollout.entered_when)] for phase, rollout in PHASES.items()
    ]
    assert f"The feature is in {CURRENT}." in TEXT


def test_labels_that_are_left_out_are_listed_with_the_reasons() -> None:
    shown = [row for row in rows("What the end-to-end tests leave out") if row[1] != f"`{SINGLE_NODE.strip('!')}`"]
    groups = (("everywhere", EVERYWHERE), ("one node", ONE_NODE), ("several nodes", SEVERAL_NODES))

    assert shown == [
        [where, ", ".join(f"`{label}`" for label in item.labels), item.why] for where, items in groups for item in items
    ]


def test_every_alert_is_listed_with_its_gate() -> None:
    found = {row[0].strip("`"): row[2] for row in rows("What is measured")}
    alerts = {gate: names(gate) for gate in Gate}

    assert list(found) == names(Gate.HYPERV_L1VH)
    for name, gate in found.items():
        expected = {"any": set(Gate), "any, if there is a limit": set(Gate), "on": set(Gate) - {Gate.OFF}}
        assert {item for item in Gate if name in alerts[item]} == expected.get(gate, {Gate.HYPERV_L1VH})


def names(gate: Gate) -> list[str]:
    """The alerts of a cluster with this gate and a limit of startup."""
    groups = yaml.safe_load(rules(gate, 30.0))["groups"]
    return [rule["alert"] for group in groups for rule in group["rules"] if "alert" in rule]
