"""What machines and publishers write behind the program's back is theirs: the program neither reports nor undoes it."""

from pathlib import Path
from typing import Any

import pytest

from tests.rehearsal.stage import Stage, kinds, stage

pytestmark = pytest.mark.engine

RUNNER = "kubevirt-gh-actions-runner-1"
GROUP = "/subscriptions/00000000-0000-0000-0000-0000000000a1/resourceGroups/kubevirt-rg/providers"
MACHINE = f"{GROUP}/Microsoft.Compute/virtualMachines/{RUNNER}"
SECRET = f"{GROUP}/Microsoft.KeyVault/vaults/kubevirtkv/secrets/{RUNNER}-registration"
BOOT = {
    "bootstage": "ready",
    "bootid": "b1",
    "bootat": "2026-01-05T08:10:00Z",
    "boothypervisor": "kvm",
    "bootreason": "-",
}


def one_runner(config: dict[str, Any]) -> None:
    config["virt-ci:hub"]["runners"]["names"] = [RUNNER]


def machine_tags(on: Stage) -> dict[str, str]:
    return dict((on.world.azure.request("GET", MACHINE).body or {})["tags"])


def write_boot_tags(on: Stage) -> None:
    body = {"operation": "Merge", "properties": {"tags": BOOT}}
    answer = on.world.azure.request("PATCH", f"{MACHINE}/providers/Microsoft.Resources/tags/default", body)
    assert answer.status == 200, answer.body


def publish(on: Stage) -> None:
    """A new version of the secret, with an expiry: what the data plane shows through Resource Manager."""
    record = on.world.azure.store.get(SECRET)
    assert record is not None
    record.properties |= {"value": "published", "secretUriWithVersion": "https://vault/secrets/x/2"}
    record.properties["attributes"] |= {"exp": 1_800_000_000}


def test_boot_tags_and_published_values_are_no_drift_and_survive_a_deployment(tmp_path: Path) -> None:
    with stage(tmp_path, ("hub",), (), {"hub": one_runner}) as on:
        on.up("hub")
        write_boot_tags(on)
        publish(on)

        drift = on.workspace.preview("hub")
        on.workspace.pulumi("hub", "refresh", "--yes", "--skip-preview")
        after_refresh = on.workspace.preview("hub")
        on.edit("hub", lambda config: config.update({"virt-ci:owner": "another-team"}))
        changed = on.up("hub")
        record = on.world.azure.store.get(SECRET)

        assert drift.changes == {}
        assert after_refresh.changes == {}, after_refresh.changes
        assert after_refresh.mandatory == []
        assert "azure-native:compute:VirtualMachine" in kinds(changed, "update")
        assert "azure-native:keyvault:Secret" not in [
            kind for kind in kinds(changed, "update") if RUNNER + "-registration" in kind
        ]
        assert machine_tags(on)["bootstage"] == "ready"
        assert machine_tags(on)["owner"] == "another-team"
        assert record is not None
        assert record.properties["value"] == "published"
