"""A machine that Packer would build an image on: a sandbox, who publishes what it downloads, and stand-ins for packages."""

import hashlib
import io
import json
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from virtci.core.runners.images import Seen
from virtci.places import ROOT
from virtci.rehearsal.azure.arm import Response
from virtci.rehearsal.azure.server import Plain, Request, face
from virtci.rehearsal.boot.network import Service
from virtci.rehearsal.boot.sandbox import Sandbox, sandbox, unavailable

FOLDER = "/tmp/virt-ci-image"  # noqa: S108  inside the sandbox
SCRIPTS = [*sorted((ROOT / "cloud/scripts").glob("*.sh")), ROOT / "virtci/boot/scripts/lib.sh"]
DOCUMENT, SBOM = "/usr/local/share/virt-ci/image.json", "/usr/local/share/virt-ci/sbom.json"
AGENT, KUBECTL, VAGRANT, KERNEL = "2.337.0", "1.34.11", "2.4.9", "6.8.0-1040-azure"
ARCHIVE = f"/var/lib/virt-ci/actions-runner-linux-x64-{AGENT}.tar.gz"
PROGRAMS = {
    "apt-get": """#!/bin/sh
case "$*" in *vagrant.deb*) printf '#!/bin/sh\\necho "Vagrant 2.4.9"\\n' > /usr/local/bin/vagrant; chmod 755 /usr/local/bin/vagrant ;; esac
""",
    "cloud-init": '#!/bin/sh\n[ "$1" != clean ] || : > /etc/machine-id\n',
    "systemctl": "#!/bin/sh\n[ \"$*\" != 'start docker.service' ] || touch /run/docker\n",
    "docker": "#!/bin/sh\n[ -e /run/docker ] || { echo 'Cannot connect to the Docker daemon' >&2; exit 1; }\necho 28.4.0\n",
    "VBoxManage": "#!/bin/sh\necho 7.0.20r163906\n",
    "dpkg-query": "#!/bin/sh\nprintf 'libc6\\t2.39-0ubuntu8.6\\tamd64\\ngit\\t1:2.43.0-1ubuntu7.3\\tamd64\\n'\n",
    "waagent": "#!/bin/sh\nrm -rf /home/packer\nsed -i /^packer:/d /etc/passwd\n",
    "uname": f'#!/bin/sh\ncase "$1" in -r) cat /sandbox/kernel 2>/dev/null || echo {KERNEL} ;; *) exec /usr/bin/uname "$@" ;; esac\n',
    "sync": "#!/bin/sh\n",
}


def archive(version: str = AGENT, *, works: bool = True) -> bytes:
    """A release of the agent: as much as a build tries of it."""
    packed = io.BytesIO()
    files = {
        "bin/installdependencies.sh": "#!/bin/sh\ntouch /run/dependencies\n",
        "config.sh": f'#!/bin/sh\n[ "$(id -u)" != 0 ] || exit 1\necho {version}\n' if works else "#!/bin/sh\nexit 1\n",
    }
    with tarfile.open(fileobj=packed, mode="w:gz") as made:
        for name, text in files.items():
            entry = tarfile.TarInfo(f"./{name}")
            entry.size, entry.mode = len(text), 0o755
            made.addfile(entry, io.BytesIO(text.encode()))
    return packed.getvalue()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@dataclass
class Releases:
    """Who publishes what is not a package: content by path, under the real names of the hosts."""

    agent: bytes = field(default_factory=archive)
    kubectl: bytes = b'#!/bin/sh\necho \'{"clientVersion": {"gitVersion": "v1.34.11"}}\'\n'
    vagrant: bytes = b"a package"
    asked: list[str] = field(default_factory=list)

    @property
    def service(self) -> Service:
        offered = {
            f"/actions/runner/releases/download/v{AGENT}/actions-runner-linux-x64-{AGENT}.tar.gz": self.agent,
            f"/release/v{KUBECTL}/bin/linux/amd64/kubectl": self.kubectl,
            f"/vagrant/{VAGRANT}/vagrant_{VAGRANT}-1_amd64.deb": self.vagrant,
        }

        def answer(request: Request) -> Response:
            self.asked.append(request.target)
            if request.target not in offered:
                return Response(404, {})
            return Plain(200, content=offered[request.target], kind="application/octet-stream")

        return Service(("github.com", "dl.k8s.io", "releases.hashicorp.com"), face(answer))

    def pins(self) -> dict[str, str]:
        pinned = {"AGENT": (AGENT, self.agent), "KUBECTL": (KUBECTL, self.kubectl), "VAGRANT": (VAGRANT, self.vagrant)}
        return {
            f"{name}_{kind}": value
            for name, (version, content) in pinned.items()
            for kind, value in (("VERSION", version), ("SHA256", sha256(content)))
        }


