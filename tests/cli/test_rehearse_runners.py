"""`virtci rehearse runners` from the outside: what it says, what it leaves, and how it ends."""

import json
from pathlib import Path

import pytest

from virtci.cli.main import main
from virtci.fleet.runners import ledger
from virtci.rehearsal.endings import Ending

SMALL = ["rehearse", "runners", "--days", "1", "--a-day", "6", "--seed", "3"]


def test_day_that_holds_ends_well_and_leaves_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SMALL, "--leave", str(tmp_path / "new")]) == Ending.GOOD
    assert "every machine accounted in the ledger" in capsys.readouterr().out
    assert (tmp_path / "new" / "runners.html").exists()


def test_broken_invariant_is_named_and_has_an_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "opened", lambda *_: None)
    assert main([*SMALL, "--leave", str(tmp_path)]) == Ending.INVARIANT_BROKEN
    assert "broken: every machine accounted in the ledger" in capsys.readouterr().out


def test_json_is_nothing_but_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SMALL, "--calm", "--json", "--leave", str(tmp_path)]) == Ending.GOOD
    found = json.loads(capsys.readouterr().out)
    assert (found["pullRequests"], found["runsLost"], found["leaksLeft"]) == (6, 0, 0)


@pytest.mark.parametrize("value", ["0", "-1", "x"])
def test_number_of_days_is_from_one(value: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["rehearse", "runners", "--days", value])
    assert "--days" in capsys.readouterr().err
