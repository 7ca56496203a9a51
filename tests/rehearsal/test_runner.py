"""A runner of the hub, rehearsed: it boots with its own text and is registered by the real code, or one learns why not."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest

from tests.outputs.sample import outputs
from tests.rehearsal.stage import Edit, Stage, stage
from tests.rehearsal.states import hub
from virtci.cli.environment_tables import show_runners
from virtci.core.boot_tags import Reason
from virtci.core.boot_tags import Stage as BootStage
from virtci.core.names import registration_secret
from virtci.fleet.registration import USED
from virtci.rehearsal import runner
from virtci.rehearsal.azure.secrets import held
from virtci.rehearsal.boot.sandbox import unavailable
from virtci.rehearsal.conductor import Conductor, StackResult
from virtci.rehearsal.endings import Ending
from virtci.rehearsal.report.page import render
from virtci.rehearsal.runner import Registration
from virtci.rehearsal.world import World, read_stacks

FIRST, SECOND = "kubevirt-gh-actions-runner-1", "kubevirt-gh-actions-runner-2"


@contextmanager
def rehearsed(folder: Path, edit: Edit) -> Iterator[tuple[Stage, StackResult]]:
    """The hub after its rehearsal, in clouds that are still there."""
    if unavailable():
        pytest.skip(unavailable())
    with stage(folder, ("hub",), edits={"hub": edit}) as on:
        stacks = read_stacks(("hub",), on.workspace.project)
        (result,) = Conductor(on.workspace, on.world, stacks, lambda *_: None).build()
        yield on, result


def two_runners(config: dict[str, Any]) -> None:
    config["virt-ci:hub"]["runners"]["names"] = [FIRST, SECOND]


def another_agent(config: dict[str, Any]) -> None:
    runners = config["virt-ci:hub"]["runners"]
    runners["names"], runners["agent"]["sha256"] = [FIRST], "a" * 64


def shown(capsys: pytest.CaptureFixture[str], result: StackResult) -> list[str]:
    """The lines of the table, each with single blanks."""
    show_runners([result])
    return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.engine
def test_first_runner_is_registered_through_the_vault_and_stands_for_all(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with rehearsed(tmp_path, two_runners) as (on, result):
        github = on.world.github.world
        secret = held(on.world.azure, "kubevirtkv", registration_secret(FIRST))[-1]
        on.world.journal.write(tmp_path / "calls.jsonl")

    assert (result.ending, result.runs["runner"].errors) == (Ending.GOOD, [])
    assert result.runner
    assert result.runner.boot
    assert result.runner.boot.boot
    assert result.runner.boot.boot.stage is BootStage.READY
    (known,) = github.runners.values()
    assert (known.name, known.online) == (FIRST, True)
    assert set(result.outputs["runnerLabels"]) <= set(known.labels)
    (token,) = github.registrations
    assert secret.value == USED
    assert token not in (tmp_path / "calls.jsonl").read_text()
    table = shown(capsys, result)
    assert f"{FIRST} ready, waited 5 s online, takes jobs of rehearsal-org/kubevirt" in table
    assert f"{SECOND} not booted - boots like the first" in table
    assert "online, takes jobs" in render([result], ())


@pytest.mark.engine
def test_agent_that_is_not_what_was_pinned_stops_the_boot_and_the_rehearsal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with rehearsed(tmp_path, another_agent) as (on, result):
        assert on.world.github.world.runners == {}
        assert held(on.world.azure, "kubevirtkv", registration_secret(FIRST))[-1].value == USED

    assert result.ending is Ending.REFUSED
    assert result.runner
    assert result.runner.boot
    assert result.runner.boot.boot
    assert result.runner.boot.boot.code is Reason.CHECKSUM
    table = " ".join(shown(capsys, result))
    assert f"{FIRST} failed takes no jobs" in table
    for text in (table, *result.runs["runner"].errors, render([result], ())):
        assert "CHECKSUM" in text
        assert "is not what was pinned" in text


def test_machine_without_namespaces_boots_no_runner_and_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(runner, "unavailable", lambda: "this machine gives no namespaces")
    registration = Registration(cast(World, None), outputs(), "octo-lab/kubevirt", "2.336.0")
    run, result = registration.perform(), hub()
    result.runner = registration.found

    assert (run.succeeded, run.errors) == (True, [])
    assert any(line.endswith("not booted - this machine gives no namespaces") for line in shown(capsys, result))
    page = render([result], ())
    assert "machine not booted" in page
    assert "this machine gives no namespaces" in page
