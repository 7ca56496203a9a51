"""The stacks inside clusters, through the real engine, on real API servers: up, gate on and off, conflicts, faults, down."""

import hashlib
import json
import shutil
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.committed import ROOT
from tests.rehearsal.stage import Edit, Stage, stage
from virtci.core.environments import Environment
from virtci.core.hypervisors import Hypervisor
from virtci.fleet.clouds import kubernetes
from virtci.fleet.cluster_api import ClusterApi
from virtci.rehearsal.engine import Run
from virtci.rehearsal.kubernetes.scenario import cluster_of
from virtci.rehearsal.world import read_stacks

pytestmark = [pytest.mark.engine, pytest.mark.cluster]

STACK = "dev-kubevirt"
SECTION = "virt-ci:kubevirt"
BINDINGS = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
RELEASE = ROOT / "virtci/rehearsal/kubernetes/release"
MSHV, EMULATION = Hypervisor.MSHV, Hypervisor.EMULATION


@contextmanager
def inside(folder: Path, *nodes: Hypervisor, stack: str = STACK, edit: Edit | None = None) -> Iterator[Stage]:
    """A stage for a stack inside a cluster with these nodes, not yet measured."""
    environment = Environment(stack.removesuffix("-kubevirt"))
    wanted = {stack: cluster_of(environment, stack, nodes)}
    with stage(folder, (stack,), edits={stack: edit} if edit else None, wanted=wanted) as found:
        yield found


def measure(on: Stage, stack: str = STACK) -> None:
    """What the pipeline does before it deploys."""
    settings = read_stacks((stack,), on.workspace.project)[stack]
    assert settings.kubevirt
    on.world.measure(stack, settings.kubevirt)


@contextmanager
def connected(on: Stage, stack: str = STACK) -> Iterator[ClusterApi]:
    """The API of the cluster."""
    with kubernetes(on.world.clusters[stack].kubeconfig) as client:
        yield ClusterApi(client)


def live(on: Stage, stack: str = STACK) -> dict[str, Any]:
    """The KubeVirt resource."""
    with connected(on, stack) as api:
        found = api.get("kubevirt.io/v1", "KubeVirt", "kubevirt", "kubevirt")
    assert found is not None
    return found


def setting(**values: Any) -> Edit:
    """Sets keys of the section."""
    return lambda content: content[SECTION].update(values)


def changed(run: Run) -> dict[str, str]:
    """What an operation changed, by logical name; a record that is no longer read is no change."""
    return {urn.rsplit("::", 1)[-1]: step for urn, step in run.changes.items() if step not in ("read", "discard")}


def test_one_environment_goes_up_is_stable_rolls_back_and_leaves_nothing(tmp_path: Path) -> None:
    with inside(tmp_path, MSHV) as on:
        measure(on)
        preview = on.workspace.preview(STACK)
        assert preview.succeeded, preview.errors
        assert preview.mandatory == []
        with connected(on) as api:
            assert api.get("v1", "Namespace", "", "kubevirt") is None, "a preview changes nothing"

        on.up(STACK)
        assert live(on)["spec"]["configuration"]["developerConfiguration"]["featureGates"] == ["HyperVL1VH"]
        assert live(on)["status"]["phase"] == "Deployed"
        assert on.workspace.outputs(STACK)["kubevirt"]["hypervisor"] == "mshv"
        assert changed(on.workspace.preview(STACK)) == {}

        before = live(on)
        on.edit(STACK, setting(gate="off"))
        rollback = on.up(STACK)
        assert changed(rollback) == {"kubevirt-configuration": "update", "monitoring-configuration": "update"}
        assert live(on)["metadata"]["uid"] == before["metadata"]["uid"]
        assert live(on)["spec"]["configuration"]["developerConfiguration"]["featureGates"] == []

        destroyed = on.workspace.destroy(STACK)
        assert destroyed.succeeded, destroyed.errors
        assert on.world.remaining_in_clusters() == []


