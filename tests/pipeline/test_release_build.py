"""The release of a build: digests that the registry names, and a manifest that names nothing else."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml

from virtci.core.manifests import OPERATED, images_of, objects_of
from virtci.core.problems import ProblemsError, Refusal
from virtci.fleet.registry import Registry
from virtci.fleet.release_build import OPTIONAL, make_release, require_digest, require_release
from virtci.rehearsal.pipeline.registry import RegistryServer, serve_registry
from virtci.rehearsal.pipeline.suite import RELEASE
from virtci.settings.delivery import read_delivery
from virtci.settings.release import read_release

VERSION = "v1.8.2-l1vh.17"
REGISTRY = "ghcr.io/octo-lab/kubevirt"
DIGESTS = {name: f"sha256:{number:064x}" for number, name in enumerate((*OPERATED, "virt-exportproxy"), 1)}
PASSWORD = "a-token"


@pytest.fixture
def manifest() -> str:
    """What `make manifests` leaves: images by tag, and an operator that is told only some of them."""
    documents = [document for document in yaml.safe_load_all(RELEASE.read_text()) if document]
    for document in documents:
        if document["kind"] == "Deployment":
            container = document["spec"]["template"]["spec"]["containers"][0]
            container["image"] = f"{REGISTRY}/virt-operator:{VERSION}"
            container["env"] = [item for item in container["env"] if not item["name"].endswith("_IMAGE")]
            container["env"].append({"name": "VIRT_API_IMAGE", "value": f"{REGISTRY}/virt-api:{VERSION}"})
    return str(yaml.safe_dump_all(documents))


@pytest.fixture
def registry() -> Iterator[RegistryServer]:
    with serve_registry(PASSWORD) as server:
        yield server


def made(folder: Path, manifest: str, **digests: str | None) -> str:
    known: dict[str, str | None] = {**DIGESTS, **{name.replace("_", "-"): value for name, value in digests.items()}}
    return make_release(folder, version=VERSION, registry=REGISTRY, manifest=manifest, digest_of=known.get)


def test_every_image_is_named_by_its_digest(tmp_path: Path, manifest: str) -> None:
    made(tmp_path, manifest)

    release = read_release(tmp_path)
    objects = objects_of((tmp_path / release.manifest).read_text(), "manifest")
    named = {image for item in objects for _, image in images_of(item)}
    assert named == {f"{REGISTRY}/{name}@{digest}" for name, digest in DIGESTS.items()}
    assert dict(release.images) == DIGESTS


def test_the_release_is_one_that_a_deployment_takes(tmp_path: Path, manifest: str) -> None:
    digest = made(tmp_path, manifest)

    assert read_delivery(tmp_path).digest == digest
    require_release(tmp_path, digest)


def test_the_same_images_make_the_same_release(tmp_path: Path, manifest: str) -> None:
    assert made(tmp_path / "a", manifest) == made(tmp_path / "b", manifest)
    assert made(tmp_path / "c", manifest, virt_launcher=f"sha256:{'f' * 64}") != made(tmp_path / "a", manifest)


def test_an_image_of_newer_versions_is_pinned_where_it_was_pushed(tmp_path: Path, manifest: str) -> None:
    made(tmp_path, manifest)

    text = (tmp_path / "kubevirt-operator.yaml").read_text()
    assert OPTIONAL["virt-exportproxy"] in text
    assert OPTIONAL["virt-exportserver"] not in text


@pytest.mark.parametrize("value", ["v1.8.2", "sha256:123", "latest", "SHA256:" + "a" * 64, None])
def test_what_is_no_digest_is_refused_by_name(tmp_path: Path, manifest: str, value: str | None) -> None:
    with pytest.raises(ProblemsError, match=r"images\.virt-handler"):
        made(tmp_path / "release", manifest, virt_handler=value)

    assert not (tmp_path / "release").exists()


def test_an_image_of_somebody_else_is_refused(tmp_path: Path, manifest: str) -> None:
    foreign = manifest.replace(f"{REGISTRY}/virt-operator:", "quay.io/kubevirt/virt-operator:")

    with pytest.raises(ProblemsError, match=r"quay\.io/kubevirt/virt-operator"):
        made(tmp_path / "release", foreign)

    assert not (tmp_path / "release").exists()


@pytest.mark.parametrize("text", ["", "v1.8.2", "sha256:" + "g" * 64, "sha256:" + "a" * 63])
def test_a_release_is_named_by_a_digest(text: str) -> None:
    with pytest.raises(Refusal, match="is a digest"):
        require_digest(text, "the release")


def test_another_release_than_the_expected_one_is_refused(tmp_path: Path, manifest: str) -> None:
    made(tmp_path, manifest)

    with pytest.raises(Refusal, match="is the one of this run"):
        require_release(tmp_path, f"sha256:{'0' * 64}")


def test_a_manifest_that_was_changed_afterwards_is_refused(tmp_path: Path, manifest: str) -> None:
    digest = made(tmp_path, manifest)
    with (tmp_path / "kubevirt-operator.yaml").open("a") as file:
        file.write("# changed\n")

    with pytest.raises(ProblemsError, match="manifestSha256"):
        require_release(tmp_path, digest)


def test_the_registry_is_asked_for_what_a_tag_names(registry: RegistryServer) -> None:
    digest = registry.images.push("octo-lab/kubevirt/virt-api", VERSION, json.dumps({"schemaVersion": 2}).encode())

    with httpx.Client() as client:
        asked = Registry(client, f"{registry.address}/octo-lab/kubevirt", "someone", PASSWORD)
        assert asked.digest("virt-api", VERSION) == digest
        assert asked.digest("virt-api", "v0.0.1") is None


def test_a_login_that_the_registry_refuses_is_named_with_its_fix(registry: RegistryServer) -> None:
    with httpx.Client() as client, pytest.raises(Refusal, match="lets this login read") as refusal:
        Registry(client, f"{registry.address}/octo-lab/kubevirt", "someone", "wrong").digest("virt-api", VERSION)

    assert "packages: read" in refusal.value.fix


def answering(status: int, content: bytes, headers: dict[str, str]) -> httpx.Client:
    return httpx.Client(
        transport=httpx.MockTransport(lambda _: httpx.Response(status, content=content, headers=headers))
    )


def test_a_manifest_that_is_not_what_the_registry_says_is_refused() -> None:
    client = answering(200, b"{}", {"Docker-Content-Digest": f"sha256:{'0' * 64}"})

    with pytest.raises(Refusal, match="gives the manifest") as refusal:
        Registry(client, REGISTRY).digest("virt-api", VERSION)

    assert "but sent" in refusal.value.consequence


def test_a_registry_that_is_out_of_order_is_refused() -> None:
    with pytest.raises(Refusal, match="gives the manifest") as refusal:
        Registry(answering(503, b"", {}), REGISTRY).digest("virt-api", VERSION)

    assert "503" in refusal.value.consequence


def test_only_loopback_goes_without_tls() -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(404)

    client = httpx.Client(transport=httpx.MockTransport(answer))
    Registry(client, REGISTRY).digest("virt-api", VERSION)
    Registry(client, "localhost:5000/kubevirt").digest("virt-api", VERSION)

    assert asked == [
        f"https://ghcr.io/v2/octo-lab/kubevirt/virt-api/manifests/{VERSION}",
        f"http://localhost:5000/v2/kubevirt/virt-api/manifests/{VERSION}",
    ]
