"""The real engine on the real program against the simulated clouds."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.rehearsal.stage import Stage, kinds, stage
from virtci.rehearsal.conductor import Conductor, worst
from virtci.rehearsal.endings import Ending
from virtci.rehearsal.engine import Workspace
from virtci.rehearsal.journal import Fault, FaultPlan, calls_of
from virtci.rehearsal.world import read_stacks, world

pytestmark = pytest.mark.engine

MACHINE = "azure-native:compute:VirtualMachine"
RUNNERS = 3


def without_extras(config: dict[str, Any]) -> None:
    """The hub with one runner: enough for most scenarios, and quicker."""
    config["virt-ci:hub"]["runners"]["names"] = ["kubevirt-gh-actions-runner-1"]


def test_the_fleet_is_rehearsed_from_the_first_preview_to_the_last_resource(tmp_path: Path) -> None:
    stacks = read_stacks(("hub", "dev", "test"))
    with world(stacks, FaultPlan()) as simulated:
        workspace = Workspace(tmp_path, simulated.servers.environment)
        results = Conductor(workspace, simulated, stacks, lambda *_: None).perform(destroy=True)

    assert worst(results) is Ending.GOOD
    assert [result.name for result in results] == ["hub", "dev", "test"]
    for result in results:
        assert result.runs["second preview"].changes == {}
        assert result.runs["preview"].verdicts == result.runs["second preview"].verdicts == []
        assert result.contract_faults == []
        assert not [line for line in result.quota if line.exceeded]
        assert result.bill.unpriced == ()
    assert results[0].left_behind == []


def test_a_throttled_machine_is_made_after_a_wait(tmp_path: Path) -> None:
    throttled = Fault(operation="PUT", target="*/virtualMachines/*", times=2, status=429, code="TooManyRequests")
    with stage(tmp_path, ("hub",), (throttled,), {"hub": without_extras}) as on:
        run = on.up("hub")

    assert MACHINE in kinds(run, "create")
    assert [
        call.status for call in calls_of(on.world.journal.calls, "azure", "PUT") if "virtualMachines" in call.target
    ][:2] == [429, 429]


def test_what_a_failed_deployment_made_is_kept_and_the_next_one_goes_on(tmp_path: Path) -> None:
    refused = Fault(operation="PUT", target="*/virtualMachines/*", status=409, code="AllocationFailed")
    with stage(tmp_path, ("hub",), (refused,), {"hub": without_extras}) as on:
        failed = on.workspace.up("hub")
        again = on.up("hub")
        steady = on.workspace.preview("hub", policies=False)

    assert not failed.succeeded
    assert "AllocationFailed" in "\n".join(failed.errors)
    assert kinds(again, "create").count("azure-native:network:VirtualNetwork") == 0
    assert MACHINE in kinds(again, "create") + kinds(again, "update")
    assert steady.changes == {}


def test_a_lost_answer_does_not_lose_the_resource(tmp_path: Path) -> None:
    lost = Fault(
        operation="PUT",
        target="*/virtualMachines/kubevirt-gh-actions-runner-1",
        status=500,
        code="InternalServerError",
        times=9,
        after=True,
    )
    with stage(tmp_path, ("hub",), (lost,), {"hub": without_extras}) as on:
        on.workspace.up("hub")
        on.workspace.pulumi("hub", "refresh", "--yes", "--skip-preview")
        again = on.workspace.up("hub")

    assert again.succeeded, "\n".join(again.errors)


def test_a_quota_that_the_subscription_does_not_have_is_refused_in_the_services_words(tmp_path: Path) -> None:
    with stage(tmp_path, ("hub",), (), {"hub": without_extras}, limits={"westus": {"cores": 2}}) as on:
        run = on.workspace.up("hub")

    assert not run.succeeded
    assert "exceeding approved Total Regional Cores quota" in "\n".join(run.errors)


def test_a_new_boot_text_replaces_the_machine_and_a_new_tag_does_not(tmp_path: Path) -> None:
    with stage(tmp_path, ("hub",), (), {"hub": without_extras}) as on:
        on.up("hub")
        on.edit("hub", lambda config: config.update({"virt-ci:owner": "another-team"}))
        tagged = on.workspace.preview("hub", policies=False)
        on.edit(
            "hub",
            lambda config: config["virt-ci:hub"]["runners"].update(image="Canonical:ubuntu-26_04-lts:server:latest"),
        )
        imaged = on.workspace.preview("hub", policies=False)

    assert MACHINE in kinds(tagged, "update")
    assert MACHINE in kinds(imaged, "replace") + kinds(imaged, "create-replacement") + kinds(imaged, "delete-replaced")


def test_no_secret_stands_in_state_outputs_or_call_log(tmp_path: Path) -> None:
    with stage(tmp_path, ("hub",), (), {"hub": without_extras}) as on:
        on.up("hub")
        state = json.dumps(on.workspace.state("hub"))
        shown = json.dumps(on.workspace.outputs("hub"))
        on.world.journal.write(tmp_path / "calls.jsonl")

    for text in (state, shown, (tmp_path / "calls.jsonl").read_text()):
        assert "PRIVATE KEY" not in text


def test_a_change_made_by_hand_is_found_and_put_back(tmp_path: Path) -> None:
    with stage(tmp_path, ("hub",), (), {"hub": without_extras}) as on:
        on.up("hub")
        open_to_everybody(on)
        on.workspace.pulumi("hub", "refresh", "--yes", "--skip-preview")
        run = on.workspace.preview("hub", policies=False)

    assert "azure-native:network:NetworkSecurityGroup" in kinds(run, "update")


def test_destroy_keeps_only_the_name_of_the_vault(tmp_path: Path) -> None:
    with stage(tmp_path, ("hub",), (), {"hub": without_extras}) as on:
        on.up("hub")
        on.workspace.destroy("hub")
        left = on.world.azure.remaining()
        again = on.workspace.up("hub")

    assert left == []
    assert not again.succeeded
    assert "kubevirtkv" in "\n".join(again.errors)


def open_to_everybody(on: Stage) -> None:
    """Somebody opens SSH to the Internet in the portal."""
    path = (
        "/subscriptions/00000000-0000-0000-0000-0000000000a1/resourceGroups/kubevirt-rg/providers/Microsoft.Network"
        "/networkSecurityGroups/kubevirt-vnet-runners-nsg"
    )
    found = on.world.azure.request("GET", path).body or {}
    rule = {
        "name": "by-hand",
        "properties": {
            "priority": 110,
            "direction": "Inbound",
            "access": "Allow",
            "protocol": "Tcp",
            "sourceAddressPrefix": "*",
            "sourcePortRange": "*",
            "destinationAddressPrefix": "*",
            "destinationPortRange": "22",
        },
    }
    rules = [*found["properties"]["securityRules"], rule]
    body = {"location": found["location"], "tags": found["tags"], "properties": {"securityRules": rules}}
    assert on.world.azure.request("PUT", path, body).status in (200, 201)


def test_a_vault_name_held_by_a_deleted_vault_ends_before_anything_is_made(tmp_path: Path) -> None:
    with stage(tmp_path, ("hub",), soft_deleted=frozenset({"kubevirtkv"})) as on:
        conductor = Conductor(on.workspace, on.world, read_stacks(("hub",)), lambda *_: None)
        result = conductor.perform()[0]

    assert result.ending is Ending.REFUSED
    assert "hub.keyVault.name = 'kubevirtkv'" in result.runs["preflight"].errors[0]
    assert "vault-name-soft-deleted.md" in result.runs["preflight"].errors[0]
    assert "up" not in result.runs
    assert on.world.azure.remaining() == []


def test_a_reviewer_whom_github_does_not_know_ends_before_anything_is_made(tmp_path: Path) -> None:
    def unknown(config: dict[str, Any]) -> None:
        config["virt-ci:hub"]["protection"]["reviewers"] = ["rehearsal-nobody"]

    with stage(tmp_path, ("hub",)) as on:
        on.edit("hub", unknown)
        run = on.workspace.up("hub")

    assert not run.succeeded
    assert "hub.protection.reviewers[0] = 'rehearsal-nobody'" in "\n".join(run.errors)
    assert on.world.azure.remaining() == []


def test_a_misspelt_key_reaches_the_user_of_the_engine_as_one_message(tmp_path: Path) -> None:
    def misspelt(config: dict[str, Any]) -> None:
        config["virt-ci:hub"]["keyVolt"] = config["virt-ci:hub"].pop("keyVault")
        config["virt-ci:quota"]["cores"] = 1

    with stage(tmp_path, ("hub",)) as on:
        on.edit("hub", misspelt)
        run = on.workspace.preview("hub", policies=False)

    text = "\n".join(run.errors)
    assert "did you mean `keyVault`?" in text
    assert "hub.keyVault = (absent)" in text
    assert "Traceback" not in text


def test_a_wrong_passphrase_is_refused_with_the_fix(tmp_path: Path) -> None:
    with stage(tmp_path, ("hub",), (), {"hub": without_extras}) as on:
        on.up("hub")
        wrong = Workspace(on.folder / "run", {**on.world.servers.environment})
        wrong.environment["PULUMI_CONFIG_PASSPHRASE"] = "another"
        run = wrong.preview("hub", policies=False)

    assert not run.succeeded
    assert "incorrect passphrase" in run.errors[0]
    assert "docs/runbooks/wrong-passphrase.md" in run.errors[0]


def test_a_lock_left_behind_is_named_and_can_be_lifted(tmp_path: Path) -> None:
    with stage(tmp_path, ("hub",), (), {"hub": without_extras}) as on:
        on.workspace.stack("hub")
        lock = on.folder / "run/state/.pulumi/locks/organization/virt-ci/hub"
        lock.mkdir(parents=True, exist_ok=True)
        left = {"pid": 1, "username": "ci", "hostname": "gone", "timestamp": "2026-01-05T08:00:00Z"}
        (lock / "00000000-0000-0000-0000-000000000001.json").write_text(json.dumps(left))
        locked = on.workspace.up("hub")
        on.workspace.pulumi("hub", "cancel", "--yes")
        free = on.workspace.up("hub")

    assert not locked.succeeded
    assert "docs/runbooks/state-lock-left-behind.md" in "\n".join(locked.errors)
    assert free.succeeded


def test_a_resource_whose_creation_was_not_recorded_is_imported_by_its_id(tmp_path: Path) -> None:
    group = "/subscriptions/00000000-0000-0000-0000-0000000000a1/resourceGroups/kubevirt-rg"
    with stage(tmp_path, ("hub",), (), {"hub": without_extras}) as on:
        on.up("hub")
        urn = next(
            item["urn"] for item in on.workspace.state("hub")["resources"] if item["type"].endswith(":Workspace")
        )
        on.workspace.pulumi("hub", "state", "delete", urn, "--force", "--target-dependents", "--yes")
        workspace = f"{group}/providers/Microsoft.OperationalInsights/workspaces/kubevirt-logs"
        kind = "azure-native:operationalinsights:Workspace"
        on.workspace.pulumi(
            "hub", "import", kind, "found", workspace, "--yes", "--generate-code=false", "--protect=false"
        )
        found = [item for item in on.workspace.state("hub")["resources"] if item["urn"].endswith("::found")]

    assert [item["inputs"]["workspaceName"] for item in found] == ["kubevirt-logs"]