def test_the_cluster_of_several_nodes_without_a_control_plane_goes_up(tmp_path: Path) -> None:
    stack = "test-kvm-kubevirt"
    with inside(tmp_path, Hypervisor.KVM, Hypervisor.KVM, stack=stack) as on:
        on.up(stack)

        output = on.workspace.outputs(stack)["kubevirt"]
        assert (output["gate"], output["hypervisor"]) == ("off", "kvm")
        assert output["readiness"] is None
        with connected(on, stack) as api:
            operator = api.get("apps/v1", "Deployment", "kubevirt", "virt-operator")
        assert operator is not None
        assert operator["status"]["availableReplicas"] == 2


def test_a_capable_and_an_incapable_node_stop_everything_and_fallback_goes_on_without_the_gate(tmp_path: Path) -> None:
    with inside(tmp_path, MSHV, EMULATION) as on:
        measure(on)

        for run in (on.workspace.preview(STACK), on.workspace.up(STACK)):
            assert not run.succeeded
            assert "dev-node-1: /dev/mshv does not exist" in run.errors[0]
            assert "whenNotReady: fallback" in run.errors[0]
        with connected(on) as api:
            assert api.get("v1", "Namespace", "", "kubevirt") is None, "nothing half-applied stays"

        on.edit(STACK, setting(whenNotReady="fallback"))
        on.up(STACK)
        assert live(on)["spec"]["configuration"]["developerConfiguration"]["featureGates"] == []
        output = on.workspace.outputs(STACK)["kubevirt"]
        assert (output["gate"], output["gateDeclared"], output["fallback"]) == ("off", "HyperVL1VH", True)
        assert "dev-node-1" in output["reason"]


def test_a_cluster_that_nobody_measured_is_told_with_the_command(tmp_path: Path) -> None:
    with inside(tmp_path, MSHV) as on:
        preview = on.workspace.preview(STACK)

    assert not preview.succeeded
    assert "resource 'virt-ci/readiness' does not exist" in preview.errors[0]
    assert "virtci readiness ENV" in preview.errors[0]


def test_what_somebody_changed_by_hand_is_a_conflict_that_names_field_and_manager(tmp_path: Path) -> None:
    with inside(tmp_path, MSHV, edit=setting(gate="off")) as on:
        on.up(STACK)
        theirs = {**live(on), "spec": {"configuration": {"developerConfiguration": {"featureGates": ["Sidecar"]}}}}
        theirs["metadata"] = {"name": "kubevirt", "namespace": "kubevirt"}
        theirs.pop("status")
        with connected(on) as api:
            api.apply(theirs, "kubectl-of-somebody", force=True)

        measure(on)
        on.edit(STACK, setting(gate="HyperVL1VH"))
        run = on.workspace.up(STACK)

        assert not run.succeeded
        conflict = next(error for error in run.errors if "conflict" in error)
        assert '"kubectl-of-somebody"' in conflict
        assert ".spec.configuration.developerConfiguration.featureGates" in conflict
        with connected(on) as api:
            api.apply({**theirs, "spec": {}}, "kubectl-of-somebody")
        assert on.up(STACK).succeeded, "the next run converges"


def test_a_release_whose_definition_lacks_a_field_is_refused_by_the_server(tmp_path: Path) -> None:
    release = released(tmp_path, lambda text: text.replace("useEmulation: {type: boolean}", "usesEmulation: {type: boolean}"))  # fmt: skip
    stack = "test-emulation-kubevirt"
    with inside(tmp_path, EMULATION, stack=stack, edit=setting(release=release)) as on:
        run = on.workspace.up(stack)

    assert not run.succeeded
    assert ".useEmulation: field not declared in schema" in run.errors[0]


def test_another_kubeconfig_for_the_same_cluster_changes_nothing_and_one_that_is_not_taken_is_told(
    tmp_path: Path,
) -> None:
    with inside(tmp_path, MSHV) as on:
        measure(on)
        on.up(STACK)
        path = on.world.clusters[STACK].kubeconfig_file
        rotated = yaml.safe_load(path.read_text())
        rotated["users"][0]["name"] = rotated["contexts"][0]["context"]["user"] = "somebody-else"
        path.write_text(yaml.safe_dump(rotated))
        assert changed(on.workspace.preview(STACK)) == {}

        rotated["users"][0]["user"] = {"token": "revoked"}
        path.write_text(yaml.safe_dump(rotated))
        run = on.workspace.preview(STACK)
        assert not run.succeeded
        assert "asked for the client to provide credentials" in run.errors[0]
        assert "virtci rotate kubeconfig" in run.errors[0]
        assert "revoked" not in "".join(run.errors)


