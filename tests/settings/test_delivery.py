"""A release in a folder becomes what goes into a cluster, or one clear error."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from virtci.core.problems import ProblemsError
from virtci.settings.delivery import read_delivery

RELEASE = Path(__file__).resolve().parents[2] / "virtci/rehearsal/kubernetes/release"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the release, to be changed."""
    return Path(shutil.copytree(RELEASE, tmp_path / "release"))


def rewrite(folder: Path, old: str, new: str) -> None:
    """Changes the manifest, and the checksum with it, as a build would."""
    manifest = folder / "kubevirt-operator.yaml"
    text = manifest.read_text()
    assert old in text
    manifest.write_text(text.replace(old, new))
    description = json.loads((folder / "release.json").read_text())
    description["manifestSha256"] = hashlib.sha256(manifest.read_bytes()).hexdigest()
    (folder / "release.json").write_text(json.dumps(description))


def test_a_release_is_read_with_its_digest_and_its_objects(folder: Path) -> None:
    delivery = read_delivery(folder)

    assert delivery.digest == f"sha256:{hashlib.sha256((folder / 'release.json').read_bytes()).hexdigest()}"
    assert [item["kind"] for item in delivery.objects][::9] == ["Namespace", "Deployment"]


def test_a_manifest_that_was_changed_after_the_build_is_refused(folder: Path) -> None:
    with (folder / "kubevirt-operator.yaml").open("a") as file:
        file.write("# one more line\n")

    with pytest.raises(ProblemsError, match="checksum"):
        read_delivery(folder)


def test_a_tag_instead_of_a_digest_is_one_error_with_object_image_rule_and_fix(folder: Path) -> None:
    digest = json.loads((folder / "release.json").read_text())["images"]["virt-api"]
    rewrite(folder, f"virt-api@{digest}", "virt-api:v1.8.2")

    with pytest.raises(ProblemsError) as error:
        read_delivery(folder)

    (problem,) = error.value.problems
    assert problem.key == "Deployment kubevirt/virt-operator: container virt-operator: VIRT_API_IMAGE"
    assert str(problem.value).endswith("virt-api:v1.8.2")
    assert "by a digest that the release names" in problem.rule
    assert "write the digests" in problem.fix


def test_a_broken_manifest_is_one_error(folder: Path) -> None:
    rewrite(folder, "kind: Namespace\n", "")

    with pytest.raises(ProblemsError) as error:
        read_delivery(folder)

    assert [problem.key for problem in error.value.problems] == ["document 1"]
