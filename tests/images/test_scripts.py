"""The scripts that make and check an image, run in a sandbox: real downloads over TLS, stand-ins for packages and daemons."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.images.building import (
    AGENT,
    ARCHIVE,
    DOCUMENT,
    FOLDER,
    KERNEL,
    SBOM,
    SCRIPTS,
    Build,
    Releases,
    archive,
    build,
    sha256,
)
from tests.images.versions import version
from virtci.core.runners.clouds import Cloud
from virtci.core.runners.images import ImageVersion, State, canary_faults
from virtci.places import ROOT
from virtci.rehearsal.programs import path_of

LINTED = [*SCRIPTS[:-1], *sorted((ROOT / "tools/hashicorp/scripts").glob("*.sh"))]


@pytest.mark.program("shellcheck")
@pytest.mark.parametrize("script", LINTED, ids=lambda path: path.name)
def test_shellcheck_has_nothing_to_say(script: Path) -> None:
    command = [str(path_of("shellcheck")), "--external-sources", "--source-path=SCRIPTDIR", str(script)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_make_lint_reads_every_script() -> None:
    (found,) = re.findall(r"^SCRIPTS = .*shell find (.+) -name", (ROOT / "Makefile").read_text(), re.MULTILINE)
    folders = [ROOT / folder for folder in found.split()]
    assert [script for script in LINTED if not any(script.is_relative_to(folder) for folder in folders)] == []


def test_the_image_tells_what_is_in_it() -> None:
    with build() as made:
        made.install()
        sbom = made.box.path(SBOM).read_bytes()
        assert made.document() == {
            "image": "L0BaseImage", "version": "2026.11.1", "cloud": "azure", "faults": [],
            "parts": {"agent": AGENT, "kernel": KERNEL, "sbom": sha256(sbom), "docker": "28.4.0", "kubectl": "v1.34.11"},
        }  # fmt: skip
        assert made.box.mode(DOCUMENT) == made.box.mode(SBOM) == "0644"


def test_the_sbom_lists_packages_and_what_came_without_one() -> None:
    with build() as made:
        made.install()
        sbom = json.loads(made.box.read(SBOM))
    assert (sbom["bomFormat"], sbom["specVersion"]) == ("CycloneDX", "1.5")
    components = {item["name"]: item for item in sbom["components"]}
    assert components["git"]["purl"] == "pkg:deb/ubuntu/git@1%3A2.43.0-1ubuntu7.3?arch=amd64&distro=ubuntu-24.04"
    assert {name: components[name]["version"] for name in ("agent", "kubectl")} == {
        "agent": AGENT,
        "kubectl": "v1.34.11",
    }


def test_every_choice_can_be_installed_and_only_what_was_chosen_is() -> None:
    with build() as made:
        made.install("ec2", "virtualbox vagrant kubectl docker")
        assert set(made.document()["parts"]) == {
            "agent",
            "kernel",
            "sbom",
            "docker",
            "kubectl",
            "vagrant",
            "virtualbox",
        }
        lines = [line for line in made.box.read("/sandbox/commands").split("\x1e\n") if line.startswith("apt-get")]
        assert any("linux-headers-aws" in line for line in lines)
        assert not made.box.exists("/etc/modprobe.d/virt-ci-kvm-intel.conf")
    with build() as made:
        made.install(parts="")
        assert set(made.document()["parts"]) == {"agent", "kernel", "sbom"}
        assert len(made.releases.asked) == 1


def test_enlightened_vmcs_is_off_on_azure() -> None:
    with build() as made:
        made.install()
        assert made.box.read("/etc/modprobe.d/virt-ci-kvm-intel.conf") == "options kvm_intel enlightened_vmcs=N\n"


def test_the_agent_waits_packed_where_boot_looks_for_it_before_it_downloads() -> None:
    boot = (ROOT / "virtci/boot/scripts/runner-install.sh").read_text()
    assert "actions-runner-linux-x64-$VIRTCI_AGENT_VERSION.tar.gz" in boot
    assert "archive=$STATE/$file" in boot
    with build() as made:
        made.install()
        assert made.box.path(ARCHIVE).read_bytes() == made.releases.agent
        assert made.box.exists("/run/dependencies")
        assert not made.box.exists("/opt/actions-runner")
        assert list(made.box.path(FOLDER).parent.iterdir()) == [made.box.path(FOLDER)]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"parts": "docker podman"},
            "PARTS: part podman is not known; choose among: docker kubectl vagrant virtualbox",
        ),
        ({"cloud": "gcp"}, "CLOUD: cloud gcp is not known; it is azure or ec2"),
        ({"AGENT_VERSION": "latest"}, "PIN: part agent has no version; give agent_version to Packer"),
        ({"AGENT_SHA256": ""}, "PIN: part agent has no checksum; give agent_sha256"),
        ({"KUBECTL_SHA256": "abc"}, "PIN: part kubectl has no checksum; give kubectl_sha256"),
        (
            {"parts": "vagrant", "VAGRANT_VERSION": ""},
            "PIN: part vagrant has no version; give vagrant_version to Packer",
        ),
    ],
)
def test_inputs_that_cannot_work_stop_the_build_before_anything_is_installed(change: dict[str, str], said: str) -> None:
    with build() as made:
        assert made.refused(**change).startswith(said)
        assert made.releases.asked == []
        assert "apt-get" not in made.box.read("/sandbox/commands")


@pytest.mark.parametrize("name", ["AGENT", "KUBECTL", "VAGRANT"])
def test_what_is_not_what_was_pinned_is_not_installed(name: str) -> None:
    with build() as made:
        said = made.refused(parts="kubectl vagrant", **{f"{name}_SHA256": "0" * 64})
        assert said.startswith("CHECKSUM: https://")
        assert f"is not what was pinned (sha256 {'0' * 64})" in said
        assert made.box.exists(ARCHIVE) is (name != "AGENT")
        assert made.box.exists("/usr/local/bin/kubectl") is (name == "VAGRANT")


@pytest.mark.parametrize(
    ("agent", "said"),
    [
        (archive("2.300.0"), f"AGENT: the archive of agent {AGENT} holds version 2.300.0"),
        (archive(works=False), "AGENT: the agent does not run on this image"),
    ],
    ids=["another version", "does not run"],
)
def test_an_agent_that_is_not_what_it_is_called_stops_the_build(agent: bytes, said: str) -> None:
    with build(Releases(agent=agent)) as made:
        assert made.refused() == said


def test_a_part_that_was_installed_and_does_not_run_stops_the_build() -> None:
    with build(programs={"docker": "#!/bin/sh\nexit 1\n"}) as made:
        assert made.refused() == "PARTS: part docker was installed and does not run"


def generalised(made: Build, cloud: str = "azure") -> None:
    done = made.run("image-generalise.sh", CLOUD=cloud)
    assert done.returncode == 0, done.stderr


def test_nothing_of_the_build_machine_is_left_in_the_image() -> None:
    with build() as made:
        made.install()
        made.box.path("/opt/x").mkdir(parents=True)
        made.box.path("/opt/x/.credentials").write_text("secret")
        generalised(made)
        for path in ("/root/.ssh", "/home/packer", "/etc/ssh/ssh_host_ed25519_key", "/opt/x/.credentials", FOLDER):
            assert not made.box.exists(path), path
        assert made.box.read("/etc/machine-id") == made.box.read("/var/log/syslog") == ""
        assert not list(made.box.path("/var/lib/apt/lists").iterdir())
        assert made.box.exists(ARCHIVE)
        assert made.box.exists(DOCUMENT)


@pytest.mark.parametrize(
    ("cloud", "last"), [("azure", "waagent -force -deprovision+user"), ("ec2", "cloud-init clean")]
)
def test_each_cloud_is_generalised_its_own_way_and_that_comes_last(cloud: str, last: str) -> None:
    with build() as made:
        made.install(cloud)
        generalised(made, cloud)
        lines = [line.replace("\x1f", " ") for line in made.box.read("/sandbox/commands").split("\x1e\n")]
        told = [
            line for line in lines if line.split(" ")[0] in ("waagent", "cloud-init", "apt-get", "find", "truncate")
        ]
        assert told[-1].startswith(last)
        assert any(line.startswith("cloud-init clean --logs --machine-id") for line in told)


def recorded(made: Build) -> ImageVersion:
    """The version as its tags tell of it."""
    return version(made.document()["version"], State.CANDIDATE, **made.document()["parts"])


@pytest.mark.parametrize("cloud", list(Cloud))
def test_a_machine_from_a_good_image_passes_its_canary(cloud: Cloud) -> None:
    with build(kvm=cloud is Cloud.AZURE) as made:
        made.install(cloud)
        found = recorded(made)
        generalised(made, cloud)
        made.first_boot()
        assert canary_faults(made.seen(), "L0BaseImage", cloud, found) == []


def test_an_image_that_was_not_generalised_fails_its_canary() -> None:
    with build() as made:
        made.install()
        faults = "\n".join(made.seen().faults)
    assert "a key of the build opens this machine: /root/.ssh/authorized_keys" in faults
    assert "a key of the build opens this machine: /home/packer/.ssh/authorized_keys" in faults
    assert "all machines have the same host key: /etc/ssh/ssh_host_ed25519_key" in faults
    assert "all machines have the same id: /etc/machine-id" in faults


def spoil(made: Build, path: str, text: str = "x") -> None:
    made.box.path(path).parent.mkdir(parents=True, exist_ok=True)
    made.box.path(path).write_text(text)


def test_a_machine_that_differs_from_its_build_fails_its_canary() -> None:
    with build(kvm=False) as made:
        made.install()
        found = recorded(made)
        generalised(made)
        made.first_boot()
        made.box.run("rm", "/run/docker")
        spoil(made, "/sandbox/kernel", "6.8.0-9-azure\n")
        spoil(made, "/opt/actions-runner/.runner")
        spoil(made, SBOM, "{}")
        faults = canary_faults(made.seen(), "L0BaseImage", Cloud.AZURE, found)
    assert "docker is absent; the build recorded 28.4.0" in faults
    assert any(fault.startswith("sbom is ") for fault in faults)
    assert f"it runs kernel 6.8.0-9-azure, not the newest, {KERNEL}" in faults
    assert "an agent was registered in the image: /opt/actions-runner/.runner" in faults
    assert "there is no /dev/kvm" in faults
    assert len(faults) == 5


def test_a_machine_of_another_image_says_so() -> None:
    with build() as made:
        done = made.run("image-check.sh")
    assert done.returncode != 0
    assert "this machine was not made from a runner image" in done.stderr
