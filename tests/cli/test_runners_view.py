"""What people ask about on-demand runners, and how they bring one back, against clouds of a simulated town."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from tests.cli.runner_town import Caller, caller, needs, works
from virtci.cli.main import main
from virtci.core.runners.clouds import Cloud
from virtci.core.runners.requests import Phase


@pytest.fixture
def somebody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Caller:
    return caller(tmp_path, monkeypatch)


def test_one_table_shows_the_machines_of_both_clouds(somebody: Caller, capsys: pytest.CaptureFixture[str]) -> None:
    somebody.run("start")
    capsys.readouterr()

    assert somebody.run("list", "--json") == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["machine"] for row in rows] == ["azure-runner-KM-CI-Pipeline-1279", "ec2-runner-KM-CI-Pipeline-1279"]
    assert {row["runner"] for row in rows} == {"idle"}


@pytest.mark.parametrize(
    "word", ["991", "rehearsal-org/km/991/1", "run-azure-991-1-1", "azure-runner-KM-CI-Pipeline-1279"]
)
def test_a_run_is_shown_by_any_of_its_names(somebody: Caller, capsys: pytest.CaptureFixture[str], word: str) -> None:
    somebody.run("start", "--clouds", "azure")
    capsys.readouterr()

    assert somebody.run("show", word) == 0
    assert somebody.labels()["azure"] in capsys.readouterr().out


def test_a_label_that_is_unknown_is_refused(somebody: Caller, capsys: pytest.CaptureFixture[str]) -> None:
    assert somebody.run("show", "virt-ci-azure-1-1-1-00000000") == 3
    assert somebody.run("why-waiting", "ubuntu-24.04") == 3
    shown = capsys.readouterr().err
    assert "there is nothing to look at" in shown
    assert "a label of ours looks like virt-ci-azure-123-1-1-0123abcd" in shown


def test_a_run_that_is_over_is_still_shown_with_what_it_cost(
    somebody: Caller, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    somebody.run("start", "--clouds", "azure")
    works(somebody, "azure", fails=False)
    needs(monkeypatch, km_test="success")
    somebody.run("stop")
    capsys.readouterr()

    assert somebody.run("show", "991") == 0
    assert "no job failed" in capsys.readouterr().out
    assert somebody.run("cost", "--run", "991", "--json") == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["machines"] == 1
    assert figures["vcpuHours"] > 0
    assert 0 < figures["usd"] < 1


def test_the_cost_of_a_day_is_held_against_its_budget(somebody: Caller, capsys: pytest.CaptureFixture[str]) -> None:
    somebody.run("start")
    capsys.readouterr()

    assert somebody.run("cost") == 0
    assert "of 400 USD" in capsys.readouterr().out


def test_whoever_waits_is_told_for_what(somebody: Caller, capsys: pytest.CaptureFixture[str]) -> None:
    for platform in somebody.world.platforms.values():
        platform.foreign.update(dict.fromkeys(platform.foreign, 1_000))
    process = somebody.world.stage.spawn(
        "waits", lambda: main(["runners", "start", "--clouds", "azure", "--outputs", str(somebody.folder / "kontain.json"),
                               "--keys", str(somebody.keys), "--wait", "600"]),
    )  # fmt: skip

    somebody.world.stage.run(somebody.world.stage.now + timedelta(minutes=5))

    assert somebody.run("why-waiting") == 0
    assert not process.ended
    assert "the platform's quota leaves" in capsys.readouterr().out


def test_a_job_whose_machine_was_kept_hears_that_a_sweep_brings_another(
    somebody: Caller, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    somebody.run("start", "--clouds", "azure")
    needs(monkeypatch, km_test="failure")
    somebody.run("stop")
    works(somebody, "azure", fails=False)
    capsys.readouterr()

    assert somebody.run("why-waiting", somebody.labels()["azure"]) == 0
    assert "the next sweep starts another one" in " ".join(capsys.readouterr().out.split())


def test_a_machine_in_ec2_is_reached_through_session_manager(
    somebody: Caller, capsys: pytest.CaptureFixture[str]
) -> None:
    somebody.run("start", "--clouds", "ec2")
    capsys.readouterr()

    assert somebody.run("ssh", "991") == 0
    shown = capsys.readouterr().out
    assert shown.startswith("ssh -o 'ProxyCommand=aws ssm start-session --region us-east-2")
    assert "kontain@" in shown


def test_a_machine_in_azure_is_reached_from_the_range_that_the_stack_lets_in(
    somebody: Caller, capsys: pytest.CaptureFixture[str]
) -> None:
    somebody.run("start", "--clouds", "azure")
    capsys.readouterr()

    assert somebody.run("ssh", "991") == 3
    said = " ".join(capsys.readouterr().err.split())
    assert "the rules of their network let nobody in" in said
    assert "set runners.azure.regions.westus.entry to the range of a VPN" in said

    somebody.world.platforms[Cloud.AZURE].entry = "10.90.0.0/16"
    assert somebody.run("ssh", "991") == 0
    assert capsys.readouterr().out == "ssh kontain@10.70.0.4\n"


def test_logs_are_those_that_were_kept(
    somebody: Caller, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    somebody.run("start")
    assert somebody.run("logs", "991") == 3
    needs(monkeypatch, km_test="failure")
    somebody.run("stop")
    objects = somebody.world.objects
    objects.write("evidence/run-azure-991-1-1", {"serialLog": "kernel panic", "snapshot": "kept/run"}, None)

    assert somebody.run("logs", "991") == 0
    assert "kernel panic" in capsys.readouterr().out


@pytest.mark.parametrize("cloud", list(Cloud))
def test_a_kept_machine_comes_back_for_hours_with_units_and_is_kept_again(
    somebody: Caller, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], cloud: Cloud
) -> None:
    somebody.run("start", "--clouds", cloud)
    needs(monkeypatch, kkm_test_vms="failure")
    somebody.run("stop")
    somebody.ends()
    launcher = somebody.world.launcher()
    (before,) = launcher.records()

    assert somebody.run("revive", "991", "--hours", "4") == 0
    assert f"to log in: virtci runners ssh run-{cloud}-991-1-1" in capsys.readouterr().out
    (back,) = launcher.records()
    (machine,) = somebody.world.platforms[cloud].paid()
    assert back.phase is Phase.REVIVED
    assert [lease.slots[0] for lease in launcher.leases.leases()] == [back.slot] == [machine.slot]

    somebody.run("sweep")
    assert somebody.world.platforms[cloud].paid(), "its time is not over"
    somebody.world.stage.run(somebody.world.stage.now + timedelta(hours=4))
    somebody.run("sweep")
    (after,) = launcher.records()
    assert somebody.world.platforms[cloud].paid() == []
    assert launcher.leases.leases() == []
    assert (after.phase, after.keep_until) == (Phase.KEPT, before.keep_until)


@pytest.mark.parametrize(
    ("cloud", "result", "hours", "said"),
    [
        ("ec2", "success", "4", "all of it is gone"),
        ("ec2", "failure", "0", "at most 24 hours, not for 0"),
        ("ec2", "failure", "25", "at most 24 hours, not for 25"),
        ("azure", "success", "4", "all of it is gone"),
    ],
)
def test_what_cannot_come_back_is_said_and_holds_nothing(
    somebody: Caller,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    cloud: str,
    result: str,
    hours: str,
    said: str,
) -> None:
    somebody.run("start", "--clouds", cloud)
    needs(monkeypatch, tests=result)
    somebody.run("stop")

    assert somebody.run("revive", "991", "--hours", hours) == 3
    assert said in capsys.readouterr().err
    assert somebody.world.launcher().leases.leases() == []
