"""`virtci runners …` as workflows and people run it, against clouds of a simulated town."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.cli.runner_town import KEY, OUTPUTS, Caller, caller, needs
from tests.rehearsal.runners.lives import remains
from virtci.cli.main import main
from virtci.core.runners.clouds import Cloud
from virtci.core.runners.failures import Code
from virtci.fleet.runners.ports import StartFailed

PRIVATE = "-----BEGIN OPENSSH " + "PRIVATE KEY-----\nx\n"


@pytest.fixture
def somebody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Caller:
    return caller(tmp_path, monkeypatch)


def test_a_start_gives_a_label_for_each_cloud_and_says_where_the_machines_are(
    somebody: Caller, capsys: pytest.CaptureFixture[str]
) -> None:
    code = somebody.run("start", "--capability", "azure=kvm-nested,ec2=none")

    labels = somebody.labels()
    assert code == 0
    assert list(labels) == ["azure", "ec2"]
    assert {label for label, runner in somebody.world.github.records.items() if runner.machine} == set(labels.values())
    assert "m5.xlarge in ec2" in capsys.readouterr().out
    assert "| `azure` | `online` |" in somebody.summary
    assert "of 400 USD" in somebody.summary


def test_the_keys_of_people_reach_the_machines_without_their_comments(
    somebody: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    declared: list[list[str]] = []
    up = somebody.world.backend.up

    def noting(name: str, runner: Mapping[str, Any]) -> None:
        declared.append(runner["keys"])
        up(name, runner)

    monkeypatch.setattr(somebody.world.backend, "up", noting)

    somebody.run("start", "--clouds", "azure")

    assert declared == [[KEY]]


def test_what_fails_in_one_cloud_fails_there_alone(
    somebody: Caller, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def none(region: str) -> str:
        raise StartFailed(Code.IMAGE, f"no version of L0BaseImage is offered for {region}")

    monkeypatch.setattr(somebody.world.platforms[Cloud.EC2], "image", none)

    code = somebody.run("start", "--no-overflow")

    assert code == 1
    assert list(somebody.labels()) == ["azure"]
    assert "IMAGE" in capsys.readouterr().out
    assert "`the image is missing or does not boot`" in somebody.summary


def test_an_image_without_versions_is_said_and_leaves_nothing(
    somebody: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(region: str) -> str:
        raise StartFailed(Code.IMAGE, f"no version of L0BaseImage is offered for {region}")

    for platform in somebody.world.platforms.values():
        monkeypatch.setattr(platform, "image", none)

    assert somebody.run("start") == 2
    assert somebody.labels() == {}
    assert remains(somebody.world) == []
    assert "no version of L0BaseImage is offered for westus" in somebody.summary


def test_a_start_that_is_run_again_finds_the_same_machines(somebody: Caller) -> None:
    somebody.run("start")
    first = somebody.labels()

    assert somebody.run("start") == 0
    assert somebody.labels() == first
    assert sum(len(platform.bill) for platform in somebody.world.platforms.values()) == 2


@pytest.mark.parametrize("workflow", ["a/b c", "Prüfung 試験", "x" * 200, "%0A::set-output ::"])
def test_any_name_of_a_workflow_is_made_legal(somebody: Caller, monkeypatch: pytest.MonkeyPatch, workflow: str) -> None:
    monkeypatch.setenv("GITHUB_WORKFLOW", workflow)

    assert somebody.run("start", "--clouds", "azure") == 0
    assert somebody.labels()["azure"].startswith("virt-ci-azure-991-1-1-")


def test_a_run_number_that_is_used_twice_is_another_run(somebody: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    somebody.run("start", "--clouds", "azure")
    first = somebody.labels()["azure"]
    monkeypatch.setenv("GITHUB_RUN_ID", "992")
    somebody.world.github.runs["rehearsal-org/km/992"] = None

    assert somebody.run("start", "--clouds", "azure") == 0
    assert somebody.labels()["azure"] != first
    assert len(somebody.world.platforms[Cloud.AZURE].alive) == 2


@pytest.mark.parametrize(
    ("options", "variables", "said"),
    [
        (["--clouds", "azur"], {}, "did you mean `azure`?"),
        (["--capability", "azure=kvm"], {}, "emulation, kvm-metal, kvm-nested"),
        (["--capability", "kvm-nested"], {}, "written CLOUD=CAPABILITY"),
        (["--clouds", "azure", "--capability", "ec2=none"], {}, "add ec2 to the clouds"),
        (
            ["--clouds", "azure", "--no-overflow", "--capability", "azure=kvm-metal"],
            {},
            "some machine has the capability",
        ),
        ([], {"GITHUB_RUN_ID": "", "GITHUB_RUN_ATTEMPT": "x"}, "set GITHUB_RUN_ID, GITHUB_RUN_ATTEMPT"),
        ([], {"GITHUB_WORKFLOW": " "}, "printable characters"),
        ([], {"GITHUB_REPOSITORY": "other/km"}, "are for rehearsal-org/km, not for other/km"),
    ],
)
def test_what_cannot_be_is_one_clear_error_and_leaves_nothing(
    somebody: Caller,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    variables: dict[str, str],
    said: str,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    assert somebody.run("start", *options) == 3
    shown = capsys.readouterr().err
    assert said in shown
    assert shown.count("fix: ") == 1
    assert remains(somebody.world) == []
    assert somebody.world.objects.writes == 0


def test_a_private_key_in_the_folder_of_keys_is_refused_and_not_shown(
    somebody: Caller, capsys: pytest.CaptureFixture[str]
) -> None:
    (somebody.keys / "ada").write_text(PRIVATE)

    assert somebody.run("start") == 2
    shown = capsys.readouterr()
    assert "a folder of public keys holds no private key" in shown.err
    assert "BEGIN" not in shown.err + shown.out
    assert remains(somebody.world) == []


def test_without_a_token_nothing_is_asked_of_anybody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as patched:
        waiting = caller(tmp_path, patched)
    for name in ("GITHUB_TOKEN", "GITHUB_OUTPUT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("VIRTCI_CLOUDS", str(tmp_path / "clouds.json"))

    assert main(["runners", "list", "--outputs", str(waiting.folder / "kontain.json")]) == 3
    assert "GITHUB_TOKEN holds a token for GitHub" in capsys.readouterr().err


def test_outputs_of_another_stack_are_refused(somebody: Caller, capsys: pytest.CaptureFixture[str]) -> None:
    other = {name: value for name, value in OUTPUTS.items() if name != "runners"} | {"stack": "hub"}
    (somebody.folder / "kontain.json").write_text(json.dumps(other))

    assert somebody.run("start") == 3
    assert "stack `hub` declares on-demand runners" in capsys.readouterr().err


def test_outputs_may_stand_in_the_list_that_the_variable_holds(somebody: Caller) -> None:
    hub = {"contractVersion": 1, "stack": "hub", "region": "westus"}
    (somebody.folder / "kontain.json").write_text(json.dumps([hub, OUTPUTS]))

    assert somebody.run("start", "--clouds", "azure") == 0


def test_after_a_success_nothing_is_left(somebody: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    somebody.run("start")
    needs(monkeypatch, start_runners="success", km_test="success")

    assert somebody.run("stop") == 0
    assert remains(somebody.world) == []
    assert "vCPU-hours" in somebody.summary
    assert "### Runners: destroyed, because no job failed" in somebody.summary


def test_after_a_failure_the_machines_are_kept_without_vcpu(
    somebody: Caller, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    somebody.run("start")
    needs(monkeypatch, km_test="failure", kkm_test_vms="success")

    assert somebody.run("stop") == 0
    assert [item.state.value for item in somebody.world.platforms[Cloud.EC2].alive.values()] == ["stopped"]
    assert not somebody.world.platforms[Cloud.AZURE].alive
    assert "kept until" in capsys.readouterr().out
    assert "virtci runners revive 991" in somebody.summary


def test_a_stop_of_one_cloud_leaves_the_other_at_work(somebody: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    somebody.run("start")
    needs(monkeypatch, km_test="success")

    assert somebody.run("stop", "--clouds", "azure") == 0
    assert not somebody.world.platforms[Cloud.AZURE].alive
    assert somebody.world.platforms[Cloud.EC2].alive


def test_a_start_that_failed_in_the_other_cloud_keeps_no_machine(
    somebody: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    somebody.run("start", "--clouds", "azure")
    needs(monkeypatch, start_runners="failure", km_test="success")

    assert somebody.run("stop", "--clouds", "azure") == 0
    assert remains(somebody.world) == []


@pytest.mark.parametrize("text", ["", "no json", "[]"])
def test_a_stop_without_results_decides_nothing(
    somebody: Caller, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    somebody.run("start", "--clouds", "azure")
    monkeypatch.setenv("NEEDS", text)

    assert somebody.run("stop") == 3
    assert "NEEDS: ${{ toJSON(needs) }}" in capsys.readouterr().err
    assert somebody.world.platforms[Cloud.AZURE].alive


def test_a_dry_sweep_names_the_leak_and_touches_nothing(somebody: Caller, capsys: pytest.CaptureFixture[str]) -> None:
    somebody.run("start", "--clouds", "azure")
    somebody.ends()
    somebody.run("list")
    capsys.readouterr()

    assert somebody.run("sweep", "--dry-run", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["leaks"]["left-running"] == 1
    assert [item["leak"] for item in found["actions"]] == ["machine whose run has ended"]
    assert somebody.world.platforms[Cloud.AZURE].alive
    assert "dry run" in somebody.summary


def test_a_sweep_takes_down_what_a_lost_run_left(somebody: Caller, capsys: pytest.CaptureFixture[str]) -> None:
    somebody.run("start")
    somebody.ends()
    somebody.run("list")

    assert somebody.run("sweep") == 0
    assert remains(somebody.world) == []
    assert "machine whose run has ended" in capsys.readouterr().out


def test_what_a_sweep_cannot_do_is_said_and_makes_it_red(somebody: Caller, capsys: pytest.CaptureFixture[str]) -> None:
    somebody.run("start", "--clouds", "azure")
    somebody.ends()
    somebody.run("list")
    dice = somebody.world.backend.dice
    dice.weather = replace(dice.weather, destroy_breaks=1.0)

    assert somebody.run("sweep") == 1
    assert "did not work: run-azure-991-1-1: destroy" in capsys.readouterr().err
    assert "did not work" in somebody.summary
