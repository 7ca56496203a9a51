"""Makes the release of a build: digests of what was pushed, and the operator's manifest that names nothing else.

Source: kubevirt/kubevirt d923fdb815 (2026-08-22): pkg/virt-operator/util/config.go for the variables in which the operator
looks for images, hack/bazel-push-images.sh for the images that a build pushes.
"""

import hashlib
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml

from virtci.core.manifests import IMAGE_VARIABLE, OPERATED, OPERATOR, image_variable, objects_of, pod_spec
from virtci.core.problems import Problem, ProblemsError, Refusal
from virtci.settings.delivery import read_delivery
from virtci.settings.release import FILE, Release, release_digest

MANIFEST = "kubevirt-operator.yaml"
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
OPTIONAL = {
    "virt-exportproxy": "VIRT_EXPORTPROXY_IMAGE",
    "virt-exportserver": "VIRT_EXPORTSERVER_IMAGE",
    "virt-synchronization-controller": "VIRT_SYNCHRONIZATIONCONTROLLER_IMAGE",
    "libguestfs-tools": "GS_IMAGE",
    "pr-helper": "PR_HELPER_IMAGE",
    "sidecar-shim": "SIDECAR_SHIM_IMAGE",
}
"""Images that not every version of KubeVirt has, with the operator's variable for each."""
DigestOf = Callable[[str], str | None]
"""The digest of an image of the build, by its name; nothing for one that was not pushed."""

# The one written in C, where it is there: the definition of KubeVirt alone has half a million characters.
_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def make_release(folder: Path, *, version: str, registry: str, manifest: str, digest_of: DigestOf) -> str:
    """Writes a release into a folder and returns its digest. `manifest` is the text that the build made.

    Raises `ProblemsError` for an image that was not pushed, a digest that is none, and for everything that the
    deployment would refuse.
    """
    objects = objects_of(manifest, MANIFEST)
    images = _digests([*OPERATED, *named_images(objects, registry)], digest_of)
    images |= {name: found for name in OPTIONAL if name not in images and (found := digest_of(name))}
    text = yaml.dump_all(pinned(objects, registry, images), Dumper=_DUMPER, sort_keys=False)
    release = Release.model_validate(
        {
            "version": version,
            "registry": registry,
            "images": images,
            "manifest": MANIFEST,
            "manifestSha256": hashlib.sha256(text.encode()).hexdigest(),
        }
    )
    with tempfile.TemporaryDirectory(prefix="virt-ci-release-") as name:
        made = Path(name)
        (made / MANIFEST).write_text(text)
        (made / FILE).write_text(release.model_dump_json(by_alias=True, indent=2) + "\n")
        read_delivery(made)
        shutil.copytree(made, folder, dirs_exist_ok=True)
    return release_digest(folder)


def require_digest(text: str, what: str) -> str:
    """A digest as it was given. Raises `Refusal` for anything else, for example a tag."""
    if not DIGEST.fullmatch(text):
        raise Refusal(
            f"{what} is a digest, sha256: and 64 hexadecimal digits, not `{text}`",
            "what a tag names can change between the tests and the deployment",
            "take the digest from the output of the build",
        )
    return text


def require_release(folder: Path, digest: str) -> None:
    """Lets a release be used that is the one of that digest. Raises `Refusal`, or `ProblemsError` for a broken one."""
    wanted = require_digest(digest, "the digest of the release")
    read_delivery(folder)
    if (found := release_digest(folder)) != wanted:
        raise Refusal(
            f"the release in {folder} is the one of this run: {wanted}, not {found}",
            "something would be deployed that was not built, or not tested, here",
            "download the artifact `release` of this run again",
        )


def named_images(objects: Sequence[Mapping[str, Any]], registry: str) -> Iterator[str]:
    """The names of the build's images that the objects name."""
    for _, container in _containers(objects):
        values = [container.get("image", ""), *(item.get("value") or "" for item in _image_variables(container))]
        for value in values:
            if name := _image_name(str(value), registry):
                yield name


def pinned(objects: Sequence[Mapping[str, Any]], registry: str, images: Mapping[str, str]) -> list[dict[str, Any]]:
    """The objects with every image of the build by its digest, and the operator told all of them."""
    found = [deepcopy(dict(item)) for item in objects]
    for item, container in _containers(found):
        container["image"] = _by_digest(str(container.get("image", "")), registry, images)
        for variable in _image_variables(container):
            if variable.get("value"):
                variable["value"] = _by_digest(str(variable["value"]), registry, images)
        if item["kind"] == "Deployment" and item["metadata"]["name"] == OPERATOR:
            _tell(container, {_variable(name): f"{registry}/{name}@{digest}" for name, digest in images.items()})
    return found


def _digests(names: Sequence[str], digest_of: DigestOf) -> dict[str, str]:
    found: dict[str, str] = {}
    problems = []
    for name in dict.fromkeys(names):
        digest = digest_of(name)
        if digest is None or not DIGEST.fullmatch(digest):
            rule = "the digest of an image that the build pushed"
            why = "it was not pushed under the tag of this build" if digest is None else "a tag can be moved later"
            problems.append(Problem(f"images.{name}", digest, rule, why, "look at the log of bazel-push-images"))
        else:
            found[name] = digest
    if problems:
        raise ProblemsError("release", problems)
    return found


def _containers(objects: Sequence[Mapping[str, Any]]) -> Iterator[tuple[Mapping[str, Any], dict[str, Any]]]:
    for item in objects:
        spec = pod_spec(item)
        for group in ("initContainers", "containers"):
            for container in spec.get(group) or ():
                yield item, container


def _image_variables(container: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [item for item in container.get("env") or () if IMAGE_VARIABLE.fullmatch(str(item.get("name")))]


def _image_name(image: str, registry: str) -> str:
    prefix = f"{registry}/"
    return re.split("[:@]", image.removeprefix(prefix))[0] if image.startswith(prefix) else ""


def _by_digest(image: str, registry: str, images: Mapping[str, str]) -> str:
    name = _image_name(image, registry)
    return f"{registry}/{name}@{images[name]}" if name in images else image


def _variable(image: str) -> str:
    return OPTIONAL.get(image) or image_variable(image)


def _tell(container: dict[str, Any], wanted: Mapping[str, str]) -> None:
    """Sets the operator's variables; it knows none for the other images of the build."""
    known = {*map(image_variable, OPERATED), *OPTIONAL.values()}
    variables = [item for item in container.get("env") or () if item.get("name") not in wanted]
    added = [{"name": name, "value": value} for name, value in wanted.items() if name in known]
    container["env"] = [*variables, *added]
