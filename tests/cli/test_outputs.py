"""`virtci outputs`: the outputs of a stack for a consumer, and an exit code that says what went wrong."""

import argparse
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.outputs.sample import changed, outputs
from virtci.cli import outputs as command
from virtci.outputs.check import read
from virtci.outputs.formats import FORMATS


def virtci(*arguments: str) -> int:
    """Runs the command as the command line does."""
    parser = argparse.ArgumentParser()
    command.add_to(parser.add_subparsers())
    parsed = parser.parse_args(["outputs", "--stack", "test", *arguments])
    return int(parsed.run(parsed))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "test.json"
    path.write_text(json.dumps(outputs()))
    return path


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_outputs_are_printed_in_the_wanted_format(name: str, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert virtci("--file", str(file), "--format", name) == 0
    said = capsys.readouterr()
    assert said.out == FORMATS[name](read(outputs()))
    assert said.err == ""


def test_json_is_the_default(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert virtci("--file", str(file)) == 0
    assert json.loads(capsys.readouterr().out)["vault"]["name"] == "kubevirtkv"


def test_file_that_is_not_there_cannot_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert virtci("--file", str(tmp_path / "none.json")) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "the outputs of stack `test` cannot be read: " in said.err


@pytest.mark.parametrize("text", ["", "{", "not json"])
def test_file_that_is_not_json_cannot_be_read(text: str, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(text)
    assert virtci("--file", str(file)) == 2
    assert "cannot be read" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "place"),
    [
        ([], "outputs: "),
        (["a"], "outputs: "),
        (None, "outputs: "),
        ({}, "contractVersion: "),
        (changed("contractVersion", 2), "contractVersion: "),
        (changed("environments.dev.gate", "On"), "environments.dev.gate: "),
        (changed("vault.secretValue", "hunter2"), "vault.secretValue: "),
    ],
)
def test_outputs_that_break_the_contract_are_not_printed(
    content: Any, place: str, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text(json.dumps(content))
    assert virtci("--file", str(file)) == 4
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("the outputs of stack `test` break the contract:\n")
    assert f"  {place}" in said.err
    assert "hunter2" not in said.err


def test_outputs_of_a_deployed_stack_come_from_the_engine(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "stack_output", lambda stack: json.dumps({**outputs(), "stack": stack}))
    assert virtci("--format", "env") == 0
    assert "VIRTCI_STACK='test'\n" in capsys.readouterr().out


def test_stack_that_the_engine_does_not_know_is_said_in_its_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(stack: str) -> str:
        raise subprocess.CalledProcessError(255, ["pulumi"], stderr=f"error: no stack named '{stack}' found\n")

    monkeypatch.setattr(command, "stack_output", fails)
    assert virtci() == 2
    assert capsys.readouterr().err == "the outputs of stack `test` cannot be read: error: no stack named 'test' found\n"


def test_unknown_format_is_a_wrong_command_line(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        virtci("--file", str(file), "--format", "xml")
    assert ended.value.code == 2
    assert "github-matrix" in capsys.readouterr().err


def test_help_says_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        virtci("--help")
    assert ended.value.code == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "0 printed, 2 unknown stack or file, 4 the outputs break the contract" in said
