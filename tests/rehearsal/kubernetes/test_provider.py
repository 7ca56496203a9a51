"""The provider of a rehearsal against a real API server: what it refuses, waits for, changes and takes away."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from pulumi.runtime.proto import provider_pb2
from pulumi.runtime.rpc import UNKNOWN

from tests.rehearsal.kubernetes.hands import Hands
from virtci.rehearsal.bridge import Change, HalfMadeError, ProviderServer, Values, to_struct
from virtci.rehearsal.clock import SimulatedClock
from virtci.rehearsal.journal import CloudError, Fault, FaultPlan, Journal
from virtci.rehearsal.kubernetes.provider import Kubernetes, identity, shaped

CONFIG_MAP = "kubernetes:core/v1:ConfigMap"
NAMESPACE = "kubernetes:core/v1:Namespace"
PATCH = "kubernetes:core/v1:NamespacePatch"
DEPLOYMENT = "kubernetes:apps/v1:Deployment"
SERVICE = "kubernetes:core/v1:Service"
JOB = "kubernetes:batch/v1:Job"
DEFINITION = "kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition"
ABSENT_KIND = "kubernetes:example.org/v9:Nothing"


def provider(hands: Hands, seconds: float = 60.0, *faults: Fault) -> Kubernetes:
    """The provider for the cluster of a test."""
    journal = Journal(SimulatedClock(), FaultPlan(faults=faults))
    found = Kubernetes(hands.plane.kubeconfig_file, journal, seconds)
    found.configure({"enableConfigMapMutable": "true"})
    return found


def config_map(hands: Hands, **data: str) -> Values:
    """A ConfigMap in the namespace of a test."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "settings", "namespace": hands.namespace},
        "data": data,
    }


def deployment(hands: Hands, **more: Any) -> Values:
    """A Deployment whose pods run at once."""
    labels = {"app": "it"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "it", "namespace": hands.namespace},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "it", "image": "it", "ports": [{"containerPort": 80}]}], **more},
            },
        },
    }


@pytest.mark.cluster
def test_what_is_created_is_there_and_its_outputs_have_the_form_of_the_inputs(hands: Hands) -> None:
    inputs = config_map(hands, key="value")

    name, outputs = provider(hands).create(CONFIG_MAP, inputs)

    assert name == f"{hands.namespace}/settings"
    assert outputs == inputs
    assert hands.get("configmap/settings", ".data.key") == "value"


@pytest.mark.cluster
def test_a_field_that_does_not_exist_is_refused_in_preview_and_in_deployment(hands: Hands) -> None:
    inputs = deployment(hands, hostnetwork=True)

    for call in (lambda: provider(hands).preview(DEPLOYMENT, inputs, None), lambda: provider(hands).create(DEPLOYMENT, inputs)):  # fmt: skip
        with pytest.raises(CloudError, match=r"unknown field|field not declared.*hostnetwork|hostnetwork"):
            call()


@pytest.mark.cluster
def test_what_exists_already_is_not_taken_over(hands: Hands) -> None:
    hands.kubectl("create", "configmap", "settings")

    with pytest.raises(CloudError) as error:
        provider(hands).create(CONFIG_MAP, config_map(hands, key="value"))

    assert (error.value.status, error.value.code) == (409, "AlreadyExists")
    assert hands.get("configmap/settings", ".data.key") == ""


@pytest.mark.cluster
def test_a_field_that_somebody_else_manages_is_a_conflict_that_names_both(hands: Hands) -> None:
    face = provider(hands)
    name, state = face.create(CONFIG_MAP, config_map(hands, key="ours"))
    theirs = yaml.safe_dump(config_map(hands, key="theirs"))
    hands.kubectl("apply", "--server-side", "--force-conflicts", "--field-manager=somebody", "-f", "-", given=theirs)

    for call in (face.update, lambda *args: face.preview(CONFIG_MAP, args[2], args[3])):
        with pytest.raises(CloudError) as error:
            call(CONFIG_MAP, name, config_map(hands, key="ours again"), state)

        assert error.value.status == 409
        assert '"somebody"' in error.value.message
        assert ".data.key" in error.value.message


