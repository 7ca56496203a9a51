"""`docs/policies.md` says what the pack and the dispositions say."""

import sys
from pathlib import Path

import pytest

from policies.registry import policies
from tools.docs import policies as page
from tools.docs.components import publish


def test_page_is_fresh() -> None:
    assert publish(page.PAGE, page.render(), page.COMMAND, ["--check"]) == 0


def test_every_policy_has_a_section_that_says_what_it_protects() -> None:
    text = page.PAGE.read_text()
    found = page.rules()

    assert [rule.name for rule in found] == [policy.name for policy in policies()]
    for rule in found:
        assert f"\n## {rule.name}\n" in text
        assert rule.protects, f"{rule.name}: the function `faults` has no docstring"


def test_level_of_the_pack_is_the_one_that_its_entry_point_gives() -> None:
    assert page.pack_level() == "mandatory"
    assert "policies.__main__" not in sys.modules, "reading the level must not start the pack"


def test_a_published_rule_is_shown_with_the_policy_that_enforces_it() -> None:
    decided = {
        "Azure.VM.PublicKey": {"disposition": "enforced", "by": "vm-ssh-keys-only"},
        "CKV_AZURE_178": {"disposition": "enforced", "by": "vm-ssh-keys-only"},
        "Azure.AKS.UptimeSLA": {"disposition": "accepted", "until": "2027-01-31", "because": "a test cluster"},
    }

    assert page.covered("vm-ssh-keys-only", decided) == ["Azure.VM.PublicKey", "CKV_AZURE_178"]
    assert page.covered("quota", decided) == []


def test_every_decision_is_in_the_table() -> None:
    rows = [line for line in page.PAGE.read_text().splitlines() if line.startswith("| `")]

    assert page.dispositions()
    for rule, item in page.dispositions().items():
        row = next(line for line in rows if line.startswith(f"| `{rule}` |"))
        assert item["disposition"] in row
        assert item.get("until", "") in row


def test_page_without_decisions_has_no_table_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "DISPOSITIONS", tmp_path / "absent.json")

    assert "Published rules" not in page.render()
