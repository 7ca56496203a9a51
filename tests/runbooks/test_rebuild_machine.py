"""A machine is rebuilt, as the runbook says: the same name and rights, an empty cluster, and everything in it again."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.fleet.conftest import prepare
from tests.rehearsal.azure.simulated import until
from tests.runbooks.follower import MACHINE, Follower, following
from tests.runbooks.reader import command
from virtci.fleet.clouds import kubernetes, unless_absent

pytestmark = [pytest.mark.engine, pytest.mark.cluster]

ASSIGNMENTS = "Microsoft.Authorization/roleAssignments"


def rights_on_the_machine(follower: Follower) -> int:
    found = follower.stage.world.azure.store.of_type(ASSIGNMENTS)
    return sum(f"/virtualMachines/{MACHINE}/" in item.id for item in found)


def empty_the_cluster(follower: Follower) -> None:
    """What is in the cluster of a machine goes with the machine."""
    assert follower.fleet.plane is not None
    from kubernetes.client import ApiextensionsV1Api, CoreV1Api, CustomObjectsApi, RbacAuthorizationV1Api

    with kubernetes(follower.fleet.plane.kubeconfig) as api:
        core, definitions, rbac = CoreV1Api(api), ApiextensionsV1Api(api), RbacAuthorizationV1Api(api)
        CustomObjectsApi(api).delete_namespaced_custom_object("kubevirt.io", "v1", "kubevirt", "kubevirts", "kubevirt")
        for item in definitions.list_custom_resource_definition().items:
            definitions.delete_custom_resource_definition(item.metadata.name)
        for name in ("kubevirt", "virt-ci"):
            unless_absent(partial(core.delete_namespace, name))
        rbac.delete_cluster_role_binding("virt-ci-deployer")
        until(lambda: gone(core, "kubevirt") and gone(core, "virt-ci"), seconds=60)


def gone(core: Any, namespace: str) -> bool:
    return unless_absent(lambda: core.read_namespace(namespace)) is None


def test_a_machine_is_rebuilt_as_the_runbook_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with following("rebuild-machine", tmp_path, monkeypatch) as follower:
        follower.export([f"KUBECONFIG={follower.project}/kubeconfig"])
        for before in (
            "virtci kubeconfig dev --to kubeconfig",
            "virtci readiness dev",
            "pulumi up --stack dev-kubevirt --yes",
        ):
            follower.run(command(before))
        old, rights = follower.fleet.machine.guid, rights_on_the_machine(follower)

        replaced = follower.follow("step 1")
        empty_the_cluster(follower)
        untold = follower.status()

        def first_boot() -> None:
            assert follower.fleet.plane is not None
            prepare(follower.fleet.plane)
            follower.fleet.tell("ready", "boot-of-the-new-one")
            follower.fleet.publish()

        follower.fleet.naps = [first_boot, lambda: None]
        follower.follow("step 2")
        follower.follow("step 3")
        follower.follow("How to check")
        rebuilt = follower.status()
        steady = follower.pulumi(["preview", "--stack", "dev", "--expect-no-changes"])

    assert "VirtualMachine" in replaced[0].output
    assert follower.fleet.machine.guid != old
    assert rights_on_the_machine(follower) == rights > 0
    assert untold["boot"] == "unknown: the machine has not told of any"
    assert {name: text for name, text in rebuilt.items() if not text.startswith("good: ")} == {}
    assert rebuilt["last test"] == "good: none yet"
    assert steady[0] == 0, steady[1]