@pytest.mark.cluster
def test_a_preview_changes_nothing(hands: Hands) -> None:
    face = provider(hands)

    assert face.preview(CONFIG_MAP, config_map(hands, key="value"), None) == config_map(hands, key="value")

    assert face.read(CONFIG_MAP, f"{hands.namespace}/settings", {}, {}) is None


@pytest.mark.cluster
def test_a_preview_waits_for_no_namespace_and_no_definition(hands: Hands) -> None:
    face = provider(hands)
    elsewhere = {**config_map(hands), "metadata": {"name": "settings", "namespace": "not-there-yet"}}
    unknown = {"apiVersion": "example.org/v9", "kind": "Nothing", "metadata": {"name": "x"}}
    later = {**config_map(hands), "data": {"key": UNKNOWN}}

    assert face.preview(CONFIG_MAP, elsewhere, None) == elsewhere
    assert face.preview(ABSENT_KIND, unknown, None) == unknown
    assert face.preview(CONFIG_MAP, later, None) == later


@pytest.mark.cluster
def test_a_kind_that_does_not_come_is_named(hands: Hands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("virtci.rehearsal.kubernetes.provider.LATER_SECONDS", 0.0)
    unknown = {"apiVersion": "example.org/v9", "kind": "Nothing", "metadata": {"name": "x"}}

    with pytest.raises(CloudError, match=r'no matches for kind "Nothing" in version "example\.org/v9"'):
        provider(hands).create(ABSENT_KIND, unknown)


@pytest.mark.cluster
def test_a_deployment_is_finished_when_its_pods_are_ready(hands: Hands) -> None:
    face = provider(hands)

    name, state = face.create(DEPLOYMENT, deployment(hands))

    assert hands.get("deployment/it", ".status.availableReplicas") == "1"
    changed = deepcopy(deployment(hands))
    changed["spec"]["replicas"] = 3
    face.update(DEPLOYMENT, name, changed, state)
    assert hands.get("deployment/it", ".status.availableReplicas") == "3"


@pytest.mark.cluster
def test_a_deployment_that_finds_no_node_is_half_made_and_says_why(hands: Hands) -> None:
    inputs = deployment(hands, nodeSelector={"pool": "nowhere"})

    with pytest.raises(HalfMadeError) as error:
        provider(hands, 1.0).create(DEPLOYMENT, inputs)

    assert error.value.resource_id == f"{hands.namespace}/it"
    assert "was not ready after 1 s" in str(error.value)
    assert error.value.outputs["metadata"]["name"] == "it"


@pytest.mark.cluster
def test_who_asks_not_to_wait_is_not_kept_waiting(hands: Hands) -> None:
    inputs = deployment(hands, nodeSelector={"pool": "nowhere"})
    inputs["metadata"]["annotations"] = {"pulumi.com/skipAwait": "true"}

    assert provider(hands, 1.0).create(DEPLOYMENT, inputs)


@pytest.mark.cluster
def test_the_patience_of_an_object_is_its_own(hands: Hands) -> None:
    inputs = deployment(hands, nodeSelector={"pool": "nowhere"})
    inputs["metadata"]["annotations"] = {"pulumi.com/timeoutSeconds": "0.5"}

    with pytest.raises(HalfMadeError, match=r"after 0\.5 s"):
        provider(hands).create(DEPLOYMENT, inputs)


@pytest.mark.cluster
def test_a_condition_that_is_asked_for_is_waited_for(hands: Hands) -> None:
    inputs = config_map(hands)
    inputs["metadata"]["annotations"] = {"pulumi.com/waitFor": "condition=Available"}

    with pytest.raises(HalfMadeError, match="it has no conditions"):
        provider(hands, 0.5).create(CONFIG_MAP, inputs)


@pytest.mark.cluster
def test_a_job_is_finished_when_it_is_complete(hands: Hands) -> None:
    pod = {"restartPolicy": "Never", "containers": [{"name": "it", "image": "it"}]}
    inputs = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "it", "namespace": hands.namespace},
        "spec": {"template": {"spec": pod}},
    }

    provider(hands).create(JOB, inputs)

    assert hands.get("job/it", ".status.succeeded") == "1"


