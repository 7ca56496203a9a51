"""Rules on whole stacks: a small fleet that passes all of them, broken in one place at a time."""

from collections.abc import Mapping
from typing import Any

import pytest
from pulumi_policy import StackValidationPolicy

from policies.kinds import DISK, GROUP
from tests.policies.good import (
    ABSENT,
    CONFIG,
    OWNER,
    READER,
    TAGS,
    replaced,
    security_rule,
    small_fleet,
    title,
    without,
)
from tests.policies.harness import UNKNOWN, Seed, Violation, all_policies, judge, judge_one
from virtci.core.firewall import Rule

FLEET = small_fleet()
ALLOW = {
    "name": "shortcut", "priority": 50, "access": "Allow", "protocol": "*",
    "sourceAddressPrefix": "10.60.1.0/24", "destinationAddressPrefix": "10.60.16.0/22", "destinationPortRange": "80",
}  # fmt: skip


def judged(policy: str, fleet: list[Seed], config: Mapping[str, Any] | None = None) -> list[Violation]:
    """What one rule says about a fleet."""
    return judge_one(policy, fleet, config or CONFIG.get(policy, {}))


def test_no_rule_finds_anything_in_the_small_fleet() -> None:
    assert judge(FLEET, CONFIG) == []


CHANGED: list[tuple[str, str, Mapping[str, Any], str]] = [
    ("lifetime-class", "machine", {"tags.lifetime": "durable"}, "tag lifetime is `durable`"),
    ("lifetime-class", "cluster", {"tags.lifetime": ABSENT}, "tag lifetime is absent"),
    ("lifetime-class", "workers", {"tags": UNKNOWN}, "tag lifetime is not known"),
    ("lifetime-class", "machine", {"tags.lifetime": UNKNOWN}, "tag lifetime is not known"),
    ("cost-budget", "budget", {"amount": 999}, "amount is `999`"),
    ("cost-budget", "budget", {"amount": UNKNOWN}, "amount is not known"),
    ("cost-budget", "machine", {"hardwareProfile.vmSize": "Standard_D96s_v5", "tags.lifetime": "always-on"}, "are expected a month (machine"),
    ("cost-budget", "machine", {"hardwareProfile.vmSize": UNKNOWN}, "no price for machine: hardwareProfile.vmSize is not known"),
    ("cost-budget", "machine", {"storageProfile.osDisk.diskSizeGB": 4096}, "no price for machine: a disk of 4096 GiB"),
    ("cost-budget", "machine", {"location": "moon"}, "no price for machine"),
    ("cost-budget", "workers", {"count": ABSENT}, "no price for workers: count is not known"),
    ("cost-budget", "cluster", {"sku": UNKNOWN}, "no price for cluster: sku is not known"),
    ("audit-logs", "vault-logs", {"logs": []}, "nobody keeps its log AuditEvent"),
    ("audit-logs", "vault-logs", {"logs.0.enabled": False}, "nobody keeps its log AuditEvent"),
    ("audit-logs", "vault-logs", {"logs": UNKNOWN}, "nobody keeps its log AuditEvent"),
    ("audit-logs", "cluster-logs", {"logs.0.category": "kube-apiserver"}, "nobody keeps its log kube-audit-admin"),
    ("audit-logs", "cluster-logs", {"workspaceId": ABSENT}, "nobody keeps its log kube-audit-admin, guard"),
    ("nic-accelerated", "nic", {"enableAcceleratedNetworking": False}, "enableAcceleratedNetworking is false"),
    ("nic-accelerated", "nic", {"enableAcceleratedNetworking": ABSENT}, "enableAcceleratedNetworking is absent"),
    ("nic-accelerated", "nic", {"enableAcceleratedNetworking": UNKNOWN}, "enableAcceleratedNetworking is not known"),
    ("environments-isolated", "network", {"subnets.1.addressPrefix": UNKNOWN}, "the range of a subnet is not known"),
    ("environments-isolated", "network", {"subnets": UNKNOWN}, "the range of a subnet is not known"),
    ("environments-isolated", "group-of-subnet", {"securityRules": UNKNOWN}, "lets dev reach test-kvm (outbound)"),
    ("environments-isolated", "group-of-subnet", {"securityRules": ABSENT}, "the platform's own rule for the network lets dev reach"),
    ("environments-isolated", "group-of-subnet", {"securityRules.0": {**ALLOW, "direction": "Outbound"}},
     "shortcut lets dev reach test-kvm (outbound)"),
    ("environments-isolated", "group-of-subnet", {"securityRules.0": {**ALLOW, "direction": "Inbound"}},
     "shortcut lets dev reach test-kvm (inbound)"),
    ("environments-isolated", "group-of-subnet", {"securityRules.0": {**ALLOW, "direction": "Inbound", "destinationAddressPrefix": "*"}},
     "shortcut lets dev reach runners (inbound)"),
    ("environments-isolated", "group-of-subnet", {"securityRules.0": {**ALLOW, "direction": "Inbound", "sourceAddressPrefix": UNKNOWN}},
     "shortcut lets dev reach test-kvm (inbound)"),
    ("federated-pull-request", "trust", {"subject": "repo:owner/name:pull_request"}, "to identity, which pull requests act as"),
    ("federated-pull-request", "trust", {"subject": UNKNOWN}, "to identity, which pull requests act as"),
    ("federated-pull-request", "trust", {"subject": "repo:owner/name:environment:drift"},
     "to identity, which unattended workflows act as"),
    ("github-branches", "branch", {"branchPattern": "*"}, "its pattern is `*`"),
    ("github-branches", "branch", {"branchPattern": "**/*"}, "its pattern is `**/*`"),
    ("github-branches", "branch", {"branchPattern": ABSENT}, "its pattern is absent"),
    ("github-branches", "branch", {"branchPattern": UNKNOWN}, "its pattern is not known"),
    ("lifetime-class", "machine", {"tags.lifetime": "run-scoped"}, "tag lifetime is `run-scoped`"),
    ("runner-slots", "slot", {"resourceGroupName": "auto-runner-eastus-01"}, "there are slots in eastus"),
    ("aws-backstop", "backstop", {"scheduleExpression": "rate(1 day)"}, "scheduleExpression is `rate(1 day)`"),
    ("aws-backstop", "backstop", {"scheduleExpression": UNKNOWN}, "scheduleExpression is not known"),
    ("aws-backstop", "backstop", {"target.arn": "arn:aws:scheduler:::aws-sdk:ec2:stopInstances"}, "target.arn is"),
    ("aws-backstop", "backstop", {"groupName": ABSENT}, "groupName is absent"),
    ("aws-backstop", "backstop", {"state": "DISABLED"}, "state is `DISABLED`"),
    ("aws-backstop", "backstop", {"actionAfterCompletion": "NONE"}, "actionAfterCompletion is `NONE`"),
    ("lifetime-class", "instance", {"tags.lifetime": "durable"}, "tag lifetime is `durable`"),
    ("cost-budget", "instance", {"instanceType": "m5.enormous"}, "no price for instance"),
    ("cost-budget", "instance", {"region": UNKNOWN}, "no price for instance: region is not known"),
    ("storage-recoverable", "account", {"sku.name": "Standard_LRS"}, "sku.name is `Standard_LRS`"),
    ("storage-recoverable", "account", {"sku": UNKNOWN}, "sku.name is not known"),
    ("storage-recoverable", "versions", {"isVersioningEnabled": False}, "isVersioningEnabled is false"),
    ("storage-recoverable", "versions", {"deleteRetentionPolicy": ABSENT}, "deleteRetentionPolicy.enabled is absent"),
    ("storage-recoverable", "versions", {"containerDeleteRetentionPolicy.days": 6}, "containerDeleteRetentionPolicy.days is `6`"),
    ("storage-recoverable", "versions", {"deleteRetentionPolicy": UNKNOWN}, "deleteRetentionPolicy.days is not known"),
    ("storage-recoverable", "lifecycle", {"policy.rules.0.enabled": False}, "its old versions stay for ever"),
    ("storage-recoverable", "lifecycle", {"policy": UNKNOWN}, "its old versions stay for ever"),
    ("storage-recoverable", "lifecycle", {"policy.rules.0.definition.actions": {"baseBlob": {}}}, "its old versions stay for ever"),
    ("github-variables", "TEST_FOCUS", {"value": ""}, "variable TEST_FOCUS is ``"),
    ("github-variables", "TEST_FOCUS", {"value": UNKNOWN}, "variable TEST_FOCUS is not known"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("policy", "name", "changes", "says"), CHANGED, ids=[f"{row[0]} {row[1]} {title(row[2])}" for row in CHANGED]
)
def test_a_change_in_one_resource_is_found(policy: str, name: str, changes: Mapping[str, Any], says: str) -> None:
    found = judged(policy, replaced(FLEET, name, changes))
    assert any(says in message for _, _, message in found), found


REMOVED = [
    ("lifetime-class", "shutdown", "machine", "has no enabled shutdown schedule"),
    ("cost-budget", "budget", "stack", "it declares no budget"),
    ("cost-waste", "machine", "nic", "no machine uses it"),
    ("cost-waste", "network", "egress", "no subnet uses it"),
    ("cost-waste", "network", "group-of-subnet", "no subnet uses it"),
    ("cost-waste", "egress", "address", "no NAT gateway uses it"),
    ("audit-logs", "vault-logs", "vault", "nobody keeps its log"),
    ("audit-logs", "cluster-logs", "cluster", "nobody keeps its log"),
    ("github-branches", "branch", "github", "it has no branch pattern"),
    ("github-variables", "TEST_FOCUS", "github", "variable TEST_FOCUS is absent"),
    ("storage-recoverable", "versions", "account", "nothing is said of its versions"),
    ("storage-recoverable", "lifecycle", "account", "its old versions stay for ever"),
    ("storage-recoverable", "account", "", ""),
    ("runner-slots", "slot", "", ""),
    ("aws-backstop", "backstop", "instance", "nothing terminates it"),
    ("aws-backstop", "instance", "", ""),
    ("environments-isolated", "network", "", ""),
    ("nic-accelerated", "nic", "", ""),
    ("federated-pull-request", "identity", "", ""),
]


@pytest.mark.parametrize(("policy", "name", "where", "says"), REMOVED)
def test_a_resource_that_is_missing_is_found(policy: str, name: str, where: str, says: str) -> None:
    found = judged(policy, without(FLEET, name))
    if says:
        assert any(where == resource and says in message for _, resource, message in found), found
    else:
        assert found == []


def test_a_schedule_that_is_off_is_none() -> None:
    for status in ("Disabled", UNKNOWN, ABSENT):
        assert judged("lifetime-class", replaced(FLEET, "shutdown", {"status": status}))


def test_a_machine_that_runs_day_and_night_needs_no_schedule() -> None:
    fleet = replaced(without(FLEET, "shutdown"), "machine", {"tags.lifetime": "always-on"})
    assert judged("lifetime-class", fleet) == []


def test_a_disk_of_its_own_needs_a_machine() -> None:
    disk = Seed("disk", DISK, {"diskName": "data", "tags": TAGS})
    assert [where for _, where, _ in judged("cost-waste", [*FLEET, disk])] == ["disk"]
    attached = [*replaced(FLEET, "machine", {"storageProfile.dataDisks": [{"managedDisk": {"id": "/ids/disk"}}]}), disk]
    assert judged("cost-waste", attached) == []


def test_a_public_address_is_for_nothing_but_the_nat_gateway() -> None:
    fleet = replaced(FLEET, "nic", {"ipConfigurations.0.publicIPAddress": {"id": "/ids/address"}})
    ((_, where, message),) = judged("public-address-only-for-nat", fleet)
    assert where == "nic"
    assert "it uses the public address address" in message
    mentioned = replaced(FLEET, "EMULATION", {"value": "/ids/address"})
    assert judged("public-address-only-for-nat", mentioned) == []
    assert judged("public-address-only-for-nat", replaced(FLEET, "address", {"sku": ABSENT})) == []
    assert judged("public-address-only-for-nat", replaced(FLEET, "egress", {"publicIpAddresses": UNKNOWN})) == []


@pytest.mark.parametrize(("role", "fits"), [(READER, True), (OWNER, False), (UNKNOWN, False)])
def test_pull_requests_only_read(role: str, fits: bool) -> None:
    fleet = replaced(FLEET, "trust", {"subject": "repo:owner/name:pull_request"})
    assert (judged("federated-pull-request", replaced(fleet, "reads", {"roleDefinitionId": role})) == []) is fits


def test_isolation_holds_for_a_denied_part_and_a_later_allowance() -> None:
    """A rule that denies only one port does not shield the allowance behind it."""
    deny = security_rule(
        Rule(name="deny-web", priority=40, direction="Outbound", access="Deny", protocol="Tcp", ports=("80",), why="")
    )
    fleet = replaced(FLEET, "group-of-subnet", {"securityRules": [deny, {**ALLOW, "direction": "Outbound"}]})
    assert any("shortcut" in message for _, _, message in judged("environments-isolated", fleet))


def test_slots_fit_beside_what_is_kept_free() -> None:
    second = Seed("second", GROUP, {"resourceGroupName": "auto-runner-westus-02", "tags": TAGS})
    ((_, where, message),) = judged("runner-slots", [*FLEET, second])
    assert where == "stack"
    assert "2 slots in westus take 8 vCPU, and 4 are kept free" in message
    assert "4 are missing" in message
    larger = {"regions": {"westus": {"cores": 12, "reserve": 4}}}
    assert judged("runner-slots", [*FLEET, second], larger) == []


@pytest.mark.parametrize(("deadline", "fits"), [("2026-01-01T06:00:00Z", True), (ABSENT, False), (UNKNOWN, False)])
def test_what_lives_for_one_run_says_until_when(deadline: object, fits: bool) -> None:
    tags = {"tags.lifetime": "run-scoped", "tags.deadline": deadline}
    fleet = replaced(without(FLEET, "shutdown", "cluster", "workers", "instance"), "machine", tags)
    assert (judged("lifetime-class", fleet, {"classes": ["run-scoped"]}) == []) is fits


def test_unattended_workflows_have_the_roles_of_the_fleet_that_are_configured() -> None:
    fleet = replaced(FLEET, "trust", {"subject": "repo:owner/name:environment:drift"})
    fleet = [
        Seed(item.name, item.type, {**item.props, "roleDefinitionId": UNKNOWN}, {**item.refers, "roleDefinitionId": ["deploy-role"]})
        if item.name == "reads"
        else item
        for item in fleet
    ]  # fmt: skip
    assert any(
        "it gives virt-ci deploy to identity" in message for _, _, message in judged("federated-pull-request", fleet)
    )
    assert judged("federated-pull-request", fleet, {"customRoles": ["virt-ci deploy"]}) == []


CONFIGURED: list[tuple[str, Mapping[str, Any], str]] = [
    ("cost-budget", {"monthlyUsd": 10}, "USD 10 a month"),
    (
        "audit-logs",
        {"vault": ["AzurePolicyEvaluationDetails"], "cluster": ["cloud-controller-manager"]},
        "cloud-controller-manager",
    ),
    ("environments-isolated", {"shared": []}, "allow-runners lets runners reach dev (inbound)"),
    ("federated-pull-request", {"roles": []}, ""),
    ("github-variables", {"required": ["OTHER"]}, "variable OTHER is absent"),
    ("lifetime-class", {"classes": ["always-on"]}, "compute is one of always-on"),
    ("runner-slots", {"regions": {}}, "there are slots in westus"),
    ("storage-recoverable", {"days": 15}, "at least 15 days"),
    ("cost-budget", {"enforcementLevel": "mandatory"}, "policy `cost-budget` has no value for monthlyUsd"),
    ("quota", {"enforcementLevel": "mandatory"}, "policy `quota` has no value for region, limits"),
]


@pytest.mark.parametrize(("policy", "config", "says"), CONFIGURED, ids=[f"{row[0]} {row[1]}" for row in CONFIGURED])
def test_settings_change_the_verdict(policy: str, config: Mapping[str, Any], says: str) -> None:
    found = judged(policy, FLEET, config)
    assert any(says in message for _, _, message in found) if says else found == []


def test_every_stack_rule_is_in_these_tables() -> None:
    names = {name for name, policy in all_policies().items() if isinstance(policy, StackValidationPolicy)}
    assert names == {row[0] for row in (*CHANGED, *REMOVED)} | {"public-address-only-for-nat", "quota"}
