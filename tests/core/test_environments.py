"""The environment table, cell by cell, and what the label expressions select."""

import re
from itertools import product

import pytest

from virtci.core.environments import FOCUS, ROWS, Environment, Gate, TestScope, test_focus
from virtci.core.hypervisors import Hypervisor

TABLE = """
environment    | purpose                                            | gate | scope    | compute | hypervisor
dev            | fast feedback on new feature coverage              | on   | new      | machine | mshv
test-mshv      | full suite on the Microsoft hypervisor stack       | on   | all      | machine | mshv
test-kvm       | regression of the existing stable end-to-end set   | off  | existing | cluster | kvm
test-emulation | full suite under emulation                         | off  | all      | machine | emulation
"""
RUNS_NEW = {"dev": True, "test-mshv": True, "test-kvm": False, "test-emulation": True}
RUNS_EXISTING = {"dev": False, "test-mshv": True, "test-kvm": True, "test-emulation": True}
EXPECTED = {
    cells[0]: cells[1:]
    for cells in ([cell.strip() for cell in line.split("|")] for line in TABLE.strip().splitlines()[1:])
}
LABELS = ("l1hv-new", "mshv", "sig-compute", "sig-compute-migrations")


def selects(expression: str, labels: set[str]) -> bool:
    """Evaluates a label expression as ginkgo does, for the operators that we use."""
    translated = re.sub(
        r"[\w-]+|&&|\|\||!",
        lambda word: {"&&": " and ", "||": " or ", "!": " not "}.get(word[0]) or str(word[0] in labels),
        expression,
    )
    return bool(eval(translated, {"__builtins__": {}}))  # noqa: S307  made of True, False, and, or, not


def test_table_has_exactly_the_environments() -> None:
    assert list(EXPECTED) == [name.value for name in Environment] == [name.value for name in ROWS]


@pytest.mark.parametrize("environment", list(Environment))
def test_row_equals_the_table(environment: Environment) -> None:
    row = ROWS[environment]
    gate = "on" if row.gate_allowed else "off"
    assert [row.purpose, gate, row.scope.value, row.compute, row.hypervisor.value] == EXPECTED[environment.value]


@pytest.mark.parametrize("environment", list(Environment))
@pytest.mark.parametrize("sig", [set(), {"sig-compute"}, {"sig-storage"}])
def test_focus_selects_new_and_existing_tests_as_the_table_says(environment: Environment, sig: set[str]) -> None:
    focus = test_focus(environment)
    assert selects(focus, {"l1hv-new", *sig}) == RUNS_NEW[environment.value]
    assert selects(focus, sig) == RUNS_EXISTING[environment.value]


@pytest.mark.parametrize("environment", list(Environment))
def test_focus_is_never_empty_and_its_parentheses_match(environment: Environment) -> None:
    focus = test_focus(environment)
    assert re.search(r"\w", focus)
    assert focus.count("(") == focus.count(")")
    assert (focus[0], focus[-1]) == ("(", ")")


@pytest.mark.parametrize("environment", [name for name in Environment if ROWS[name].compute == "machine"])
def test_single_node_runs_no_migration(environment: Environment) -> None:
    assert not any(
        selects(test_focus(environment), {"sig-compute-migrations", *extra}) for extra in ((), ("l1hv-new",), ("mshv",))
    )


def test_cluster_runs_migrations_but_no_test_that_needs_mshv() -> None:
    assert selects(test_focus(Environment.TEST_KVM), {"sig-compute-migrations"})
    assert not selects(test_focus(Environment.TEST_KVM), {"sig-compute", "mshv"})


def test_every_test_is_run_somewhere() -> None:
    for choice in product([False, True], repeat=len(LABELS)):
        labels = {label for label, chosen in zip(LABELS, choice, strict=True) if chosen}
        if {"sig-compute-migrations", "l1hv-new"} <= labels or {"sig-compute-migrations", "mshv"} <= labels:
            continue  # needs two nodes and MSHV: no environment has both
        assert any(selects(test_focus(environment), labels) for environment in Environment), labels


def test_every_scope_has_an_expression() -> None:
    assert FOCUS.keys() == set(TestScope)


def test_gate_is_off_exactly_where_the_hypervisor_is_not_mshv() -> None:
    assert {name for name in Environment if ROWS[name].gate_allowed} == {
        name for name in Environment if ROWS[name].hypervisor is Hypervisor.MSHV
    }


def test_gate_names_are_closed() -> None:
    assert [gate.value for gate in Gate] == ["off", "HyperVL1VH", "ConfigurableHypervisor"]