def test_the_account_of_the_tests_works_inside_its_namespaces_only(tmp_path: Path) -> None:
    with inside(tmp_path, MSHV, edit=setting(gate="off")) as on:
        on.up(STACK)
        token = ask_for_token(on)

        assert attempt(on, token, "POST", "/api/v1/namespaces", named("kubevirt-test-default1")) == 201
        assert attempt(on, token, "POST", "/api/v1/namespaces", named("kubevirt-else")) == 422
        assert attempt(on, token, "DELETE", "/api/v1/namespaces/kubevirt") == 422
        assert attempt(on, token, "POST", "/api/v1/namespaces/kubevirt-test-default1/configmaps", named("a")) == 201
        assert attempt(on, token, "POST", "/api/v1/namespaces/kube-system/configmaps", named("a")) == 422
        assert attempt(on, token, "POST", "/api/v1/namespaces/kubevirt-test-default1/secrets", named("a")) == 201
        assert attempt(on, token, "GET", "/api/v1/namespaces/kube-system/secrets") == 403
        assert attempt(on, token, "GET", "/apis/kubevirt.io/v1/namespaces/kubevirt/kubevirts/kubevirt") == 200
        patch = "/apis/kubevirt.io/v1/namespaces/kubevirt/kubevirts/kubevirt"
        assert attempt(on, token, "PATCH", patch, {"spec": {"imageTag": "x"}}) == 403
        for name, status in (("kubevirt-view-test-sa-1", 201), ("anything", 422)):
            assert attempt(on, token, "POST", BINDINGS, binding(name, "virt-ci-tests")) == status
        # More rights than it has, nobody lets it give away.
        assert attempt(on, token, "POST", BINDINGS, binding("kubevirt-edit-test-sa-1", "cluster-admin")) == 403
        with connected(on) as api:
            assert api.items("v1", "Namespace"), "the policy is for the account only"
            api.create(
                {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x", "namespace": "default"}}, "x"
            )


def named(name: str) -> dict[str, Any]:
    """A body with a name."""
    return {"metadata": {"name": name}}


def binding(name: str, role: str) -> dict[str, Any]:
    """A binding of a role to an account of the suite."""
    return {
        **named(name),
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": "it", "namespace": "kubevirt-test-default1"}],
    }


def ask_for_token(on: Stage) -> str:
    """A token of the tests' account with an expiry, as a pipeline asks for one."""
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}}
    with connected(on) as api:
        answer = api.request("POST", "/api/v1/namespaces/virt-ci/serviceaccounts/tests/token", body=body)
    token: str = answer["status"]["token"]
    return token


def attempt(on: Stage, token: str, method: str, path: str, body: dict[str, Any] | None = None) -> int:
    """The status that a request of the tests' account gets."""
    plane = on.world.clusters[STACK]
    context = ssl.create_default_context(cadata=plane.ca)
    headers = {"Authorization": f"Bearer {token}"}
    if method == "PATCH":
        headers["Content-Type"] = "application/merge-patch+json"
    with httpx.Client(base_url=plane.url, verify=context, headers=headers, trust_env=False) as client:
        return client.request(method, path, json=body).status_code


def released(folder: Path, change: Callable[[str], str]) -> str:
    """A release with a changed manifest, as a build would have made it."""
    copy = shutil.copytree(RELEASE, folder / "release")
    manifest = copy / "kubevirt-operator.yaml"
    text = change(manifest.read_text())
    assert text != manifest.read_text()
    manifest.write_text(text)
    description = json.loads((copy / "release.json").read_text())
    description["manifestSha256"] = hashlib.sha256(manifest.read_bytes()).hexdigest()
    (copy / "release.json").write_text(json.dumps(description))
    return str(copy)
