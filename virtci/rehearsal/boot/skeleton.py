"""The file system of a machine before its first boot: files of its image, stand-ins, and a record of command lines."""

import shutil
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

from virtci.rehearsal.boot import images

PROGRAMS = Path(__file__).parent / "programs"
RECORDED = (
    "base64", "cat", "chmod", "chown", "cmp", "curl", "env", "flock", "grep", "head", "install", "mkdir", "mv",
    "python3", "rm", "runuser", "sed", "setpriv", "sha256sum", "sort", "tail", "tar", "tee", "timeout", "tr", "uname",
    "useradd",
)  # fmt: skip
"""Real programs whose command lines are kept: another process could read them too."""
STAND_INS = {
    "systemctl": "systemctl.py", "sleep": "sleep.sh", "date": "date.sh",
    "tdnf": "refuse.sh", "dnf": "refuse.sh", "yum": "refuse.sh", "apt-get": "refuse.sh",
}  # fmt: skip
FIREWALL = ("iptables", "iptables-save", "iptables-restore")
SEPARATOR = "\x1f"
"""Between the words of a command line that was kept."""


def skeleton_of(
    skeleton: Path,
    names: Mapping[str, str],
    certificate: bytes,
    distribution: images.Distribution,
    programs: Mapping[str, str],
) -> Path:
    """Writes the files that the image has, with stand-ins for the programs that are named and for the usual ones."""
    _files(skeleton, names, certificate, distribution)
    _programs(skeleton, programs)
    return skeleton


def _files(skeleton: Path, names: Mapping[str, str], certificate: bytes, distribution: images.Distribution) -> None:
    for name in images.SHARED:
        if (Path("/etc") / name).is_dir():
            (skeleton / "etc" / name).mkdir(parents=True)
    for name in images.COPIED:
        if (Path("/etc") / name).exists():
            shutil.copy2(Path("/etc") / name, skeleton / "etc" / name)
    hosts = "".join(f"{address} {name}\n" for name, address in names.items())
    files = {
        "etc/hosts": f"127.0.0.1 localhost\n{hosts}",
        "etc/nsswitch.conf": "passwd: files\ngroup: files\nshadow: files\nhosts: files\n",
        "etc/passwd": images.PEOPLE,
        "etc/group": images.GROUPS,
        "etc/shadow": images.SHADOW,
        "etc/gshadow": "",
        "etc/ssl/certs/ca-certificates.crt": certificate.decode(),
        "etc/pki/tls/certs/ca-bundle.crt": certificate.decode(),
        "sandbox/boot-id": f"{uuid.uuid4()}\n",
        "sandbox/k3s-faults.json": "{}",
        "sandbox/shared": "".join(f"etc/{path.name}\n" for path in (skeleton / "etc").iterdir() if path.is_dir()),
        **dict.fromkeys(("sandbox/journal", "sandbox/commands", "sandbox/slept", "sandbox/power-cut"), ""),
        **images.FILES[distribution],
    }
    for name, content in files.items():
        target = skeleton / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content)
        target.chmod(0o755 if content.startswith("#!") else 0o644)
    _enable_units(skeleton / "etc/systemd/system")


def _enable_units(folder: Path) -> None:
    """The units of an image are enabled."""
    wanted = folder / "multi-user.target.wants"
    wanted.mkdir(parents=True, exist_ok=True)
    for file in folder.glob("*.service"):
        (wanted / file.name).symlink_to(f"../{file.name}")


def _programs(skeleton: Path, programs: Mapping[str, str]) -> None:
    """Stand-ins, and a record of the command lines of everything that matters."""
    stand_ins = skeleton / "sandbox/stand-ins"
    stand_ins.mkdir()
    for name, content in programs.items():
        _executable(stand_ins / name, content)
    for name in RECORDED:
        if name not in programs and (real := shutil.which(name, path="/usr/sbin:/usr/bin:/usr/local/bin")):
            _record(skeleton / "sandbox/sbin", name, real)
    for name in programs:
        _record(skeleton / "sandbox/sbin", name, f"/sandbox/stand-ins/{name}")
    stand_in(skeleton, "sandbox/sbin", [name for name in STAND_INS if name not in programs])
    _executable(stand_ins / "k3s", _python(skeleton, PROGRAMS / "k3s.py"))
    _record(skeleton / "sandbox", "k3s", "/sandbox/stand-ins/k3s")
    if shutil.which("iptables") is None:
        stand_in(skeleton, "sandbox/sbin", FIREWALL)


def stand_in(root: Path, folder: str, names: Sequence[str]) -> None:
    """Puts stand-ins into a folder of a machine, and a record of their command lines before them."""
    for name in names:
        source = PROGRAMS / STAND_INS.get(name, "iptables.py")
        content = _python(root, source) if source.suffix == ".py" else source.read_text()
        _executable(root / "sandbox/stand-ins" / name, content)
        _record(root / folder, name, f"/sandbox/stand-ins/{name}")


def _record(folder: Path, name: str, target: str) -> None:
    _executable(folder / name, _recorder(name, target))


def _recorder(name: str, target: str) -> str:
    text = (PROGRAMS / "record.sh").read_text()
    return text.replace("NAME", name).replace("TARGET", target).replace("SEPARATOR", f"'{SEPARATOR}'")


def _executable(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    path.chmod(0o755)


def _python(root: Path, source: Path) -> str:
    """A program that runs a module of the sandbox, which Python compiles once."""
    module = root / "sandbox/lib" / source.name
    module.parent.mkdir(exist_ok=True)
    module.write_text(source.read_text())
    lines = ("import sys", "sys.path.insert(0, '/sandbox/lib')", f"from {source.stem} import run", "sys.exit(run())")
    return "\n".join(["#!/usr/bin/python3 -IS", *lines, ""])
