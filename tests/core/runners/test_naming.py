"""Names of machines of runs: unique where they must be, legal in both clouds, told apart by people."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtci.core.names import named
from virtci.core.problems import Refusal
from virtci.core.runners.clouds import Cloud
from virtci.core.runners.naming import Run, RunnerName, is_ours, stack_of
from virtci.settings.types import Label

RUN = Run(repository="rehearsal-org/km", workflow="KM CI Pipeline", run_number=1279, run_id=991, attempt=1)
WORKFLOWS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=200).filter(
    lambda text: text.strip() and text.isprintable()
)


def name(cloud: Cloud = Cloud.AZURE, **changes: Any) -> RunnerName:
    values: dict[str, Any] = {
        "repository": "rehearsal-org/km",
        "workflow": "KM CI Pipeline",
        "run_number": 1279,
        "run_id": 991,
        "attempt": 1,
    }
    slot = changes.pop("slot", 1)
    return RunnerName(run=Run(**(values | changes)), cloud=cloud, slot=slot)


def test_people_see_the_name_that_they_know() -> None:
    assert name().shown == "azure-runner-KM-CI-Pipeline-1279"
    assert name(Cloud.EC2).shown == "ec2-runner-KM-CI-Pipeline-1279"
    assert name(attempt=2).shown == "azure-runner-KM-CI-Pipeline-1279-2"
    assert name(slot=2).shown == "azure-runner-KM-CI-Pipeline-1279-1-2"


@pytest.mark.parametrize(
    "change",
    [{"repository": "rehearsal-org/kkm"}, {"workflow": "KM CI"}, {"run_id": 992}, {"attempt": 2}, {"slot": 2}],
    ids=lambda change: next(iter(change)),
)
def test_label_is_of_one_repository_workflow_run_attempt_and_slot(change: dict[str, Any]) -> None:
    assert name(**change).label != name().label


def test_run_number_used_twice_makes_no_two_runs_one() -> None:
    assert name(run_id=992).label != name(run_id=993).label
    assert name(run_id=992).stack != name(run_id=993).stack


@given(WORKFLOWS, st.integers(1, 10**12), st.integers(1, 99))
def test_whatever_a_workflow_is_called_its_machines_have_legal_names(workflow: str, run_id: int, attempt: int) -> None:
    found = RunnerName(
        run=Run(repository="o/r", workflow=workflow, run_number=7, run_id=run_id, attempt=attempt), cloud=Cloud.EC2
    )
    assert named("virtual_machine", found.stack) == found.stack
    assert re.fullmatch(r"[A-Za-z0-9._-]{1,256}", found.shown)
    assert re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,255}", found.label)
    assert is_ours(found.label)
    assert stack_of(found.label) == found.stack


def test_machine_that_comes_back_has_the_label_of_the_first_and_a_stack_of_its_own() -> None:
    again = RunnerName(run=RUN, cloud=Cloud.AZURE, again=1)
    assert again.label == name().label
    assert again.stack == "run-azure-991-1-1-again-1"


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("repository", "km", "owner/name"),
        ("workflow", "  ", "printable"),
        ("workflow", "KM\nCI", "printable"),
        ("run_number", 0, "run number"),
        ("run_id", -1, "run id"),
        ("attempt", 0, "attempt"),
    ],
)
def test_what_names_no_run_is_refused(field: str, value: Any, rule: str) -> None:
    with pytest.raises(Refusal, match=rule):
        name(**{field: value})


@pytest.mark.parametrize("label", ["azure-runner-KM-1279", "virt-ci-gcp-1-1-1-00000000", "ubuntu-24.04", ""])
def test_label_of_others_is_not_ours(label: str) -> None:
    assert not is_ours(label)
    with pytest.raises(Refusal, match="label of ours"):
        stack_of(label)


def test_settings_take_the_label() -> None:
    from pydantic import TypeAdapter

    assert TypeAdapter(Label).validate_python(name().label)
