"""Kubernetes manifests as plain objects: what a release brings into a cluster, and whether it is that release only.

Sources: kubevirt/kubevirt d923fdb815 (2026-08-22): pkg/virt-operator/util/config.go for the environment variables from
which the operator takes its version and the images of KubeVirt's parts (an image that is missing there is pulled by
registry and tag), pkg/virt-operator/resource/generate/components/deployments.go for the affinity of the operator.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from typing import Any

import yaml

from virtci.core.problems import Problem, ProblemsError

Manifest = Mapping[str, Any]

OPERATOR = "virt-operator"
OPERATED = ("virt-operator", "virt-api", "virt-controller", "virt-handler", "virt-launcher")
"""The images that the operator has to be told, or it takes them by tag."""
VERSION_VARIABLE = "KUBEVIRT_VERSION"
IMAGE_VARIABLE = re.compile(r"[A-Z0-9_]+_IMAGE")
POD_SECURITY = "pod-security.kubernetes.io/enforce"
CONTAINERS = ("initContainers", "containers", "ephemeralContainers")
CLUSTER_SCOPED = frozenset(
    {
        "ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition", "Namespace", "PriorityClass",
        "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding",
    }
)  # fmt: skip
FIRST = ("Namespace", "CustomResourceDefinition", "PriorityClass", "ServiceAccount")
"""Kinds that others need: they are made before everything else, in this order."""
LAST = ("Deployment", "DaemonSet")
# The one written in C, where it is there: the definition of KubeVirt alone has half a million characters.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def objects_of(text: str, source: str) -> list[dict[str, Any]]:
    """The objects in the documents of a text. Raises `ProblemsError` naming each document that is none."""
    try:
        documents = [document for document in yaml.load_all(text, Loader=_LOADER) if document is not None]
    except yaml.YAMLError as error:
        problem = Problem(
            "manifest", source, f"YAML documents, but {one_line(error)}",
            "nothing of the release can be read", "let the build write the manifest anew",
        )  # fmt: skip
        raise ProblemsError(source, [problem]) from None
    problems = [fault for index, document in enumerate(documents, 1) if (fault := _fault(index, document))]
    seen: set[str] = set()
    for document in () if problems else documents:
        name = title(document)
        if name in seen:
            problems.append(_problem(name, "twice", "an object stands in a manifest once", "remove one of the two"))
        seen.add(name)
    if problems:
        raise ProblemsError(source, problems)
    return sorted(documents, key=_rank)


def title(manifest: Manifest) -> str:
    """An object as people name it: `Deployment kubevirt/virt-operator`."""
    metadata = manifest["metadata"]
    namespace = metadata.get("namespace")
    place = f"{namespace}/" if namespace else ""
    return f"{manifest['kind']} {place}{metadata['name']}"


def release_problems(
    objects: Sequence[Manifest], *, namespace: str, registry: str, version: str, images: Mapping[str, str]
) -> Iterator[Problem]:
    """Everything by which objects are not those of one release.

    `images`: digests by name. Every image is of the registry and by its digest, the operator knows the version and the
    digests of the images that it starts, and everything lives in the one namespace.
    """
    allowed = {f"{registry}/{name}@{digest}" for name, digest in images.items()}
    for item in objects:
        for where, image in images_of(item):
            if image not in allowed:
                yield _problem(
                    f"{title(item)}: {where}", image, f"an image of {registry} by a digest that the release names",
                    "let the build write the digests that it pushed; a tag can be moved after the tests",
                )  # fmt: skip
        yield from _misplaced(item, namespace)
    yield from _namespace_faults(objects, namespace)
    yield from _operator_faults(objects, registry, version, images)


def images_of(manifest: Manifest) -> Iterator[tuple[str, str]]:
    """Every image that an object names, with its place: of containers, and in variables that name images."""
    spec = pod_spec(manifest)
    for group in CONTAINERS:
        for container in spec.get(group) or ():
            where = f"container {container.get('name', '?')}"
            yield f"{where}: image", str(container.get("image", ""))
            for variable in container.get("env") or ():
                if IMAGE_VARIABLE.fullmatch(str(variable.get("name"))) and variable.get("value"):
                    yield f"{where}: {variable['name']}", str(variable["value"])


def pod_spec(manifest: Manifest) -> Mapping[str, Any]:
    """The specification of the pods that an object makes; empty where it makes none."""
    spec = manifest.get("spec")
    if not isinstance(spec, Mapping):
        return {}
    if manifest.get("kind") == "Pod":
        return spec
    if manifest.get("kind") == "CronJob":
        spec = spec.get("jobTemplate", {}).get("spec", {})
    found = spec.get("template", {}).get("spec", {}) if isinstance(spec.get("template"), Mapping) else {}
    return found if isinstance(found, Mapping) else {}


def placed(objects: Iterable[Manifest], *, control_plane_nodes: bool) -> list[dict[str, Any]]:
    """The objects as they fit the nodes of a cluster.

    The operator insists on a node with the label of the control plane. Where no node has it, as in AKS, it would stay
    pending for ever; the rest of its placement, Linux nodes apart from each other, is kept.
    """
    found = [deepcopy(dict(item)) for item in objects]
    for item in found:
        if not control_plane_nodes and item["kind"] == "Deployment" and item["metadata"]["name"] == OPERATOR:
            affinity = item["spec"]["template"]["spec"].get("affinity", {})
            affinity.pop("nodeAffinity", None)
    return found


def one_line(error: object) -> str:
    """The words of an error in one line."""
    return " ".join(str(error).split())


def _rank(manifest: Manifest) -> tuple[int, str]:
    kind = manifest["kind"]
    if kind in FIRST:
        return FIRST.index(kind), title(manifest)
    return len(FIRST) + (kind in LAST), title(manifest)


def _fault(index: int, document: object) -> Problem | None:
    words = ("apiVersion", "kind")
    if not isinstance(document, Mapping) or not all(isinstance(document.get(word), str) for word in words):
        return _problem(f"document {index}", _shown(document), "an object with apiVersion and kind", REWRITE)
    metadata = document.get("metadata")
    name = metadata.get("name") if isinstance(metadata, Mapping) else None
    if not isinstance(name, str) or not name:
        return _problem(f"document {index}: {document['kind']}", None, "an object with metadata.name", REWRITE)
    return None


REWRITE = "let the build write the manifest anew"


def _shown(document: object) -> object:
    return sorted(map(str, document)) if isinstance(document, Mapping) else type(document).__name__


def _misplaced(item: Manifest, namespace: str) -> Iterator[Problem]:
    found = item["metadata"].get("namespace")
    if item["kind"] in CLUSTER_SCOPED:
        return
    if found != namespace:
        yield _problem(
            f"{title(item)}: metadata.namespace", found, f"everything of a release lives in namespace {namespace}",
            "let the build write the manifest for that namespace",
        )  # fmt: skip


def _namespace_faults(objects: Sequence[Manifest], namespace: str) -> Iterator[Problem]:
    found = [item for item in objects if item["kind"] == "Namespace"]
    if [item["metadata"]["name"] for item in found] != [namespace]:
        names = [item["metadata"]["name"] for item in found]
        yield _problem("manifest: Namespace", names, f"a release has the one namespace {namespace}", REWRITE)
        return
    level = (found[0]["metadata"].get("labels") or {}).get(POD_SECURITY)
    if level != "privileged":
        yield _problem(
            f"Namespace {namespace}: {POD_SECURITY}", level,
            "privileged, because the handler of KubeVirt works on the devices of its node", REWRITE,
        )  # fmt: skip


def _operator_faults(
    objects: Sequence[Manifest], registry: str, version: str, images: Mapping[str, str]
) -> Iterator[Problem]:
    found = [item for item in objects if item["kind"] == "Deployment" and item["metadata"]["name"] == OPERATOR]
    if not found:
        yield _problem(f"manifest: Deployment {OPERATOR}", None, "a release brings the operator", REWRITE)
        return
    variables = {
        str(variable.get("name")): variable.get("value")
        for container in pod_spec(found[0]).get("containers") or ()
        for variable in container.get("env") or ()
    }
    wanted = {VERSION_VARIABLE: version}
    wanted |= {image_variable(name): f"{registry}/{name}@{images[name]}" for name in OPERATED if name in images}
    told = set(wanted.values())
    for name, value in wanted.items():
        given = variables.get(name)
        foreign_image = name != VERSION_VARIABLE and given is not None and given not in told
        if given != value and not foreign_image:  # a foreign image is a problem of its own already
            yield _problem(
                f"{title(found[0])}: {name}", given, f"the operator is told {value}; else it takes the image by tag",
                REWRITE,
            )  # fmt: skip


def image_variable(image: str) -> str:
    """The variable in which the operator looks for one of its images."""
    return f"{image.replace('-', '_').upper()}_IMAGE"


def _problem(key: str, value: object, rule: str, fix: str) -> Problem:
    return Problem(key, value, rule, "what runs would not be what was built and tested", fix)
