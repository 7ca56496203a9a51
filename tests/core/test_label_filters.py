"""Label filters: what they hold, and what ginkgo's own parser makes of them."""

import re
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as some

from tests.real_programs import run
from virtci.core.environments import ROWS, Environment, test_focus
from virtci.core.label_filters import exclusions, known_labels, label_filter, label_problems
from virtci.core.tables import table

# fmt: off
SELECTED = """
a test with the labels               | dev | test-mshv | test-kvm | test-emulation
l1hv-new                             | yes | yes       | no       | yes
l1hv-new sig-compute                 | yes | yes       | no       | yes
l1hv-new mshv                        | yes | yes       | no       | yes
sig-compute mshv                     | no  | yes       | no       | yes
sig-compute                          | no  | yes       | yes      | yes
sig-network conformance              | no  | yes       | yes      | yes
sig-compute Serial                   | no  | yes       | yes      | yes
sig-compute-migrations               | no  | no        | yes      | no
sig-compute l1hv-new sig-compute-migrations | no | no    | no       | no
sig-compute requires-two-schedulable-nodes | no | no     | yes      | no
sig-operator multi-replica           | no  | no        | yes      | no
sig-operator single-replica          | no  | yes       | no       | yes
sig-storage                          | no  | no        | no       | no
sig-compute storage-req              | no  | no        | no       | no
l1hv-new QUARANTINE                  | no  | no        | no       | no
sig-compute flake-check              | no  | no        | no       | no
sig-compute PERIODIC                 | no  | no        | no       | no
sig-compute requireHugepages2Mi      | no  | no        | no       | no
sig-compute requireHugepages1Gi      | no  | no        | no       | no
sig-compute SwapTest                 | no  | no        | no       | no
sig-compute GPU                      | no  | no        | no       | no
sig-network SRIOV                    | no  | no        | no       | no
sig-network requires-dual-stack-cluster | no | no       | no       | no
sig-compute SEV                      | no  | no        | no       | no
sig-compute requires-arm64           | no  | no        | no       | no
sig-compute requires-amd64           | no  | yes       | yes      | yes
"""
# fmt: on
TYPOS = [
    ("l1hv-nwe", "did you mean `l1hv-new`?"),
    ("l1vh-new", "did you mean `l1hv-new`?"),
    ("sig-comput", "did you mean `sig-compute`?"),
    ("QUARANTEEN", "did you mean `QUARANTINE`?"),
]
SYNTAX = ["(&&!flake-check)", "(sig-compute", "sig-compute)", "sig-compute && ", "!(a,,b)", "a !b", "()"]


def table_rows() -> list[tuple[Environment, str, bool]]:
    head, *lines = [[cell.strip() for cell in line.split("|")] for line in SELECTED.strip().splitlines()]
    return [
        (Environment(name), cells[0], cell == "yes")
        for cells in lines
        for name, cell in zip(head[1:], cells[1:], strict=True)
    ]


def selected(text: str, label_sets: Sequence[str]) -> list[str]:
    arguments = [argument for labels in label_sets for argument in ("--labels", labels.replace(" ", ","))]
    answer = run("label-filter", *arguments, text)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout.split()


@pytest.mark.program("label-filter")
@pytest.mark.parametrize("environment", list(Environment))
def test_ginkgo_selects_what_the_table_says(environment: Environment) -> None:
    rows = [(labels, expected) for name, labels, expected in table_rows() if name is environment]

    answers = selected(label_filter(environment, test_focus(environment)), [labels for labels, _ in rows])

    assert len(rows) == 26
    assert dict(zip([labels for labels, _ in rows], answers, strict=True)) == {
        labels: str(expected).lower() for labels, expected in rows
    }


@pytest.mark.program("label-filter")
@pytest.mark.parametrize("environment", list(Environment))
def test_ginkgo_leaves_out_every_excluded_label(environment: Environment) -> None:
    labels = [label for item in exclusions(environment) for label in item.labels]

    answers = selected(label_filter(environment, test_focus(environment)), [f"l1hv-new {label}" for label in labels])

    assert set(answers) == {"false"}


@pytest.mark.program("label-filter")
@pytest.mark.parametrize("text", SYNTAX)
def test_ginkgo_refuses_broken_filters(text: str) -> None:
    answer = run("label-filter", text)

    assert answer.returncode == 1
    assert "Syntax Error" in answer.stderr


@pytest.mark.program("label-filter")
@pytest.mark.parametrize(("typo", "hint"), TYPOS)
def test_typo_that_ginkgo_takes_is_found(typo: str, hint: str) -> None:
    text = f"({typo} && !Windows)"

    (problem,) = label_problems(text, "environments.dev.focus")

    assert (problem.key, problem.value) == ("environments.dev.focus", typo)
    assert problem.fix.startswith(hint)
    assert run("label-filter", text).returncode == 0


@pytest.mark.parametrize("text", ["", "  ", "()", "(&&!)", "!"])
def test_filter_without_a_label_is_a_problem(text: str) -> None:
    (problem,) = label_problems(text)

    assert problem.rule == "a label filter names at least one label"
    assert problem.value == text


def test_each_unknown_label_is_reported_once() -> None:
    assert [item.value for item in label_problems("(foo || !bar) && foo && (sig-compute, baz)")] == [
        "foo",
        "bar",
        "baz",
    ]


@pytest.mark.program("label-filter")
def test_letter_case_is_ginkgos_business() -> None:
    assert label_problems("quarantine && SIG-COMPUTE") == []
    assert selected("quarantine", ["QUARANTINE"]) == ["true"]


@pytest.mark.program("label-filter")
def test_regular_expressions_and_label_sets_are_left_to_the_parser() -> None:
    text = "/^sig-.*/ && version: containsAny {1.8, 1.9}"

    assert label_problems("/^sig-.*/ && sig-compute") == []
    assert run("label-filter", text).returncode == 0
    assert label_problems(text) == []


@pytest.mark.parametrize("environment", list(Environment))
def test_filter_of_an_environment_has_no_problem_and_no_character_that_a_shell_would_change(
    environment: Environment,
) -> None:
    text = label_filter(environment, test_focus(environment))

    assert label_problems(text) == []
    assert re.fullmatch(r"[\w !&|(),-]+", text)


@pytest.mark.parametrize("environment", list(Environment))
def test_every_exclusion_says_why_and_is_made_once(environment: Environment) -> None:
    found = exclusions(environment)
    labels = [label for item in found for label in item.labels]

    assert all(item.why for item in found)
    assert len(labels) == len(set(labels))


def test_replicas_decide_which_replica_tests_are_left_out() -> None:
    for environment in Environment:
        labels = {label for item in exclusions(environment) for label in item.labels}
        one_node = ROWS[environment].compute == "machine"
        assert ("multi-replica" in labels, "single-replica" in labels) == (one_node, not one_node)


@given(some.lists(some.sampled_from(sorted(known_labels())), min_size=1, max_size=5))
def test_known_labels_are_no_problem_however_they_are_joined(labels: list[str]) -> None:
    assert label_problems(" && ".join(f"!({label}, {label})" for label in labels)) == []


def test_labels_of_the_table_are_different_words() -> None:
    found = table("test-labels")
    words = [word.lower() for part in ("labels", "elsewhere", "filters_only", "own") for word in found[part]]

    assert len(words) == len(set(words))
