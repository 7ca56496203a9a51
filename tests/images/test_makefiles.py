"""What `make` does in the folders that build images: what is missing is said in one line, and no token is on a command line."""

import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from virtci.places import ROOT

TOKEN = "a-very-secret-token"
CLOUDS = {"azure": ["packer", "az"], "aws": ["packer", "aws", "session-manager-plugin"]}
PROGRAMS = ("packer", "az", "aws", "session-manager-plugin", "virtci", "vagrant", "VBoxManage", "makeself")
BASE = (
    "make",
    "sh",
    "bash",
    "test",
    "rm",
    "mv",
    "cp",
    "mkdir",
    "cut",
    "sha256sum",
    "grep",
    "sed",
    "expand",
    "env",
    "cat",
)
RECORDER = """#!/bin/sh
printf '%s\\n' "${{0##*/}} $*" >> {log}
if [ -n "${{VAGRANT_CLOUD_TOKEN:-}}" ]; then echo "${{0##*/}}" >> {log}.token; fi
{more}
"""


@dataclass
class Shop:
    """A copy of the tree with a PATH of its own: the least that `make` needs, and stand-ins that keep their command lines."""

    root: Path
    programs: Path
    log: Path
    environment: dict[str, str] = field(default_factory=dict)

    def has(self, *names: str, more: str = "") -> None:
        for name in names:
            path = self.programs / name
            path.write_text(RECORDER.format(log=self.log, more=more))
            path.chmod(0o755)

    def make(self, folder: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(self.programs / "make"), "--no-print-directory", "-C", str(self.root / folder), *arguments]
        environment = {"PATH": str(self.programs), "HOME": str(self.root), **self.environment}
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)

    @property
    def commands(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []


def words(done: subprocess.CompletedProcess[str]) -> str:
    """The one line that says what is missing; `make` adds its own."""
    lines = [line for line in done.stderr.splitlines() if not line.startswith("make")]
    assert done.returncode != 0
    assert len(lines) == 1, done.stderr
    return lines[0]


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    for folder in ("cloud", "tools/hashicorp", "virtci/boot/scripts"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("build", "*.json"))
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in BASE:
        found = shutil.which(name)
        assert found, name
        (programs / name).symlink_to(found)
    return Shop(tmp_path, programs, tmp_path / "log")


@pytest.mark.parametrize(("folder", "needed"), CLOUDS.items())
def test_a_program_that_is_missing_is_named(shop: Shop, folder: str, needed: list[str]) -> None:
    for number, name in enumerate(needed):
        assert words(shop.make(f"cloud/{folder}", "L0BaseImage")).startswith(f"{name} is not on PATH")
        shop.has(needed[number])


@pytest.mark.parametrize(("folder", "needed"), CLOUDS.items())
def test_who_is_not_logged_in_is_told_how_to(shop: Shop, folder: str, needed: list[str]) -> None:
    shop.has(*needed)
    shop.has(needed[1], more="exit 1")
    assert words(shop.make(f"cloud/{folder}", "L0BaseImage")).startswith("log in first: ")


@pytest.mark.parametrize("folder", CLOUDS)
@pytest.mark.parametrize("target", ["L0BaseImage", "L0-image"])
def test_both_names_of_the_target_build_the_image_with_the_inputs_of_the_stack(
    shop: Shop, folder: str, target: str
) -> None:
    shop.has(*CLOUDS[folder])
    shop.has("virtci", more="echo '{}'")
    done = shop.make(f"cloud/{folder}", target, f"VIRTCI={shop.programs / 'virtci'}")
    assert done.returncode == 0, done.stderr
    cloud = {"azure": "azure", "aws": "ec2"}[folder]
    assert shop.commands[-3:] == [
        f"virtci images inputs {cloud} --stack kontain",
        "packer init .",
        "packer build -color=false -only=image.* -var-file=../pins.pkrvars.hcl -var-file=inputs.pkrvars.json .",
    ]


def test_a_canary_needs_to_know_its_version(shop: Shop) -> None:
    shop.has(*CLOUDS["azure"])
    shop.has("virtci", more="echo '{}'")
    virtci = f"VIRTCI={shop.programs / 'virtci'}"
    assert words(shop.make("cloud/azure", "canary", virtci)).startswith("say which version: make canary IMAGE_VERSION=")
    assert shop.make("cloud/azure", "canary", virtci, "IMAGE_VERSION=2026.11.1").returncode == 0
    assert "virtci images inputs azure --stack kontain --version 2026.11.1" in shop.commands
    assert "-only=canary.*" in shop.commands[-1]


def test_nothing_is_built_from_inputs_that_could_not_be_made(shop: Shop) -> None:
    shop.has(*CLOUDS["azure"])
    shop.has("virtci", more="echo 'GITHUB_TOKEN holds a token for GitHub; …' >&2; exit 3")
    done = shop.make("cloud/azure", "L0BaseImage", f"VIRTCI={shop.programs / 'virtci'}")
    assert words(done) == "GITHUB_TOKEN holds a token for GitHub; …"
    assert not any(line.startswith("packer build") for line in shop.commands)
    assert not (shop.root / "cloud/azure/inputs.pkrvars.json").exists()


def product(shop: Shop, *files: str) -> None:
    for file in files or ("SHA256SUMS",):
        path = shop.root / "tools/hashicorp/build" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("content")


def boxes(shop: Shop) -> None:
    product(shop, "box-ubuntu/package.box", "box-fedora/package.box")


TAG = "RELEASE_TAG=v0.9.1"
VERSIONS = ("UBUNTU_BOX_VERSION=1", "FEDORA_BOX_VERSION=2")
STEPS: list[tuple[str, list[str], str]] = [
    ("product", [], "product: KM_TOP is not set; give the checkout of km"),
    ("product", ["KM_TOP=/nowhere"], "product: /nowhere is no checkout of km"),
    ("ami", [], "ami: packer is not on PATH; get it from https://developer.hashicorp.com/packer/install"),
    ("ami", ["+packer"], "ami: session-manager-plugin is not on PATH"),
    ("ami", ["+packer", "+session-manager-plugin"], "ami: RELEASE_TAG is not set"),
    ("ami", ["+packer", "+session-manager-plugin", TAG], "ami: INSTANCE_PROFILE is not set"),
    (
        "ami",
        ["+packer", "+session-manager-plugin", TAG, "INSTANCE_PROFILE=p"],
        "ami: there is no build/SHA256SUMS; run first: make product",
    ),
    ("vm-images", [], "vm-images: packer is not on PATH"),
    ("vm-images", ["+packer"], "vm-images: vagrant is not on PATH"),
    ("vm-images", ["+packer", "+vagrant"], "vm-images: VBoxManage is not on PATH"),
    (
        "vm-images",
        ["+packer", "+vagrant", "+VBoxManage"],
        "vm-images: UBUNTU_BOX_VERSION is not set; choose a version at",
    ),
    ("vm-images", ["+packer", "+vagrant", "+VBoxManage", VERSIONS[0]], "vm-images: FEDORA_BOX_VERSION is not set"),
    ("vm-images", ["+packer", "+vagrant", "+VBoxManage", *VERSIONS], "vm-images: there is no build/SHA256SUMS"),
    ("register-boxes", [], "register-boxes: vagrant is not on PATH"),
    ("register-boxes", ["+vagrant"], "register-boxes: there are no boxes in build; run first: make vm-images"),
    ("upload-boxes", [], "upload-boxes: VAGRANT_CLOUD_TOKEN is not in the environment; make a token at"),
    ("upload-boxes", ["token"], "upload-boxes: vagrant is not on PATH"),
    ("upload-boxes", ["token", "+vagrant"], "upload-boxes: RELEASE_TAG is not set"),
    ("upload-boxes", ["token", "+vagrant", TAG], "upload-boxes: there are no boxes in build"),
    ("test-box-upload", [], "test-box-upload: VAGRANT_CLOUD_TOKEN is not in the environment"),
    ("test-box-upload", ["token"], "test-box-upload: vagrant is not on PATH"),
    ("test-box-upload", ["token", "+vagrant"], "test-box-upload: BOX is not set; name a box file"),
    ("test-box-upload", ["token", "+vagrant", "BOX=none.box"], "test-box-upload: there is no none.box"),
]


@pytest.mark.parametrize(
    ("target", "given", "said"), STEPS, ids=lambda value: "-".join(value)[:40] if isinstance(value, list) else value
)
def test_each_target_says_what_is_missing_and_how_to_get_it(
    shop: Shop, target: str, given: list[str], said: str
) -> None:
    shop.has(*(item[1:] for item in given if item.startswith("+")))
    if "token" in given:
        shop.environment["VAGRANT_CLOUD_TOKEN"] = TOKEN
    done = shop.make("tools/hashicorp", target, *(item for item in given if "=" in item))
    assert words(done).startswith(said)
    assert shop.commands == []


def test_the_product_is_what_km_made_with_its_checksums(shop: Shop) -> None:
    shop.has("makeself")
    (shop.root / "km").mkdir()
    rule = "release kkm-pkg:\n\tmkdir -p build\n\techo r > build/kontain.tar.gz\n\techo k > build/kkm.run\n"
    (shop.root / "km/Makefile").write_text(rule)
    done = shop.make("tools/hashicorp", "product", f"KM_TOP={shop.root / 'km'}")
    assert done.returncode == 0, done.stderr
    sums = (shop.root / "tools/hashicorp/build/SHA256SUMS").read_text()
    assert [line.split()[1] for line in sums.splitlines()] == ["kontain.tar.gz", "kkm.run"]


def test_an_ami_is_built_from_the_product(shop: Shop) -> None:
    shop.has("packer", "session-manager-plugin")
    product(shop)
    done = shop.make("tools/hashicorp", "ami", TAG, "INSTANCE_PROFILE=p", 'AMI_GROUPS=["all"]')
    assert done.returncode == 0, done.stderr
    assert shop.commands == [
        "packer init ami",
        "packer build -color=false -var release_tag=v0.9.1 -var aws_region=us-west-1 "
        '-var ami_groups=["all"] -var instance_profile=p ami',
    ]


def test_boxes_of_both_distributions_are_built_and_registered(shop: Shop) -> None:
    shop.has("packer", "vagrant", "VBoxManage")
    product(shop)
    assert shop.make("tools/hashicorp", "vm-images", *VERSIONS).returncode == 0
    built = [line for line in shop.commands if line.startswith("packer build")]
    assert ["ubuntu.pkrvars" in line and "=1 " in line for line in built] == [True, False]
    assert ["fedora.pkrvars" in line and "=2 " in line for line in built] == [False, True]
    boxes(shop)
    assert shop.make("tools/hashicorp", "register-boxes").returncode == 0
    assert [line.split()[5] for line in shop.commands if line.startswith("vagrant box")] == [
        "kontain/ubuntu-kkm",
        "kontain/fedora-kkm",
    ]


UPLOADS: list[tuple[str, list[str], int]] = [
    ("upload-boxes", [TAG], 2),
    ("test-box-upload", ["BOX=build/box-ubuntu/package.box"], 2),
]


@pytest.mark.parametrize(("target", "given", "count"), UPLOADS)
def test_a_token_is_in_the_environment_and_never_on_a_command_line_or_in_the_log(
    shop: Shop, target: str, given: list[str], count: int
) -> None:
    shop.has("vagrant")
    boxes(shop)
    shop.environment["VAGRANT_CLOUD_TOKEN"] = TOKEN
    done = shop.make("tools/hashicorp", target, *given)
    assert done.returncode == 0, done.stderr
    assert len(shop.commands) == count
    assert (shop.root / "log.token").read_text().split() == ["vagrant"] * count
    assert TOKEN not in "".join([done.stdout, done.stderr, *shop.commands])


def test_a_box_goes_up_under_the_number_of_its_release_with_its_checksum(shop: Shop) -> None:
    shop.has("vagrant")
    boxes(shop)
    shop.environment["VAGRANT_CLOUD_TOKEN"] = TOKEN
    shop.make("tools/hashicorp", "upload-boxes", TAG)
    digest = "ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73"
    assert shop.commands[0].endswith("kontain/ubuntu-kkm 0.9.1 virtualbox build/box-ubuntu/package.box")
    assert f"--checksum {digest}" in shop.commands[0]


def test_a_failed_upload_stops_the_next_one(shop: Shop) -> None:
    shop.has("vagrant", more="exit 1")
    boxes(shop)
    shop.environment["VAGRANT_CLOUD_TOKEN"] = TOKEN
    assert shop.make("tools/hashicorp", "upload-boxes", TAG).returncode != 0
    assert len(shop.commands) == 1


@pytest.mark.parametrize("folder", ["cloud/azure", "cloud/aws", "tools/hashicorp"])
def test_make_help_lists_the_targets(shop: Shop, folder: str) -> None:
    done = shop.make(folder, "help")
    assert done.returncode == 0, done.stderr
    for target in ("L0BaseImage", "canary") if folder.startswith("cloud") else ("ami", "product", "upload-boxes"):
        assert f"\n{target} " in f"\n{done.stdout}"
