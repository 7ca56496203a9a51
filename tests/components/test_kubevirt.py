"""KubeVirt in a cluster: nothing before the nodes are judged, the gate that they allow, and nothing else."""

import hashlib
import json
import shutil
import subprocess
import sys
from copy import deepcopy
from pathlib import Path
from typing import Any

import pulumi
import pytest

from tests.committed import (
    CLUSTER_STACKS,
    KUBECONFIG,
    ROOT,
    fleet,
    readiness_record,
    record_configuration,
    stack_file,
)
from tests.recorder import Recorder, Registration
from virtci.core.hypervisors import Hypervisor

KUBEVIRT = "kubernetes:kubevirt.io/v1:KubeVirt"
DEPLOYMENT = "kubernetes:apps/v1:Deployment"
OPERATOR = "kubevirt-Deployment-virt-operator"
STACK = "dev-kubevirt"
PARTIAL = readiness_record(Hypervisor.MSHV, Hypervisor.EMULATION)


def recorded(stack: str = STACK, readiness: str = readiness_record(Hypervisor.MSHV), **changes: Any) -> Recorder:
    """A stack with changed settings, on a cluster with this readiness record."""
    content = deepcopy(stack_file(stack))
    content["virt-ci:kubevirt"].update(changes)
    return record_configuration(stack, content, readiness)


def resource(recorder: Recorder) -> dict[str, Any]:
    """The KubeVirt resource."""
    return recorder.one(KUBEVIRT).plain()


def declared(recorder: Recorder) -> dict[str, Registration]:
    """The objects of the cluster by name."""
    return {item.name: item for item in recorder.registrations if item.kind.startswith("kubernetes:")}


@pytest.mark.parametrize("stack", CLUSTER_STACKS)
def test_types_are_those_of_the_providers_own_sdk(stack: str) -> None:
    """It calls the group without a name `core`, and finds no kind under any other token."""
    for item in declared(fleet(stack)).values():
        group_version = item.kind.split(":")[1]
        version = group_version.removeprefix("core/")
        assert group_version.count("/") == 1
        assert item.inputs["apiVersion"] == version
        assert item.kind.split(":")[2].removesuffix("Patch") == item.inputs["kind"]


@pytest.mark.parametrize(
    ("stack", "spec"),
    [
        (
            "dev-kubevirt",
            {
                "imagePullPolicy": "IfNotPresent",
                "workloadUpdateStrategy": {"workloadUpdateMethods": ["Evict"]},
                "configuration": {"developerConfiguration": {"featureGates": ["HyperVL1VH"]}},
                "infra": {"replicas": 1.0},
            },
        ),
        (
            "test-kvm-kubevirt",
            {
                "imagePullPolicy": "IfNotPresent",
                "workloadUpdateStrategy": {"workloadUpdateMethods": ["LiveMigrate", "Evict"]},
                "configuration": {"developerConfiguration": {"featureGates": []}},
                "infra": {"nodePlacement": {"nodeSelector": {"kubernetes.io/os": "linux"}}},
            },
        ),
        (
            "test-emulation-kubevirt",
            {
                "imagePullPolicy": "IfNotPresent",
                "workloadUpdateStrategy": {"workloadUpdateMethods": ["Evict"]},
                "configuration": {"developerConfiguration": {"featureGates": [], "useEmulation": True}},
                "infra": {"replicas": 1.0},
            },
        ),
    ],
)
def test_the_resource_is_what_the_environment_needs(stack: str, spec: dict[str, Any]) -> None:
    assert resource(fleet(stack))["spec"] == spec


def test_the_upstream_gate_comes_with_its_hypervisor() -> None:
    configuration = resource(recorded(gate="ConfigurableHypervisor"))["spec"]["configuration"]

    assert configuration["developerConfiguration"]["featureGates"] == ["ConfigurableHypervisor"]
    assert configuration["hypervisors"] == [{"name": "hyperv-direct"}]


def test_an_incapable_node_stops_the_deployment_before_anything_is_declared() -> None:
    seen: list[Registration] = []
    with pytest.raises(pulumi.RunError) as error:
        record_configuration(STACK, stack_file(STACK), PARTIAL, registrations=seen)

    text = str(error.value)
    assert "node-1: /dev/mshv does not exist" in text
    assert "node-0:" not in text
    assert "fix:" in text
    assert [item.name for item in seen if item.custom] == ["cluster"]


@pytest.mark.parametrize("readiness", ["", "{}", '{"version": 2}'])
def test_a_record_that_cannot_be_read_stops_the_deployment(readiness: str) -> None:
    with pytest.raises(pulumi.RunError, match="readiness record"):
        recorded(readiness=readiness)


def test_with_fallback_the_gate_stays_off_and_the_outputs_say_why() -> None:
    recorder = recorded(readiness=PARTIAL, whenNotReady="fallback")

    developer = resource(recorder)["spec"]["configuration"]["developerConfiguration"]
    output = recorder.exports["kubevirt"]
    assert developer["featureGates"] == []
    assert (output["gate"], output["gateDeclared"], output["fallback"]) == ("off", "HyperVL1VH", True)
    assert output["readiness"]["ready"] is False
    assert list(output["readiness"]["incapable"]) == ["node-1"]
    assert "node-1" in output["reason"]


def test_switching_the_gate_off_changes_the_resource_and_the_rules_and_nothing_else() -> None:
    on, off = declared(recorded()), declared(recorded(readiness="", gate="off"))

    assert on.keys() == off.keys()
    changed = {name for name in on if on[name].inputs != off[name].inputs}
    assert changed == {"kubevirt-configuration", "monitoring-configuration"}