@dataclass
class Build:
    """A machine that Packer would build on."""

    box: Sandbox
    releases: Releases

    def run(self, script: str, **given: str) -> subprocess.CompletedProcess[str]:
        """A script as Packer runs it: as root, with variables."""
        variables = [f"{name}={value}" for name, value in given.items()]
        return self.box.run("env", *variables, "bash", f"{FOLDER}/{script}")

    def install(self, cloud: str = "azure", parts: str = "docker kubectl", **change: str) -> None:
        done = self.run("image-install.sh", **self.variables(cloud, parts, **change))
        assert done.returncode == 0, done.stdout + done.stderr

    def refused(self, cloud: str = "azure", parts: str = "docker kubectl", **change: str) -> str:
        """The last line of a build that fails, which leaves no document behind."""
        done = self.run("image-install.sh", **self.variables(cloud, parts, **change))
        assert done.returncode != 0
        assert not self.box.exists(DOCUMENT)
        return done.stderr.strip().splitlines()[-1]

    def variables(self, cloud: str, parts: str, **change: str) -> dict[str, str]:
        fixed = {"CLOUD": cloud, "PARTS": parts, "IMAGE_NAME": "L0BaseImage", "IMAGE_VERSION": "2026.11.1"}
        return fixed | self.releases.pins() | change

    def document(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self.box.read(DOCUMENT))
        return content

    def seen(self) -> Seen:
        """What a canary says of this machine."""
        done = self.run("image-check.sh")
        assert done.returncode == 0, done.stderr
        return Seen.read(json.loads(done.stdout))

    def upload(self) -> None:
        self.box.path(FOLDER).mkdir(exist_ok=True)
        for script in SCRIPTS:
            self.box.path(f"{FOLDER}/{script.name}").write_text(script.read_text())

    def first_boot(self) -> None:
        """What cloud-init does on a machine that was made from the image: keys and an id of its own."""
        for path in ("/etc/ssh/ssh_host_ed25519_key", "/home/canary/.ssh/authorized_keys", "/etc/machine-id"):
            self.box.path(path).parent.mkdir(parents=True, exist_ok=True)
            self.box.path(path).write_text("of this machine\n")
        self.box.run("touch", "/run/docker")
        self.upload()


def of_the_build(box: Sandbox) -> None:
    """What the build machine has before the build: a kernel, and what its own first boot made."""
    files = {
        f"/boot/vmlinuz-{KERNEL}": "kernel", "/boot/vmlinuz-6.8.0-9-azure": "older",
        "/etc/ssh/ssh_host_ed25519_key": "key", "/etc/machine-id": "0123", "/var/log/syslog": "who was here\n",
        "/root/.ssh/authorized_keys": "ssh-ed25519 AAAA", "/home/packer/.ssh/authorized_keys": "ssh-ed25519 AAAA",
        "/home/packer/.bash_history": "history", "/var/lib/apt/lists/archive": "list",
    }  # fmt: skip
    for path, text in files.items():
        box.path(path).parent.mkdir(parents=True, exist_ok=True)
        box.path(path).write_text(text)
    box.path("/var/lib/virt-ci").mkdir(parents=True, exist_ok=True)
    for folder in ("/etc/modprobe.d", "/opt"):
        box.path(folder).mkdir(exist_ok=True)


@contextmanager
def build(
    releases: Releases | None = None, programs: Mapping[str, str] | None = None, kvm: bool = True
) -> Iterator[Build]:
    if unavailable():
        pytest.skip(unavailable())
    made = releases or Releases()
    devices: dict[str, Any] = {"kvm": "opens"} if kvm else {}
    with sandbox(
        [made.service], programs={**PROGRAMS, **(programs or {})}, distribution="ubuntu", devices=devices
    ) as box:
        of_the_build(box)
        found = Build(box, made)
        found.upload()
        yield found
