"""The commands of day two as a person runs them: exit codes, what goes to which stream, and no secret in either."""

import json
import re
import stat
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from tests.fleet.simulated_fleet import MACHINE, SimulatedFleet
from tests.fleet.test_power import kubeconfig
from virtci.cli.main import main
from virtci.fleet import waiting


@pytest.fixture(autouse=True)
def _rehearsed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIRTCI_CLOUDS", str(tmp_path / "clouds.json"))


def run(on: SimulatedFleet, *arguments: str) -> int:
    return main([*arguments, "--outputs", *map(str, on.files)])


def test_the_status_of_all_environments_is_a_page_and_a_code(
    fleet: SimulatedFleet,
    capsys: pytest.CaptureFixture[str],
) -> None:
    fleet.tell("ready", "boot-1", hypervisor="kvm", reason="/dev/mshv: the image is not a dom0qemu image")

    code = run(fleet, "status")

    shown = capsys.readouterr().out
    assert code == 2
    assert f"dev  (machine {MACHINE})" in shown
    assert "test-kvm  (cluster aks)" in shown
    assert re.search(r"^!\s+boot\s+ready", shown, re.MULTILINE)
    assert "fix: docs/runbooks/hypervisor-absent.md" in shown
    assert "never published" in shown


def test_the_status_for_tools_has_every_fact_with_its_level(
    fleet: SimulatedFleet,
    capsys: pytest.CaptureFixture[str],
) -> None:
    fleet.power_off()

    code = run(fleet, "status", "dev", "--json")

    found = json.loads(capsys.readouterr().out)
    levels = {fact["name"]: fact["level"] for fact in found["environments"][0]["facts"]}
    assert code == 1, "a budget that cannot be read is no reason to say that all is good"
    assert levels["power"] == "good"
    assert levels["cluster"] == levels["kubeconfig"] == "asleep"
    assert found["stacks"][0]["facts"][0]["level"] == "unknown"


def test_an_environment_with_a_typo_gets_the_right_name(
    fleet: SimulatedFleet,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(fleet, "status", "test-kmv") == 1
    assert "did you mean `test-kvm`?" in capsys.readouterr().err


def test_outputs_that_cannot_be_read_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "broken.json").write_text('{"contractVersion": 1, "stack": "x"}')

    assert main(["wake", "dev", "--outputs", str(tmp_path / "broken.json")]) == 3
    assert "broken.json keeps the output contract: region" in capsys.readouterr().err
    assert main(["wake", "dev", "--outputs", str(tmp_path / "none.json")]) == 3
    assert "none.json is a file with the outputs of a stack" in capsys.readouterr().err


