"""Published rules: each that concerns our resource types is enforced, not applicable or accepted for a time."""

import json
import re
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from policies import registry
from tests.policies.harness import all_policies

TEXT = (Path(registry.__file__).parent / "dispositions.json").read_text()
FOUND: dict[str, dict[str, str]] = json.loads(TEXT)
REVIEWED = date(2026, 11, 21)
LONGEST_DAYS = 365
KEYS = {
    "enforced": {"disposition", "by"},
    "not-applicable": {"disposition", "because"},
    "accepted": {"disposition", "until", "because"},
}
GROUPS = {
    "Azure.VM": 30, "Azure.NIC": 3, "Azure.NSG": 7, "Azure.VNET": 12, "Azure.PublicIP": 7, "Azure.AKS": 36, "Azure.KeyVault": 10,
    "Azure.Storage": 14, "Azure.Identity": 1, "Azure.Group": 3, "Azure.Resource": 3, "Azure.RBAC": 6, "Azure.Deployment": 7,
    "CKV_AZURE": 61, "CKV2_AZURE": 9, "CKV_GHA": 7, "CKV2_GHA": 1, "CKV_GIT": 6, "CKV2_GIT": 1,
    "CKV_K8S": 36, "CKV2_K8S": 6, "CKV_AWS": 26, "CKV2_AWS": 5,
}  # fmt: skip
"""How many rules each group of the review has: PSRule for Azure baseline Azure.GA_2026_03, checkov of 2026-08-20."""


def test_the_list_is_sorted_and_has_no_rule_twice() -> None:
    names = [name for name, _ in json.loads(TEXT, object_pairs_hook=lambda pairs: pairs)]
    assert names == sorted(set(names))


def test_every_group_is_complete() -> None:
    counted = Counter(
        name.rsplit("_", 1)[0] if name.startswith("CKV") else ".".join(name.split(".")[:2]) for name in FOUND
    )
    assert counted == GROUPS


@pytest.mark.parametrize("name", FOUND)
def test_no_rule_is_left_blank(name: str) -> None:
    entry = FOUND[name]
    assert set(entry) == KEYS[entry["disposition"]]
    assert all(value.strip() for value in entry.values())
    assert "because" not in entry or entry["because"].endswith(".")


def test_what_is_enforced_is_what_the_policies_say_they_cover() -> None:
    covered = {
        rule: name
        for name, policy in all_policies().items()
        if policy.framework
        for rule in policy.framework.reference.split(", ")
    }
    assert {name: entry["by"] for name, entry in FOUND.items() if entry["disposition"] == "enforced"} == covered


def test_what_is_accepted_is_accepted_for_a_time() -> None:
    for name, entry in FOUND.items():
        if entry["disposition"] == "accepted":
            days = (date.fromisoformat(entry["until"]) - REVIEWED).days
            assert 0 < days <= LONGEST_DAYS, name


def test_policies_named_in_reasons_exist() -> None:
    words = {
        word for entry in FOUND.values() for word in re.findall(r"\b[a-z]+(?:-[a-z0-9]+)+\b", entry.get("because", ""))
    }
    prefixes = (
        "vm-",
        "aks-",
        "kubernetes-",
        "nsg-",
        "fleet-",
        "names-",
        "github-",
        "role-",
        "keyvault-",
        "storage-",
        "aws-",
    )
    assert {word for word in words if word.startswith(prefixes)} <= set(all_policies())


def test_links_lead_to_the_rules_that_are_enforced() -> None:
    for policy in all_policies().values():
        rule: Any = next((item for item in (policy.framework.reference.split(", ") if policy.framework else ())), None)
        assert (policy.url is not None) == bool(rule and "Azure." in policy.framework.reference)
