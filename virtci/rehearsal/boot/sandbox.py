"""The sandbox itself: a machine that boots, loses power, boots again, and can be looked into."""

import functools
import json
import re
import shutil
import subprocess
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Literal

import yaml

from virtci.rehearsal.boot import images
from virtci.rehearsal.boot.cloud_config import apply
from virtci.rehearsal.boot.network import Service, addresses, authority, relay, serve
from virtci.rehearsal.boot.skeleton import FIREWALL, PROGRAMS, SEPARATOR, skeleton_of, stand_in

Device = Literal["opens", "present"]
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ADDRESS = "10.60.1.4"
NEEDED = ("unshare", "nsenter", "ip", "mount", "chroot", "curl")
NUMBERS: Mapping[Device, str] = {"opens": "1 3", "present": "10 250"}
"""Major and minor number: one that opens (that of /dev/null), and one that no driver answers for."""
_SECONDS = 120


@dataclass(frozen=True, slots=True)
class BootResult:
    """One boot, or one run of a unit: how it ended, what it printed, which programs it ran."""

    exit_code: int
    log: str
    commands: list[list[str]]
    seconds: float


@dataclass(frozen=True, slots=True)
class RealCluster:
    """A real Kubernetes on this machine that stands in for the one inside k3s."""

    kubeconfig: str
    kubectl: Path


@functools.cache
def unavailable() -> str:
    """Why no sandbox can be had on this machine; empty when it can."""
    missing = [name for name in NEEDED if shutil.which(name) is None]
    if missing:
        return f"the sandbox needs {', '.join(missing)} on PATH"
    try:
        with sandbox([]) as made:
            return "" if made.run("python3", "-c", "").returncode == 0 else "the sandbox needs python3 in /usr"
    except OSError as error:
        return f"this machine gives no namespaces: {error}"