@pytest.mark.cluster
def test_a_service_is_finished_when_something_answers_behind_it(hands: Hands) -> None:
    spec = {"selector": {"app": "it"}, "ports": [{"port": 80}]}
    inputs = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "it", "namespace": hands.namespace}, "spec": spec}  # fmt: skip
    with pytest.raises(HalfMadeError):
        provider(hands, 0.5).create(SERVICE, inputs)
    hands.kubectl("delete", "service", "it")
    provider(hands).create(DEPLOYMENT, deployment(hands))

    assert provider(hands).create(SERVICE, inputs)


@pytest.mark.cluster
def test_what_is_deleted_is_gone_with_everything_that_it_made(hands: Hands) -> None:
    face = provider(hands)
    name, state = face.create(DEPLOYMENT, deployment(hands))

    face.delete(DEPLOYMENT, name, state)

    assert hands.kubectl("get", "deployment,replicaset,pod", "-o", "name") == ""
    face.delete(DEPLOYMENT, name, state)


@pytest.mark.cluster
def test_a_patch_shares_an_object_and_leaves_it_there(hands: Hands) -> None:
    face = provider(hands)
    inputs = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": hands.namespace, "labels": {"ours": "yes"}}}

    name, state = face.create(PATCH, inputs)
    assert hands.get(f"namespace/{hands.namespace}", ".metadata.labels.ours") == "yes"
    face.delete(PATCH, name, state)

    assert hands.get(f"namespace/{hands.namespace}", ".metadata.labels.ours") == ""
    assert hands.get(f"namespace/{hands.namespace}", ".status.phase") == "Active"


@pytest.mark.cluster
def test_a_patch_makes_what_is_not_there(hands: Hands) -> None:
    name = f"{hands.namespace}-more"
    inputs = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}

    provider(hands).create(PATCH, inputs)

    assert hands.get(f"namespace/{name}", ".metadata.name") == name


@pytest.mark.cluster
def test_who_only_reads_sees_the_whole_object(hands: Hands) -> None:
    hands.kubectl("create", "configmap", "settings", "--from-literal=key=value")

    found = provider(hands).read(CONFIG_MAP, f"{hands.namespace}/settings", {}, {})

    assert found is not None
    assert found["data"] == {"key": "value"}
    assert found["metadata"]["uid"]


@pytest.mark.cluster
def test_what_was_changed_by_hand_is_seen_in_the_form_of_the_inputs(hands: Hands) -> None:
    face = provider(hands)
    inputs = config_map(hands, key="ours")
    name, state = face.create(CONFIG_MAP, inputs)
    hands.kubectl("patch", "configmap", "settings", "-p", '{"data": {"key": "theirs", "more": "x"}}')

    found = face.read(CONFIG_MAP, name, inputs, state)

    assert found is not None
    assert found["data"] == {"key": "theirs"}
    assert "uid" not in found["metadata"]


@pytest.mark.cluster
def test_a_fault_meets_the_call_that_it_is_planned_for_and_calls_are_in_the_journal(hands: Hands) -> None:
    face = provider(hands, 60.0, Fault(cloud="kubernetes", operation="create", status=503, code="Unavailable"))

    with pytest.raises(CloudError) as error:
        face.create(CONFIG_MAP, config_map(hands))
    face.create(CONFIG_MAP, config_map(hands))

    assert error.value.status == 503
    target = f"ConfigMap {hands.namespace}/settings"
    assert [(call.operation, call.target, call.status) for call in face.journal.calls] == [
        ("create", target, 503),
        ("create", target, 200),
    ]


@pytest.mark.cluster
def test_a_credential_that_the_server_does_not_take_is_told_without_it(hands: Hands, tmp_path: Path) -> None:
    content = yaml.safe_load(hands.plane.kubeconfig)
    content["users"][0]["user"] = {"token": "ran-out"}
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(content))
    face = Kubernetes(path, Journal(SimulatedClock()))
    face.configure({})

    with pytest.raises(CloudError) as error:
        face.create(CONFIG_MAP, config_map(hands))

    assert error.value.status == 401
    assert "asked for the client to provide credentials" in error.value.message


