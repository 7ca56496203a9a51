"""`virtci check`: every problem of every stack file, and an exit code."""

import argparse
import shutil
from pathlib import Path

import pytest
import yaml

from virtci import places
from virtci.cli import check
from virtci.places import stacks

ROOT = Path(__file__).resolve().parents[2]


def virtci(*arguments: str) -> int:
    """Runs the command as the command line does."""
    parser = argparse.ArgumentParser()
    check.add_to(parser.add_subparsers())
    parsed = parser.parse_args(["check", *arguments])
    return int(parsed.run(parsed))


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the committed stack files."""
    for path in ROOT.glob("Pulumi*.yaml"):
        shutil.copy(path, tmp_path)
    monkeypatch.setattr(places, "ROOT", tmp_path)
    return tmp_path


def spoil(path: Path, key: str, value: object) -> None:
    content = yaml.safe_load(path.read_text())
    content["config"][f"virt-ci:{key}"] = value
    path.write_text(yaml.safe_dump(content))


@pytest.mark.usefixtures("root")
def test_committed_stack_files_are_good_in_a_rehearsal(capsys: pytest.CaptureFixture[str]) -> None:
    assert virtci("--rehearsal") == 0
    said = capsys.readouterr()
    assert said.out.splitlines() == [f"Pulumi.{stack}.yaml: good" for stack in stacks()]
    assert {"hub", "dev", "test", "dev-kubevirt"} <= set(stacks())
    assert said.err == ""


@pytest.mark.usefixtures("root")
def test_placeholders_fail_outside_a_rehearsal(capsys: pytest.CaptureFixture[str]) -> None:
    assert virtci() == 2
    said = capsys.readouterr()
    assert said.out == ""
    for stack in ("dev", "hub", "test"):
        assert f"Pulumi.{stack}.yaml: " in said.err
    assert "subscription = '00000000-0000-0000-0000-0000000000a1'" in said.err


@pytest.mark.usefixtures("root")
def test_only_the_named_stacks_are_read(capsys: pytest.CaptureFixture[str]) -> None:
    assert virtci("hub", "--rehearsal") == 0
    assert capsys.readouterr().out == "Pulumi.hub.yaml: good\n"


def test_problems_of_all_files_are_shown_beside_the_good_ones(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spoil(root / "Pulumi.dev.yaml", "regoin", "westus")
    spoil(root / "Pulumi.test.yaml", "owner", "The Team")
    assert virtci("--rehearsal") == 2
    said = capsys.readouterr()
    assert "Pulumi.hub.yaml: good\n" in said.out
    assert "Pulumi.dev.yaml: good\n" not in said.out
    assert "did you mean `region`?" in said.err
    assert "owner = 'The Team'" in said.err


@pytest.mark.usefixtures("root")
def test_unknown_stack_is_named_with_those_that_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert virtci("prod", "hub", "--rehearsal") == 2
    said = capsys.readouterr()
    assert "stack `prod` has no file Pulumi.prod.yaml; there are: dev, dev-kubevirt, hub, kontain, test, " in said.err
    assert said.out == "Pulumi.hub.yaml: good\n"


def test_file_that_is_not_yaml_is_a_problem_like_others(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "Pulumi.dev.yaml").write_text("config: [")
    assert virtci("dev", "--rehearsal") == 2
    assert "a stack file is YAML" in capsys.readouterr().err


def test_help_says_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        virtci("--help")
    assert ended.value.code == 0
    assert "0 all good, 2 problems found" in capsys.readouterr().out