@dataclass
class Sandbox:
    """A machine of namespaces. `root` is where its file system is seen from outside."""

    first_process: int
    root: Path
    commands: list[list[str]] = field(default_factory=list)

    def boot(self, text: str, *, power_cut: str = "") -> BootResult:
        """The first boot with a boot text. Everything ends when a command whose line contains `power_cut` is to run."""
        applied = apply(text, self.root)
        self.run("hostname", applied.hostname)
        return self._measured([list(command) for command in applied.commands], power_cut)

    def reboot(self, *, power_cut: str = "") -> BootResult:
        """Ends everything, forgets what only memory held, and starts what is enabled."""
        self.run("kill", "-9", "-1")
        for path in self.path("/run").iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        self.path("/sandbox/boot-id").write_text(f"{uuid.uuid4()}\n")
        self.path("/sandbox/off").unlink(missing_ok=True)
        if self.has_firewall:
            self.run(
                "sh",
                "-c",
                "iptables -P INPUT ACCEPT; iptables -P FORWARD ACCEPT; iptables -P OUTPUT ACCEPT; "
                "iptables -F; iptables -X; iptables -t raw -F; iptables -t raw -X",
            )
        return self._measured([["systemctl", "start", name] for name in self._wanted()], power_cut)

    def start(self, unit: str, *, power_cut: str = "") -> BootResult:
        """One unit, as a timer or a person starts it."""
        return self._measured([["systemctl", "start", unit]], power_cut)

    def run(self, *arguments: str, user: str = "root", stdin: str = "") -> subprocess.CompletedProcess[str]:
        """A command inside."""
        enter = ["nsenter", f"--target={self.first_process}", "--mount", "--net", "--pid", "--uts", "--ipc"]
        place = [f"--root=/proc/{self.first_process}/root", f"--wd=/proc/{self.first_process}/root"]
        who = [] if user == "root" else ["/usr/bin/setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups"]
        clean = ["/usr/bin/env", "-i", f"PATH={PATH}", "LANG=C.UTF-8", *who]
        return subprocess.run(
            [*enter, *place, *clean, *arguments],
            input=stdin, capture_output=True, text=True, check=False, timeout=_SECONDS,
        )  # fmt: skip

    def path(self, path: str) -> Path:
        """Where a file of the sandbox is seen from outside. Links are followed as this machine would."""
        return self.root / PurePosixPath(path).relative_to("/")

    def read(self, path: str) -> str:
        """The text of a file."""
        return self.path(path).read_text()

    def exists(self, path: str) -> bool:
        """Whether there is such a file."""
        return self.path(path).exists()

    def mode(self, path: str) -> str:
        """The permissions of a file, as `0600`."""
        return f"{self.path(path).stat().st_mode & 0o7777:04o}"

    def advance(self, seconds: int) -> None:
        """Lets time pass."""
        with self.path("/sandbox/slept").open("a") as slept:
            slept.write(f"{seconds}\n")

    def break_k3s(self, **faults: object) -> None:
        """From now on: `starts=False`, or `not_ready=N` first answers of its API."""
        self.path("/sandbox/k3s-faults.json").write_text(json.dumps(faults))

    @property
    def waited(self) -> int:
        """Seconds that scripts slept."""
        return sum(int(line) for line in self.read("/sandbox/slept").split())

    @property
    def enabled(self) -> set[str]:
        """Units that start at a boot."""
        return {link.name for link in self.path("/etc/systemd/system").glob("*.wants/*")}

    @property
    def objects(self) -> dict[str, dict[str, object]]:
        """Objects of the cluster by `Kind/namespace/name`, where the control plane is a stand-in."""
        file = self.path("/var/lib/rancher/k3s/server/objects.json")
        found: dict[str, dict[str, object]] = json.loads(file.read_text()) if file.exists() else {}
        return found

    def keep_object(self, key: str, item: Mapping[str, object]) -> None:
        """Puts an object into the stand-in's cluster, as somebody with a kubeconfig would."""
        file = self.path("/var/lib/rancher/k3s/server/objects.json")
        file.write_text(json.dumps({**self.objects, key: item}))

    def written(self) -> Iterator[Path]:
        """Every file that the sandbox has and its image had not, seen from outside."""
        for folder in ("/etc", "/var", "/run", "/root", "/tmp", "/home", "/.usr/upper"):  # noqa: S108  the sandbox's own
            yield from (path for path in _below(self.path(folder)) if path.is_file() and not path.is_symlink())

    @property
    def is_off(self) -> bool:
        """Whether the machine powered itself off."""
        return self.exists("/sandbox/off")

    @property
    def has_firewall(self) -> bool:
        """Whether the firewall is the real one."""
        return not self.exists("/sandbox/stand-ins/iptables")

    def _wanted(self) -> list[str]:
        """Enabled services, each after those that it names in `After`."""
        names = sorted(self.enabled)
        after = {name: set(_after(self.path("/etc/systemd/system"), name)) & set(names) for name in names}
        ordered: list[str] = []
        while names:
            ready = [name for name in names if after[name] <= set(ordered)] or names[:1]
            ordered.append(ready[0])
            names.remove(ready[0])
        return ordered

    def _measured(self, commands: Sequence[Sequence[str]], power_cut: str) -> BootResult:
        self.path("/sandbox/power-cut").write_text(power_cut)
        journal, kept = self.path("/sandbox/journal"), self.path("/sandbox/commands")
        before, recorded, started = len(journal.read_text()), len(kept.read_text()), time.monotonic()
        code, printed = 0, ""
        for command in commands:
            done = self.run(*command)
            code, printed = code or done.returncode, printed + done.stdout + done.stderr
        seconds = time.monotonic() - started
        self.path("/sandbox/power-cut").write_text("")
        lines = [line.split(SEPARATOR)[:-1] for line in kept.read_text()[recorded:].split("\x1e\n")[:-1]]
        self.commands += lines
        return BootResult(code, journal.read_text()[before:] + printed, lines, seconds)


def _below(folder: Path) -> Iterator[Path]:
    """Everything in a folder, but not what is mounted there."""
    for path in folder.iterdir():
        yield path
        if path.is_dir() and not path.is_symlink() and not path.is_mount():
            yield from _below(path)


def _after(folder: Path, name: str) -> list[str]:
    files = [folder / name, *sorted((folder / f"{name}.d").glob("*.conf"))]
    lines = [line for file in files if file.is_file() for line in file.read_text().splitlines()]
    return [word for line in lines if line.startswith("After=") for word in line.removeprefix("After=").split()]


