"""The objects of a release: read, ordered, and refused where they are not of that release."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from virtci.core.manifests import images_of, objects_of, placed, pod_spec, release_problems, title
from virtci.core.problems import ProblemsError
from virtci.settings.release import read_release

FOLDER = Path(__file__).resolve().parents[2] / "virtci/rehearsal/kubernetes/release"
RELEASE = read_release(FOLDER)
SOURCE = "kubevirt-operator.yaml"
OBJECTS = objects_of((FOLDER / SOURCE).read_text(), SOURCE)


def objects() -> list[dict[str, Any]]:
    """The objects of the release, to be changed."""
    return deepcopy(OBJECTS)


def operator(found: list[dict[str, Any]]) -> dict[str, Any]:
    """The container of the operator."""
    deployment = next(item for item in found if item["kind"] == "Deployment")
    container: dict[str, Any] = deployment["spec"]["template"]["spec"]["containers"][0]
    return container


def variable(found: list[dict[str, Any]], name: str) -> dict[str, Any]:
    """A variable of the operator."""
    entry: dict[str, Any] = next(item for item in operator(found)["env"] if item["name"] == name)
    return entry


def problems(found: list[dict[str, Any]]) -> list[tuple[str, object]]:
    """Key and value of every problem."""
    seen = release_problems(
        found, namespace="kubevirt", registry=RELEASE.registry, version=RELEASE.version, images=RELEASE.images
    )
    return [(item.key, item.value) for item in seen]


def test_the_objects_come_in_the_order_in_which_they_need_each_other() -> None:
    kinds = [item["kind"] for item in OBJECTS]

    assert kinds[:4] == ["Namespace", "CustomResourceDefinition", "PriorityClass", "ServiceAccount"]
    assert kinds[-1] == "Deployment"


def test_a_release_that_is_as_it_should_be_has_no_problem() -> None:
    assert problems(objects()) == []


def test_a_tag_instead_of_a_digest_is_named_with_object_and_place() -> None:
    found = objects()
    operator(found)["image"] = f"{RELEASE.registry}/virt-operator:v1.8.2"

    assert problems(found) == [
        ("Deployment kubevirt/virt-operator: container virt-operator: image", f"{RELEASE.registry}/virt-operator:v1.8.2")
    ]  # fmt: skip


def test_an_image_of_another_registry_is_refused_whatever_its_digest() -> None:
    found = objects()
    foreign = f"elsewhere.example/kubevirt/virt-operator@{RELEASE.images['virt-operator']}"
    operator(found)["image"] = foreign

    assert [value for _, value in problems(found)] == [foreign]


def test_an_image_that_only_a_variable_names_is_read_as_well() -> None:
    found = objects()
    variable(found, "VIRT_LAUNCHER_IMAGE")["value"] = f"{RELEASE.registry}/virt-launcher:latest"

    assert [value for _, value in problems(found)] == [f"{RELEASE.registry}/virt-launcher:latest"]


def test_an_operator_that_is_not_told_an_image_would_pull_it_by_tag() -> None:
    found = objects()
    operator(found)["env"] = [item for item in operator(found)["env"] if item["name"] != "VIRT_HANDLER_IMAGE"]

    assert problems(found) == [("Deployment kubevirt/virt-operator: VIRT_HANDLER_IMAGE", None)]


def test_an_operator_that_is_told_the_wrong_image_of_the_release_is_found() -> None:
    found = objects()
    api = RELEASE.image("virt-api")
    variable(found, "VIRT_HANDLER_IMAGE")["value"] = api

    assert problems(found) == [("Deployment kubevirt/virt-operator: VIRT_HANDLER_IMAGE", api)]


def test_an_operator_of_another_version_is_found() -> None:
    found = objects()
    variable(found, "KUBEVIRT_VERSION")["value"] = "v1.8.1"

    assert problems(found) == [("Deployment kubevirt/virt-operator: KUBEVIRT_VERSION", "v1.8.1")]


def test_an_image_of_an_init_container_counts() -> None:
    found = objects()
    next(item for item in found if item["kind"] == "Deployment")["spec"]["template"]["spec"]["initContainers"] = [
        {"name": "first", "image": "busybox"}
    ]

    assert [key for key, _ in problems(found)] == ["Deployment kubevirt/virt-operator: container first: image"]


def test_an_object_in_another_namespace_is_refused() -> None:
    found = objects()
    next(item for item in found if item["kind"] == "ServiceAccount")["metadata"]["namespace"] = "kube-system"

    assert problems(found) == [("ServiceAccount kube-system/kubevirt-operator: metadata.namespace", "kube-system")]


@pytest.mark.parametrize("kind", ["Namespace", "Deployment"])
def test_a_release_without_namespace_or_operator_is_refused(kind: str) -> None:
    assert problems([item for item in objects() if item["kind"] != kind])


def test_the_namespace_has_to_let_the_handler_work() -> None:
    found = objects()
    found[0]["metadata"]["labels"] = {"pod-security.kubernetes.io/enforce": "restricted"}

    assert [value for _, value in problems(found)] == ["restricted"]


def test_the_operator_needs_no_node_of_a_control_plane_where_there_is_none() -> None:
    kept, dropped = (placed(OBJECTS, control_plane_nodes=there)[-1] for there in (True, False))

    assert "nodeAffinity" in pod_spec(kept)["affinity"]
    assert set(pod_spec(dropped)["affinity"]) == {"podAntiAffinity"}
    assert "nodeAffinity" in pod_spec(OBJECTS[-1])["affinity"], "the release itself is not changed"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: [", "YAML documents"),
        ("just text", "an object with apiVersion and kind"),
        ("apiVersion: v1\nkind: ConfigMap\n", "an object with metadata.name"),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: nothing\n", "an object with metadata.name"),
        (
            "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n",
            "stands in a manifest once",
        ),
    ],
)
def test_a_broken_manifest_is_one_error_that_names_the_document(text: str, says: str) -> None:
    with pytest.raises(ProblemsError) as error:
        objects_of(text, SOURCE)

    assert len(error.value.problems) == 1
    assert says in str(error.value)
    assert SOURCE in str(error.value)


def test_empty_documents_between_separators_are_no_objects() -> None:
    text = yaml.safe_dump_all([None, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a"}}, None])

    assert [title(item) for item in objects_of(text, SOURCE)] == ["Namespace a"]


def test_the_images_of_a_cron_job_are_found_two_templates_deep() -> None:
    spec = {"jobTemplate": {"spec": {"template": {"spec": {"containers": [{"name": "job", "image": "busybox"}]}}}}}

    assert list(images_of({"kind": "CronJob", "spec": spec})) == [("container job: image", "busybox")]
