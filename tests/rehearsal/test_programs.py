"""Those who start a program learn where it is, or why it is not."""

import json
from pathlib import Path

import pytest

from virtci.rehearsal.programs import Missing, MissingError, missing, path_of, program


def engine(folder: Path, **reasons: str) -> Path:
    """What `make programs` leaves: programs with a reason are missing, the others are there."""
    (folder / "bin").mkdir()
    for name, reason in reasons.items():
        if not reason:
            (folder / "bin" / name).touch()
    record = {name: {"missing": reason} for name, reason in reasons.items()}
    (folder / "programs.json").write_text(json.dumps(record))
    return folder


def test_a_program_that_is_there_has_a_path(tmp_path: Path) -> None:
    assert program("etcd", engine(tmp_path, etcd="")) == tmp_path / "bin" / "etcd"


def test_a_missing_program_has_its_reason(tmp_path: Path) -> None:
    found = program("etcd", engine(tmp_path, etcd="no Go"))

    assert found == Missing("etcd", "no Go")
    assert str(found) == "etcd is missing: no Go; run `make programs`"


def test_a_program_that_nobody_brought_is_missing(tmp_path: Path) -> None:
    assert program("etcd", tmp_path) == Missing("etcd", "it was not brought here")


def test_a_program_that_was_deleted_is_missing(tmp_path: Path) -> None:
    folder = engine(tmp_path, etcd="")
    (folder / "bin" / "etcd").unlink()

    assert isinstance(program("etcd", folder), Missing)


def test_those_that_are_missing_are_named(tmp_path: Path) -> None:
    folder = engine(tmp_path, etcd="", kwok="no Go")

    assert [program.name for program in missing(["etcd", "kwok"], folder)] == ["kwok"]


def test_whoever_needs_a_missing_program_stops_with_its_reason(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="kwok is missing: no Go"):
        path_of("kwok", engine(tmp_path, kwok="no Go"))
