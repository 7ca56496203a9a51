"""The hypervisor is absent, followed: nothing is changed before it is noticed, and everything is as declared at the end."""

from pathlib import Path
from typing import Any

import pytest

from tests.runbooks.follower import Follower, following
from virtci.core.environments import Environment
from virtci.core.hypervisors import Hypervisor
from virtci.fleet.clouds import kubernetes
from virtci.fleet.cluster_records import kubevirt
from virtci.rehearsal.kubernetes.scenario import cluster_of

pytestmark = [pytest.mark.engine, pytest.mark.cluster]

IMAGES = (
    "/subscriptions/00000000-0000-0000-0000-0000000000c1/resourceGroups/l1vh/providers/Microsoft.Compute/galleries/images"
    "/images"
)
REASON = "/dev/mshv: the image is not a dom0qemu image, or the host exposes no L1VH"


def plain_image(config: dict[str, Any]) -> None:
    config["virt-ci:environments"]["dev"]["machine"]["image"] = f"{IMAGES}/plain"


def in_the_cluster(follower: Follower) -> Any:
    assert follower.fleet.plane is not None
    with kubernetes(follower.fleet.plane.kubeconfig) as api:
        return kubevirt(api)


def new_machine_has_the_device(follower: Follower) -> None:
    """What the rebuilt machine does while somebody waits for it."""
    assert follower.fleet.plane is not None
    found = cluster_of(Environment.DEV, "dev-kubevirt")
    follower.fleet.plane.kubelets.play(found.probes, found.stages)
    follower.fleet.tell("ready", "boot-2")
    follower.fleet.publish()


def test_a_machine_without_its_hypervisor_is_repaired_as_the_runbook_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without = {"dev-kubevirt": cluster_of(Environment.DEV, "dev-kubevirt", (Hypervisor.KVM,))}
    images = frozenset({f"{IMAGES}/plain", f"{IMAGES}/dom0qemu"})
    with following(
        "hypervisor-absent", tmp_path, monkeypatch, edits={"dev": plain_image}, wanted=without, images=images
    ) as follower:
        follower.fleet.tell("ready", "boot-1", hypervisor="kvm", reason=REASON)
        symptom = follower.status()

        seen = follower.follow("step 1")
        code, refused = follower.pulumi(["up", "--stack", "dev-kubevirt", "--yes"])
        after_refusal = in_the_cluster(follower)
        follower.follow("step 2")
        fallen_back = follower.status()
        before = follower.fleet.machine.guid
        follower.fleet.naps = [lambda: new_machine_has_the_device(follower)]
        # The boot tags go with the old machine, and its cluster answers until the new one is there.
        follower.follow("step 3")
        rebuilt = follower.fleet.machine.guid
        new_machine_has_the_device(follower)
        follower.follow("step 4")
        follower.follow("How to check")
        repaired = follower.status()

    assert symptom["boot"].startswith("attention: ready")
    assert REASON in symptom["boot"]
    assert "dev-node-0" in seen[2].output
    assert code != 0
    assert "not ready for mshv" in refused
    assert after_refusal is None, "something came into the cluster before the gate was refused"
    assert fallen_back["gate"].startswith("attention: off, declared HyperVL1VH: ")
    assert "dev-node-0" in fallen_back["gate"]
    assert fallen_back["kubevirt"].startswith("good: ")
    assert rebuilt != before
    assert {name: text for name, text in repaired.items() if not text.startswith("good: ")} == {}
    assert repaired["gate"] == "good: HyperVL1VH"
    assert repaired["readiness"].startswith("good: ready for mshv")
