"""Rules on single resources: a table of what each finds, and what it lets pass."""

import pytest
from pulumi_policy import ResourceValidationPolicy

from policies.kinds import GROUP, KNOWN, TAGGABLE
from tests.policies import aws_rows, azure_rows, cluster_rows, github_rows, runner_rows
from tests.policies.good import ABSENT, CONFIG, good
from tests.policies.harness import Seed, all_policies, judge_one
from tests.policies.rows import Row

ROWS = [*azure_rows.ROWS, *github_rows.ROWS, *cluster_rows.ROWS, *runner_rows.ROWS, *aws_rows.ROWS]
UNREAD = "azure-native:compute:VirtualMachineScaleSet"


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_rule_says_what_the_table_says(row: Row) -> None:
    found = judge_one(row.policy, [good(row.kind, "it", row.changes)], row.config or CONFIG.get(row.policy, {}))
    if row.says:
        assert any(row.says in message for _, _, message in found), found
    else:
        assert found == []


@pytest.mark.parametrize("kind", KNOWN)
def test_a_good_resource_passes_every_rule(kind: str) -> None:
    policies = [name for name, policy in all_policies().items() if isinstance(policy, ResourceValidationPolicy)]
    assert [found for name in policies for found in judge_one(name, [good(kind)], CONFIG.get(name, {}))] == []


@pytest.mark.parametrize("kind", TAGGABLE)
def test_tags_are_asked_of_every_type_that_can_have_them(kind: str) -> None:
    assert judge_one("tagging", [good(kind, "it", {"tags": ABSENT})], CONFIG["tagging"])


def test_a_rule_reads_types_with_an_api_version_as_well() -> None:
    kind = GROUP.replace(":resources:", ":resources/v20240301:")
    assert judge_one("tagging", [Seed("it", kind, {"location": "westus"})], CONFIG["tagging"])


@pytest.mark.parametrize(
    "kind", [UNREAD, "azure-native:network:SecurityRule", "github:index/actionsSecret:ActionsSecret"]
)
def test_a_type_that_no_rule_reads_is_refused(kind: str) -> None:
    (found,) = judge_one("fleet-known-types", [Seed("it", kind, {})], {})
    assert kind in found[2]
    assert judge_one("fleet-known-types", [Seed("it", kind, {})], {"more": [kind]}) == []


@pytest.mark.parametrize("kind", ["virt-ci:network:Network", "pulumi:pulumi:Stack", "pulumi:providers:azure-native"])
def test_components_and_the_engines_own_resources_are_no_matter_of_rules(kind: str) -> None:
    assert judge_one("fleet-known-types", [Seed("it", kind, {})], {}) == []


def test_extensions_and_run_commands_are_refused_as_resources() -> None:
    for kind in ("VirtualMachineExtension", "VirtualMachineRunCommandByVirtualMachine"):
        (found,) = judge_one("vm-no-extensions", [Seed("it", f"azure-native:compute:{kind}", {})], {})
        assert "runs code on a machine from outside" in found[2]


@pytest.mark.parametrize("name", sorted(
    name for name, policy in all_policies().items() if isinstance(policy, ResourceValidationPolicy) and name != "fleet-known-types"
))  # fmt: skip
def test_the_table_has_every_state_of_every_rule(name: str) -> None:
    states = {row.state for row in ROWS if row.policy == name}
    assert {"fail", "missing", "unknown"} <= states
    policy = all_policies()[name]
    assert ("configuration" in states) == (policy.config_schema is not None)