@contextmanager
def sandbox(
    services: Sequence[Service],
    *,
    devices: Mapping[str, Device] | None = None,
    programs: Mapping[str, str] | None = None,
    distribution: images.Distribution = "azurelinux",
    disk_mib: int = 512,
    address: str = ADDRESS,
    cluster: RealCluster | None = None,
    pace: int = 0,
) -> Iterator[Sandbox]:
    """A machine that was never booted, until the block ends.

    `devices` are in /dev beside the usual ones, `programs` are stand-ins by name. `disk_mib` holds everything that
    outlives a reboot. `pace`: real milliseconds for each second that a script sleeps, for one that waits for somebody outside.
    Raises `OSError` when this machine does not allow it.
    """
    with TemporaryDirectory(prefix="virt-ci-sandbox-") as temporary, ExitStack() as stack:
        folder = Path(temporary)
        names = addresses(services)
        trusted = authority([*names, "localhost"], folder)
        skeleton = skeleton_of(folder / "skeleton", names, trusted.certificate, distribution, programs or {})
        text = "".join(f"{name} {NUMBERS[device]}\n" for name, device in (devices or {}).items())
        (skeleton / "sandbox/devices").write_text(text)
        if pace:
            (skeleton / "sandbox/pace").write_text(f"{pace}\n")
        if cluster:
            _keep_cluster(cluster, skeleton)
        (folder / "root").mkdir()
        first = stack.enter_context(_machine(folder, disk_mib, ["169.254.169.254", address, *names.values()]))
        namespace = Path(f"/proc/{first}/ns/net")
        stack.enter_context(serve(namespace, services, trusted))
        if cluster:
            stack.enter_context(relay(namespace, address, _port(cluster)))
        made = Sandbox(first, Path(f"/proc/{first}/root"))
        if made.has_firewall and made.run("iptables", "-L", "-n").returncode:
            stand_in(made.root, "usr/local/sbin", FIREWALL)
        if made.exists(images.LOADER):
            made.run(images.LOADER)
        made.path("/sandbox/commands").write_text("")
        made.path("/sandbox/commands").chmod(0o666)
        yield made


@contextmanager
def _machine(folder: Path, disk_mib: int, private: Sequence[str]) -> Iterator[int]:
    """The first process of the sandbox, by its number here."""
    unshare = ["unshare", "--mount", "--net", "--pid", "--uts", "--ipc", "--fork", "--kill-child"]
    build = ["sh", str(PROGRAMS / "machine.sh"), str(folder / "skeleton"), str(folder / "root"), str(disk_mib)]
    with subprocess.Popen(
        [*unshare, *build, *private],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        if process.stdin is None or process.stdout is None or process.stderr is None:
            raise OSError("no pipes")
        if process.stdout.readline() != "built\n":
            raise OSError(process.stderr.read().strip() or "unshare failed")
        try:
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
            _require_own_root(Path(f"/proc/{children[0]}/root"))
            yield int(children[0])
        finally:
            process.stdin.close()


def _require_own_root(root: Path) -> None:
    """What follows writes below this folder as root; it must never be that of this machine."""
    if root.stat().st_dev == Path("/").stat().st_dev or not (root / "sandbox/boot-id").exists():
        raise OSError(f"{root} is not the root directory of a sandbox")


def k3s_binary(size_kib: int = 1) -> bytes:
    """What a simulated release of k3s offers for download; as large as asked. Stack files pin its checksum."""
    return b'#!/bin/sh\nexec /sandbox/k3s "$@"\n' + b"#" * (size_kib * 1024)


def k3s_install_script() -> bytes:
    """What a simulated release of k3s offers as its install script."""
    return (PROGRAMS / "install_k3s.sh").read_bytes()


def _keep_cluster(plane: RealCluster, skeleton: Path) -> None:
    content = yaml.safe_load(plane.kubeconfig)
    cluster = content["clusters"][0]["cluster"]
    cluster.setdefault("tls-server-name", re.split("[/:]+", cluster["server"])[1])
    cluster["server"] = "ADDRESS"
    (skeleton / "sandbox/control-plane.yaml").write_text(yaml.safe_dump(content))
    (skeleton / "sandbox/kubectl.path").write_text(str(plane.kubectl))


def _port(plane: RealCluster) -> int:
    server = str(yaml.safe_load(plane.kubeconfig)["clusters"][0]["cluster"]["server"])
    return int(server.rsplit(":", 1)[1].strip("/"))
