"""`virtci rehearse` from the outside: what it says and how it ends."""

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from virtci.cli import rehearse
from virtci.cli.main import main
from virtci.places import ENGINE, ROOT
from virtci.rehearsal.endings import Ending

VIRTCI = ROOT / ".venv" / "bin" / "virtci"
SECONDS = 120


def test_without_an_engine_it_says_how_to_get_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(rehearse, "ENGINE", tmp_path)

    assert main(["rehearse"]) == Ending.NO_ENGINE
    assert "run `make setup`" in capsys.readouterr().err


def test_without_space_it_says_how_much_is_needed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=10 * 2**20))

    assert main(["rehearse"]) == Ending.NO_SPACE
    assert "10 MiB are free" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["{", '{"faults": [{"statsu": 500}]}', '{"faults": [{"status": 200}]}'])
def test_a_fault_plan_that_is_none_is_refused(tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    plan = tmp_path / "plan.json"
    plan.write_text(text)

    assert main(["rehearse", "--fault", str(plan)]) == Ending.BAD_SETTINGS
    assert "cannot be read" in capsys.readouterr().err


def test_the_help_lists_every_exit_code() -> None:
    for ending in Ending:
        assert f"{ending.value} {ending.name.lower().replace('_', ' ')}" in rehearse.ENDINGS


@pytest.mark.engine
def test_a_planned_fault_ends_in_the_services_words_and_a_tool_can_read_it(tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    refused = {"operation": "PUT", "target": "*/vaults/kubevirtkv", "status": 409, "code": "VaultAlreadyExists"}
    plan.write_text(json.dumps({"faults": [refused]}))
    command = [str(VIRTCI), "rehearse", "--stack", "hub", "--fault", str(plan), "--json", "--leave", str(tmp_path)]

    finished = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)

    result = json.loads(finished.stdout)[0]
    assert finished.returncode == Ending.REFUSED
    assert result["ending"] == "refused"
    assert "VaultAlreadyExists" in " ".join(result["errors"])


@pytest.mark.engine
def test_an_interrupt_ends_the_engine_too_and_says_that_nothing_else_was_touched(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [str(VIRTCI), "rehearse", "--stack", "hub", "--verbose", "--leave", str(tmp_path / "left")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path), "PYTHONUNBUFFERED": "1"},
        start_new_session=True,
    )
    assert process.stdout
    for line in process.stdout:
        if "Updating (hub)" in line:
            break
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=SECONDS)

    assert process.returncode == Ending.INTERRUPTED
    assert "interrupted" in (tmp_path / "left" / "report.html").read_text()
    assert "interrupted" in said
    assert list(tmp_path.glob("virt-ci-rehearsal-*")) == []
    assert _engines_below(tmp_path) == []


def _engines_below(folder: Path) -> list[str]:
    """The engine's processes that still work in a folder."""
    running = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            environment = (process / "environ").read_bytes().decode(errors="replace")
            command = (process / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if str(folder) in environment and str(ENGINE) in command:
            running.append(command)
    return running