@pytest.mark.cluster
def test_an_environment_is_woken_and_parked_and_the_one_who_woke_it_is_told(
    awake: SimulatedFleet,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(waiting, "sleep", lambda _: awake.tell("ready", "boot-2"))

    assert run(awake, "park", "dev") == 0
    assert capsys.readouterr().out == "parked=true\n"
    assert run(awake, "park", "dev") == 0
    assert capsys.readouterr().out == "parked=false\n"
    assert run(awake, "wake", "dev") == 0
    woken = capsys.readouterr()
    assert woken.out == "woken=true\n"
    assert f"{MACHINE} is parked; starting it" in woken.err
    assert run(awake, "wake", "dev") == 0
    assert capsys.readouterr().out == "woken=false\n"


def test_a_boot_that_fails_is_said_in_two_lines(
    fleet: SimulatedFleet,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fleet.power_off()
    monkeypatch.setattr(waiting, "sleep", lambda _: fleet.tell("failed", "boot-2", reason="DISK: no space left"))

    assert run(fleet, "wake", "dev") == 3
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines()[-2:] == [
        f"machine {MACHINE} boots to its end; DISK: no space left",
        "fix: give the machine a larger disk (osDiskGib)",
    ]


def test_a_kubeconfig_goes_into_a_file_of_its_own_and_nowhere_else(
    fleet: SimulatedFleet,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    fleet.publish(kubeconfig().replace("token: t", "token: a-very-secret-token"))
    file = tmp_path / "kubeconfig"

    assert run(fleet, "kubeconfig", "dev", "--to", str(file)) == 0

    said = capsys.readouterr()
    assert "a-very-secret-token" in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "a-very-secret-token" not in said.out + said.err
    assert "deployment in `dev`, good until" in said.err


def test_an_expired_kubeconfig_is_not_written(
    fleet: SimulatedFleet,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    fleet.publish(kubeconfig(), timedelta(hours=-1))

    assert run(fleet, "kubeconfig", "dev", "--to", str(tmp_path / "kubeconfig")) == 3
    assert not (tmp_path / "kubeconfig").exists()
    assert "the kubeconfig of `dev` is good; it expired" in capsys.readouterr().err


def test_a_folder_that_is_not_there_is_named(
    fleet: SimulatedFleet,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    fleet.publish(kubeconfig())

    assert run(fleet, "kubeconfig", "dev", "--to", str(tmp_path / "none" / "kubeconfig")) == 3
    assert "none/kubeconfig" in capsys.readouterr().err


@pytest.mark.parametrize("hours", ["0", "25"])
def test_a_token_for_tests_lasts_a_day_at_most(
    fleet: SimulatedFleet,
    tmp_path: Path,
    hours: str,
) -> None:
    assert run(fleet, "kubeconfig", "dev", "--to", str(tmp_path / "k"), "--for", "tests", "--hours", hours) == 3


@pytest.mark.cluster
def test_the_tests_get_a_kubeconfig_of_their_own(
    awake: SimulatedFleet,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from kubernetes.client import CoreV1Api

    from virtci.fleet.clouds import kubernetes

    assert awake.plane is not None
    with kubernetes(awake.plane.kubeconfig) as api:
        CoreV1Api(api).create_namespaced_service_account("virt-ci", {"metadata": {"name": "tests"}})

    assert run(awake, "kubeconfig", "dev", "--to", str(tmp_path / "k"), "--for", "tests", "--hours", "2") == 0
    assert yaml.safe_load((tmp_path / "k").read_text())["current-context"] == "dev-tests"
    assert "tests in `dev`, good until" in capsys.readouterr().err


@pytest.mark.cluster
def test_a_kubeconfig_is_rotated_through_the_cluster(
    awake: SimulatedFleet,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(waiting, "sleep", lambda _: awake.publish())

    assert run(awake, "rotate", "kubeconfig", "dev") == 0
    said = capsys.readouterr()
    assert said.out.startswith("`dev` has a new kubeconfig in kubevirtkv; it is good until")
    assert "the old one does for 10 more minutes" in said.err


def test_a_cluster_has_no_kubeconfig_to_rotate_and_that_is_no_failure(
    fleet: SimulatedFleet,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(fleet, "rotate", "kubeconfig", "test-kvm") == 0
    assert "There is nothing to rotate" in capsys.readouterr().out


def told(outputs: dict[str, str]) -> dict[str, object]:
    """What the commands ask the engine for, when no files are named."""
    return {"stacks": lambda: sorted(outputs), "stack_output": lambda stack: outputs[stack]}


def test_without_files_the_engine_is_asked_for_every_stack_that_was_deployed(
    fleet: SimulatedFleet,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hub, test = (file.read_text() for file in fleet.files)
    for name, value in told({"hub": hub, "test": test, "dev-kubevirt": "{}"}).items():
        monkeypatch.setattr(f"virtci.cli.targets.{name}", value)

    assert main(["rotate", "kubeconfig", "test-kvm"]) == 0
    assert "There is nothing to rotate" in capsys.readouterr().out


def test_a_hub_that_was_never_deployed_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in told({"hub": "{}\n", "dev": "{}"}).items():
        monkeypatch.setattr(f"virtci.cli.targets.{name}", value)

    assert main(["status"]) == 1
    assert "stack `dev` was deployed; it has no outputs\nfix: pulumi up --stack dev" in capsys.readouterr().err


def test_a_state_that_nobody_is_logged_in_to_is_said_with_the_engines_own_words(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import subprocess

    def refused(stack: str) -> str:
        raise subprocess.CalledProcessError(255, ["pulumi"], stderr=f"error: no stack named '{stack}' found\n")

    monkeypatch.setattr("virtci.cli.targets.stacks", lambda: ["hub"])
    monkeypatch.setattr("virtci.cli.targets.stack_output", refused)

    assert main(["park", "dev"]) == 3
    assert "the fleet is not known: error: no stack named 'hub' found" in capsys.readouterr().err
