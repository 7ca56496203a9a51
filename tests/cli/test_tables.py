"""What a rehearsal prints for people."""

from dataclasses import replace

import pytest

from tests.rehearsal.states import CANARY, DEV_MACHINE, dev, hub
from virtci.cli.console import WIDTH
from virtci.cli.tables import show
from virtci.core.inventory import Bill
from virtci.core.quota import QuotaLine
from virtci.fleet.events import Verdict
from virtci.rehearsal.conductor import StackResult
from virtci.rehearsal.endings import Ending
from virtci.rehearsal.engine import Run


def shown(capsys: pytest.CaptureFixture[str], *results: StackResult) -> str:
    show(results)
    return capsys.readouterr().out


def flat(text: str) -> str:
    return " ".join(text.split())


def test_everything_that_a_reviewer_asks_for_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    text = flat(shown(capsys, hub(), dev()))
    assert "azure-native:compute:VirtualMachine 3 hub 2, dev 1" in text
    assert "hub westus standardDSv5Family 8 4 16 fits, 4 free" in text
    assert "dev westus standardDSv5Family 4 0 8 fits, 4 free" in text
    assert "working-hours" in text
    assert "% of the budget of 700" in text
    assert "policies: no violation" in text
    assert "hub good 15 0 8" in text
    assert "dev good" in text


def test_tables_are_readable_at_a_hundred_columns(capsys: pytest.CaptureFixture[str]) -> None:
    assert max(len(line) for line in shown(capsys, hub(), dev()).splitlines()) <= WIDTH


def test_secrets_are_masked_in_outputs_and_messages(capsys: pytest.CaptureFixture[str]) -> None:
    result = hub()
    result.runs["up"].errors.append(f"refused {CANARY}")
    result.runs["preview"].verdicts.append(Verdict("no-secret", "mandatory", "", f"found {CANARY}"))
    text = shown(capsys, result)
    assert CANARY not in text
    assert "hub: error in up: refused [secret]" in text
    assert "password" in text


def test_what_the_cloud_says_is_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    result = hub()
    result.runs["up"].errors.append("[/red] closes [bold]nothing")
    result.outputs = {"[red]name": "[/]value"}
    text = shown(capsys, result)
    assert "[/red] closes [bold]nothing" in text
    assert "[red]name" in text
    assert "[/]value" in text


def test_a_stack_without_resources_has_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    failed = replace(dev(), resources=[], outputs={}, quota=[], bill=Bill((), (), ()), ending=Ending.REFUSED)
    failed.runs = {
        "preview": Run("preview", errors=["Traceback (most recent call last):\n  File x\nValueError: the point"])
    }
    text = flat(shown(capsys, failed))
    assert text.startswith("dev: error in preview: ValueError: the point stack ending")
    assert "dev refused 0 0 - - -" in text


def test_bad_endings_name_their_reason(capsys: pytest.CaptureFixture[str]) -> None:
    result = replace(dev(), ending=Ending.NOT_STABLE, contract_faults=["a: missing"], left_behind=["/a/vault"])
    urn = next(item["urn"] for item in result.resources if item["type"].endswith(":VirtualMachine"))
    result.runs["second preview"].steps[urn] = "replace"
    result.quota = [QuotaLine("westus", "fam", 10, 0, None)]
    result.bill = Bill((), (), ("odd-thing: it has no price",))
    text = flat(shown(capsys, result))
    assert f"dev: not stable: the second preview would replace {DEV_MACHINE}" in text
    assert "dev: output contract: a: missing" in text
    assert "dev: left behind: /a/vault" in text
    assert "fam 10 0 none no share declared" in text
    assert "no price odd-thing: it has no price" in text
    assert "dev not stable" in text


def test_verdicts_stand_in_a_table_once(capsys: pytest.CaptureFixture[str]) -> None:
    result = hub()
    for step in ("preview", "second preview"):
        result.runs[step].verdicts.append(Verdict("quota", "mandatory", "", "too many"))
    text = flat(shown(capsys, result))
    assert text.count("quota mandatory hub whole stack too many") == 1
    assert "policies: no violation" not in text


def test_good_stacks_with_leavings_are_not_good(capsys: pytest.CaptureFixture[str]) -> None:
    assert "hub left behind" in flat(shown(capsys, replace(hub(), left_behind=["/a/vault"])))