def unconfigured(path: Path = Path("/nonexistent")) -> Kubernetes:
    """The provider without a cluster."""
    face = Kubernetes(path, Journal(SimulatedClock()))
    face.configure({})
    return face


def test_a_kubeconfig_that_is_not_there_is_told_when_something_is_to_be_done() -> None:
    inputs = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x"}}

    assert unconfigured().preview(NAMESPACE, inputs, None) == inputs
    with pytest.raises(CloudError, match="configured Kubernetes cluster is unreachable"):
        unconfigured().create(NAMESPACE, inputs)


@pytest.mark.parametrize(
    ("inputs", "properties"),
    [
        ({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}}, []),
        ({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {}}, ["metadata.name"]),
        ({"apiVersion": "v1", "kind": "ConfigMap"}, ["metadata.name"]),
        ({"apiVersion": "apps/v1", "kind": "Pod", "metadata": {"name": "x"}}, ["apiVersion", "kind"]),
    ],
)
def test_an_object_says_what_it_is_and_has_a_name(inputs: Values, properties: list[str]) -> None:
    assert [failure.property for failure in unconfigured().check(CONFIG_MAP, inputs)] == properties


@pytest.mark.parametrize(
    ("kind", "path", "replaces"),
    [
        (CONFIG_MAP, "metadata.name", True),
        (CONFIG_MAP, "metadata.labels.x", False),
        (CONFIG_MAP, "data.key", True),
        (DEPLOYMENT, "spec.selector.matchLabels.app", True),
        (DEPLOYMENT, "spec.template.spec.containers[0].image", False),
        (JOB, "spec.template.spec.containers[0].image", True),
        ("kubernetes:rbac.authorization.k8s.io/v1:RoleBinding", "roleRef.name", True),
        ("kubernetes:rbac.authorization.k8s.io/v1:RoleBinding", "subjects[0].name", False),
        (PATCH, "metadata.labels.x", False),
    ],
)
def test_what_cannot_be_changed_in_place_is_replaced(kind: str, path: str, replaces: bool) -> None:
    assert unconfigured().replaces(kind, Change(path, "update")) is replaces


def test_what_is_replaced_is_deleted_first_because_it_keeps_its_name() -> None:
    kind = "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding"
    old, new = ({"roleRef": {"name": name}, "metadata": {"name": "x"}} for name in ("a", "b"))
    request = provider_pb2.DiffRequest(type=kind, old_inputs=to_struct(old), news=to_struct(new))

    answer = ProviderServer(unconfigured()).Diff(request, None)

    assert list(answer.replaces) == ["roleRef"]
    assert answer.deleteBeforeReplace


def test_what_a_refresh_may_write_is_not_the_status() -> None:
    declared = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x"}}

    assert unconfigured().settable(NAMESPACE, {**declared, "status": {"phase": "Active"}}) == declared


def test_config_maps_are_changed_in_place_where_the_program_says_so() -> None:
    face = Kubernetes(Path("/nonexistent"), Journal(SimulatedClock()))
    face.configure({"enableConfigMapMutable": "true"})

    assert not face.replaces(CONFIG_MAP, Change("data.key", "update"))


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (CONFIG_MAP, ("v1", "ConfigMap")),
        (PATCH, ("v1", "Namespace")),
        (DEFINITION, ("apiextensions.k8s.io/v1", "CustomResourceDefinition")),
    ],
)
def test_a_type_token_tells_the_kind(kind: str, expected: tuple[str, str]) -> None:
    assert identity(kind) == expected


def test_a_shape_keeps_what_it_names_and_lists_of_its_length() -> None:
    live = {"a": 1, "b": [{"x": 1, "y": 2}], "c": [1, 2], "d": {"e": 1}}

    assert shaped(live, {"b": [{"x": 0}], "c": [1], "d": {}, "z": 1}) == {"b": [{"x": 1}], "c": [1, 2], "d": {}}
