"""Rotation of keys, followed: the kubeconfig goes on working for whoever may have it, the SSH key takes a new machine."""

from pathlib import Path
from typing import Any

import pytest

from tests.fleet.test_rotation import works
from tests.rehearsal.azure.simulated import until
from tests.runbooks.follower import MACHINE, Follower, following
from tests.runbooks.reader import command
from virtci.rehearsal.azure.secrets import held

pytestmark = [pytest.mark.engine, pytest.mark.cluster]


def with_a_cluster(config: dict[str, Any]) -> None:
    """One environment of the test stack is enough."""
    environments = config["virt-ci:environments"]
    config["virt-ci:environments"] = {"test-kvm": environments["test-kvm"]}


def public_key(follower: Follower) -> str:
    profile = follower.fleet.machine.properties["osProfile"]["linuxConfiguration"]
    return str(profile["ssh"]["publicKeys"][0]["keyData"])


def versions(follower: Follower, secret: str) -> int:
    return len(held(follower.stage.world.azure, "kubevirtkv", secret))


def test_keys_are_rotated_as_the_runbook_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stacks = ("hub", "dev", "test", "dev-kubevirt")
    edits = {"test": with_a_cluster}
    with following("rotate-keys", tmp_path, monkeypatch, stacks, ("hub", "dev", "test"), edits) as follower:
        fleet = follower.fleet
        follower.export([f"KUBECONFIG={follower.project}/kubeconfig"])
        for first in (
            "virtci kubeconfig dev --to kubeconfig",
            "virtci readiness dev",
            "pulumi up --stack dev-kubevirt --yes",
        ):
            follower.run(command(first))
        leaked = fleet.publish()
        old = fleet.bound_secrets()

        def grace_is_over() -> None:
            fleet.revoke(*set(old) & set(fleet.bound_secrets()))
            until(lambda: not works(leaked), seconds=30)

        fleet.naps = [lambda: (fleet.publish(), None)[1], grace_is_over]
        kubeconfig = follower.follow("step 1")
        refused = not works(leaked)
        follower.follow("How to check")
        checked = follower.status()
        before = (fleet.machine.guid, public_key(follower), versions(follower, f"{MACHINE}-ssh-key"))

        ssh = follower.follow("step 2")
        after = (fleet.machine.guid, public_key(follower), versions(follower, f"{MACHINE}-ssh-key"))

    assert checked["kubeconfig"].startswith("good: good for 6 d")
    assert "the cluster refuses the old kubeconfig" in kubeconfig[0].output
    assert refused
    assert "There is nothing to rotate" in kubeconfig[1].output
    assert before[0] != after[0], "the machine is still the old one"
    assert before[1] != after[1]
    assert after[2] == before[2] + 1
    assert "woken=false" in ssh[1].output