def test_the_record_is_read_only_where_the_gate_is_on() -> None:
    """With the gate off a rollback works on a cluster that answers nothing about its nodes."""
    assert resource(recorded(readiness="no record", gate="off"))["spec"]["configuration"]


def test_the_resource_waits_for_the_operator_and_everything_that_it_needs() -> None:
    recorder = fleet(STACK)
    objects = declared(recorder)
    after = {urn.rsplit("::", 1)[-1] for urn in objects["kubevirt-configuration"].depends_on}

    assert OPERATOR in after
    assert "kubevirt-CustomResourceDefinition-kubevirts.kubevirt.io" in after
    assert {urn.rsplit("::", 1)[-1] for urn in objects[OPERATOR].depends_on} == after - {
        OPERATOR,
        "kubevirt-readiness",
    }


def test_the_deployment_is_over_when_kubevirt_is_available() -> None:
    annotations = resource(fleet(STACK))["metadata"]["annotations"]

    assert annotations["pulumi.com/waitFor"] == "condition=Available"


@pytest.mark.parametrize(("stack", "needs"), [("dev-kubevirt", True), ("test-kvm-kubevirt", False)])
def test_the_operator_insists_on_a_control_plane_only_where_there_is_one(stack: str, needs: bool) -> None:
    affinity = fleet(stack).one(DEPLOYMENT, OPERATOR).inputs["spec"]["template"]["spec"]["affinity"]

    assert ("nodeAffinity" in affinity) is needs


@pytest.mark.parametrize("stack", CLUSTER_STACKS)
def test_neither_kubeconfig_nor_its_place_is_in_the_inputs(stack: str) -> None:
    (provider,) = fleet(stack).all("pulumi:providers:kubernetes")

    assert provider.inputs["kubeconfig"] == ""
    assert provider.inputs["clusterIdentifier"] == stack.removesuffix("-kubevirt")


def test_two_environments_with_one_release_have_one_digest() -> None:
    digests = {fleet(stack).exports["kubevirt"]["releaseDigest"] for stack in CLUSTER_STACKS}

    assert len(digests) == 1


# {"exp": 1}, which ran out in 1970.
EXPIRED = KUBECONFIG.replace("user: {}", "user: {token: head.eyJleHAiOiAxfQ.signature}")


@pytest.mark.parametrize("kubeconfig", ["", "users: []\n", EXPIRED], ids=["empty", "incomplete", "expired"])
def test_a_kubeconfig_of_no_use_is_one_error_and_nothing_is_declared(kubeconfig: str) -> None:
    with pytest.raises(pulumi.RunError) as error:
        record_configuration(STACK, stack_file(STACK), kubeconfig=kubeconfig)

    assert "1 problem; nothing was changed" in str(error.value)
    assert "KUBECONFIG" in str(error.value)


def test_an_unknown_gate_is_one_error_with_the_right_spelling() -> None:
    with pytest.raises(pulumi.RunError) as error:
        recorded(gate="HyperVL1Vh")

    assert "kubevirt.gate = 'HyperVL1Vh'" in str(error.value)
    assert "did you mean `HyperVL1VH`" in str(error.value)


def test_an_absent_release_is_one_error_that_names_the_folder() -> None:
    with pytest.raises(pulumi.RunError) as error:
        recorded(release="nowhere")

    assert "nowhere/release.json" in str(error.value)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("kind: Namespace\n", "", "document 1"),
        ("virt-handler@sha256:", "virt-handler:v1.8.2-", "VIRT_HANDLER_IMAGE"),
        ("value: registry.example/", "value: elsewhere.example/", "VIRT_API_IMAGE"),
    ],
    ids=["broken manifest", "tag instead of digest", "another registry"],
)
def test_a_release_that_is_no_release_is_told_before_anything_is_declared(
    tmp_path: Path, old: str, new: str, says: str
) -> None:
    folder = shutil.copytree(ROOT / stack_file(STACK)["virt-ci:kubevirt"]["release"], tmp_path / "release")
    manifest = folder / "kubevirt-operator.yaml"
    manifest.write_text(manifest.read_text().replace(old, new))
    description = json.loads((folder / "release.json").read_text())
    description["manifestSha256"] = hashlib.sha256(manifest.read_bytes()).hexdigest()
    (folder / "release.json").write_text(json.dumps(description))

    with pytest.raises(pulumi.RunError) as error:
        recorded(release=str(folder))

    assert "nothing was changed" in str(error.value)
    assert says in str(error.value)
    assert "fix:" in str(error.value)


def test_a_release_that_does_not_know_the_gate_is_refused(tmp_path: Path) -> None:
    folder = shutil.copytree(ROOT / stack_file(STACK)["virt-ci:kubevirt"]["release"], tmp_path / "release")
    description = json.loads((folder / "release.json").read_text())
    manifest = folder / description["manifest"]
    manifest.write_text(manifest.read_text().replace(description["version"], "v1.7.3"))
    description |= {"version": "v1.7.3", "manifestSha256": hashlib.sha256(manifest.read_bytes()).hexdigest()}
    (folder / "release.json").write_text(json.dumps(description))

    with pytest.raises(pulumi.RunError) as error:
        recorded(release=str(folder), gate="ConfigurableHypervisor")

    assert "KubeVirt v1.7.3: at least 1.8.0 is needed" in str(error.value)
    assert "nothing was changed" in str(error.value)


@pytest.mark.parametrize(
    ("stack", "absent"), [("hub", "pulumi_kubernetes"), (STACK, "pulumi_azure_native"), (STACK, "kubernetes.client")]
)
def test_a_stack_imports_only_the_sdks_that_it_uses(stack: str, absent: str) -> None:
    """Each of them costs its previews time."""
    code = f"import sys; from tests.committed import fleet; fleet({stack!r}); print({absent!r} in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert run.stdout.strip() == "False"
