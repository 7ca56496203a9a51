"""Puts the engine and the Python packages of this project onto a machine.

Everything lands in `.engine/` and `.venv/` of the checkout; nothing global is touched. Each step is
skipped when its result is there already, so an interrupted run continues where it stopped. Runs on the
system's own Python (3.11 or newer) with the standard library only, because it is what brings the rest.

The engine is looked for in this order: `pulumi` of the pinned version on PATH, the official release
archive (checksum verified), a build from the published Go module with the checksums of `go.sum`.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import threading
import time
import venv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
ENGINE = ROOT / ".engine"
BIN = ENGINE / "bin"
VENV = ROOT / ".venv"
STAMP = ENGINE / "ready.json"
LOCK = ROOT / "requirements.lock"
UV_LOCK = HERE / "uv.lock.txt"

PULUMI_VERSION = "3.259.0"
SDK_MODULE = "github.com/pulumi/pulumi/sdk/v3"
CLI_PACKAGE = "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
ARCHIVE_URL = "https://get.pulumi.com/releases/sdk/pulumi-v{version}-linux-{arch}.tar.gz"
CHECKSUMS_URL = "https://github.com/pulumi/pulumi/releases/download/v{version}/pulumi-{version}-checksums.txt"
MINIMUM_GO = (1, 25)
ARCHIVE_FREE_GIB = 2
BUILD_FREE_GIB = 6
PACKAGES_FREE_GIB = 2


class SetUpError(Exception):
    """A way that did not work; the message says what failed and what to do about it."""


@dataclass(frozen=True)
class Way:
    """One way to an engine, and what became of it."""

    name: str
    attempt: Callable[[], None]


@dataclass
class Report:
    """What was tried, for the one message that a person reads when nothing worked."""

    failures: list[str] = field(default_factory=list)


def main() -> int:
    """Sets up what is missing. Exit codes: 0 ready, 1 impossible, 130 interrupted."""
    wanted = fingerprint()
    if is_ready(wanted):
        return 0
    try:
        check_python()
        ENGINE.mkdir(exist_ok=True)
        install_packages()
        install_engine()
        STAMP.write_text(json.dumps(wanted, indent=2))
    except SetUpError as error:
        print(f"\nset-up failed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nset-up interrupted; run it again and it continues where it stopped.", file=sys.stderr)
        return 130
    return 0


def fingerprint() -> dict[str, str]:
    """The inputs of the set-up: when one changes, the set-up runs again."""
    sources = [LOCK, UV_LOCK, ROOT / "pyproject.toml", HERE / "go.mod", HERE / "go.sum", *HERE.glob("*.py")]
    digest = hashlib.sha256()
    for source in sorted(sources):
        digest.update(source.read_bytes())
    return {"inputs": digest.hexdigest(), "root": str(ROOT), "python": sys.version.split()[0]}


def is_ready(wanted: dict[str, str]) -> bool:
    """Whether the stamp of a finished set-up matches and its results are still there."""
    present = STAMP.exists() and (BIN / "pulumi").exists() and (VENV / "bin" / "python").exists()
    return present and json.loads(STAMP.read_text()) == wanted


def check_python() -> None:
    """The one prerequisite that this script can name before it uses it."""
    if sys.version_info < (3, 11):
        raise SetUpError(
            f"this is Python {platform.python_version()}; 3.11 or newer is needed. "
            "Install one and run `make PYTHON=/path/to/python3.11 ...`."
        )


def install_packages() -> None:
    """`.venv` exactly as the lock says: hashes required, packages that are not in it removed."""
    require_space(PACKAGES_FREE_GIB, "the Python packages")
    uv = find_uv()
    if not (VENV / "bin" / "python").exists():
        run([uv, "venv", "--quiet", "--python", sys.executable, str(VENV)], "creating .venv")
    with progress("Python packages from requirements.lock (10-60 s)"):
        uv_pip = [uv, "pip"]
        target = ["--quiet", "--python", str(VENV / "bin" / "python")]
        run([*uv_pip, "sync", *target, "--require-hashes", str(LOCK)], "installing packages")
        run(
            [*uv_pip, "install", *target, "--no-deps", "--no-build-isolation", "--editable", str(ROOT)],
            "installing this project",
        )
    with progress("byte code of what the program imports (10-20 s, once)"):
        writing = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
        warm = [str(VENV / "bin" / "python"), "-m", "tools.engine.warm"]
        run(warm, "importing the program", cwd=ROOT, env=writing)


def find_uv() -> str:
    """Uv of the pinned version, from PATH or in a folder of its own."""
    pinned = re.search(r"^uv==(\S+)", UV_LOCK.read_text(), re.MULTILINE)
    assert pinned, "the lock of uv pins uv"
    on_path = shutil.which("uv")
    if on_path and pinned[1] in output_of([on_path, "--version"]):
        return on_path
    home = ENGINE / "uv"
    uv = home / "bin" / "uv"
    if not (uv.exists() and pinned[1] in output_of([str(uv), "--version"])):
        with progress(f"uv {pinned[1]} into .engine/uv (5 s)"):
            create_home(home)
            pip = [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet"]
            run([*pip, "--require-hashes", "-r", str(UV_LOCK)], "installing uv")
    return str(uv)


def create_home(home: Path) -> None:
    """An environment with pip in it; some distributions ship Python without the part that makes one."""
    try:
        venv.create(home, with_pip=True, clear=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise SetUpError(
            f"{sys.executable} cannot make a virtual environment ({error}). "
            "Install its venv module (Debian: python3-venv), or put uv on PATH."
        ) from None


def install_engine() -> None:
    """The engine, by the first way that works; otherwise one message with all of them."""
    if output_of([str(BIN / "pulumi"), "version"]).strip().lstrip("v") == PULUMI_VERSION:
        return
    BIN.mkdir(parents=True, exist_ok=True)
    report = Report()
    for way in (
        Way(f"pulumi {PULUMI_VERSION} on PATH", link_from_path),
        Way("the official release archive", install_archive),
        Way("a build from the published Go module", build_from_module),
    ):
        try:
            way.attempt()
        except SetUpError as error:
            report.failures.append(f"  - {way.name}: {error}")
        else:
            return
    raise SetUpError(
        f"no engine to be had. Pulumi {PULUMI_VERSION} was looked for in three ways:\n"
        + "\n".join(report.failures)
        + "\nMake one of them possible and run the command again; what is there already is kept."
    )


def link_from_path() -> None:
    """Uses an installed engine together with the language host that came with it."""
    for name in ("pulumi", "pulumi-language-python", "pulumi-language-python-exec"):
        found = shutil.which(name)
        if not found:
            raise SetUpError(f"`{name}` is not on PATH.")
        if name == "pulumi" and output_of([found, "version"]).strip().lstrip("v") != PULUMI_VERSION:
            raise SetUpError(f"{found} is {output_of([found, 'version']).strip()}, not {PULUMI_VERSION}.")
        link(Path(found), BIN / name)
    print(f"  engine: {shutil.which('pulumi')}", flush=True)


def install_archive() -> None:
    """Downloads the release archive, resumes a broken download, verifies its published checksum."""
    require_space(ARCHIVE_FREE_GIB, "the release archive")
    arch = {"x86_64": "x64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    url = ARCHIVE_URL.format(version=PULUMI_VERSION, arch=arch)
    downloads = ENGINE / "downloads"
    downloads.mkdir(exist_ok=True)
    archive = downloads / url.rsplit("/", 1)[1]
    checksums = downloads / "checksums.txt"
    with progress(f"release archive of pulumi {PULUMI_VERSION} (10-60 s where it can be reached)"):
        download(CHECKSUMS_URL.format(version=PULUMI_VERSION), checksums)
        download(url, archive)
    lines = [line.split() for line in checksums.read_text().splitlines() if line.strip()]
    expected = {name: digest for digest, name in lines}
    actual = hashlib.sha256(archive.read_bytes()).hexdigest()
    if expected.get(archive.name) != actual:
        archive.unlink()
        raise SetUpError(
            f"{archive.name} has sha256 {actual}, published is {expected.get(archive.name)}; "
            "the file was deleted. Run again; if it repeats, something between here and the release alters it."
        )
    with tarfile.open(archive) as content:
        content.extractall(ENGINE / "release", filter="data")
    for program in (ENGINE / "release" / "pulumi").iterdir():
        link(program, BIN / program.name)
    archive.unlink()


def build_from_module() -> None:
    """Builds the command from its module and puts this project's Python language host beside it."""
    require_space(BUILD_FREE_GIB, "building the engine")
    go = find_go()
    environment = {
        **os.environ,
        "CGO_ENABLED": "0",
        "GOFLAGS": "-buildvcs=false -modcacherw -mod=readonly",
        "GOMODCACHE": str(ENGINE / "go" / "mod"),
        "GOCACHE": str(ENGINE / "go" / "build"),
    }
    stamp = f"-X {SDK_MODULE}/go/common/version.Version={PULUMI_VERSION}"
    built = ENGINE / "pulumi.part"
    with progress(f"building pulumi {PULUMI_VERSION} with {go} (3-5 min on 2 cores, once)"):
        run(
            [go, "build", "-o", str(built), "-ldflags", f"-s -w {stamp}", CLI_PACKAGE],
            "building the engine",
            cwd=HERE,
            env=environment,
        )
    sdk = output_of([go, "list", "-m", "-f", "{{.Dir}}", SDK_MODULE], cwd=HERE, env=environment).strip()
    executor = Path(sdk) / "python" / "cmd" / "pulumi-language-python-exec"
    (BIN / "pulumi-language-python-exec").unlink(missing_ok=True)
    shutil.copy(executor, BIN / "pulumi-language-python-exec")
    write_language_host(BIN / "pulumi-language-python")
    (BIN / "pulumi").unlink(missing_ok=True)
    built.rename(BIN / "pulumi")
    shutil.rmtree(ENGINE / "go", ignore_errors=True)


def find_go() -> str:
    """A Go that is new enough to build the engine."""
    go = shutil.which("go")
    if not go:
        raise SetUpError(f"`go` is not on PATH; install Go {MINIMUM_GO[0]}.{MINIMUM_GO[1]} or newer.")
    version = re.search(r"go(\d+)\.(\d+)", output_of([go, "version"]))
    if not version or (int(version[1]), int(version[2])) < MINIMUM_GO:
        raise SetUpError(f"{go} is too old; Go {MINIMUM_GO[0]}.{MINIMUM_GO[1]} or newer is needed.")
    return go


def write_language_host(target: Path) -> None:
    """A starter for `language_host.py`, which runs in `.venv` because it needs the SDK's protocol stubs."""
    target.unlink(missing_ok=True)
    command = shlex.join([str(VENV / "bin" / "python"), str(HERE / "language_host.py")])
    target.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
    target.chmod(0o755)


def download(url: str, target: Path) -> None:
    """One file, with curl: it resumes, retries and honours the machine's proxy and certificates."""
    part = target.with_suffix(target.suffix + ".part")
    command = ["curl", "-fsSL", "--connect-timeout", "10", "--retry", "2", "-C", "-", "-o", str(part), url]
    try:
        finished = subprocess.run(command, check=False, capture_output=True, text=True)
    except FileNotFoundError:
        raise SetUpError("`curl` is not on PATH; install it.") from None
    if finished.returncode:
        raise SetUpError(f"{url} cannot be fetched: {finished.stderr.strip().splitlines()[-1]}")
    part.rename(target)


def require_space(gib: int, purpose: str) -> None:
    """Fails before a step that would fill the disk, not in the middle of it."""
    free = shutil.disk_usage(ROOT).free / 2**30
    if free < gib:
        raise SetUpError(f"{free:.1f} GiB are free under {ROOT}; {purpose} needs {gib} GiB. Free some space.")


def link(source: Path, target: Path) -> None:
    """A symbolic link that replaces what stands there."""
    target.unlink(missing_ok=True)
    target.symlink_to(source)


def output_of(command: list[str], cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    """What a command prints; empty when it cannot run."""
    try:
        return subprocess.run(command, check=False, capture_output=True, text=True, cwd=cwd, env=env).stdout
    except OSError:
        return ""


def run(command: list[str], purpose: str, cwd: Path | None = None, env: dict[str, str] | None = None) -> None:
    """Runs a command; on failure says what it was for and shows the end of what it printed."""
    finished = subprocess.run(command, check=False, capture_output=True, text=True, cwd=cwd, env=env)
    if finished.returncode:
        tail = "\n".join((finished.stdout + finished.stderr).strip().splitlines()[-12:])
        raise SetUpError(f"{purpose} failed ({' '.join(command[:3])} ...):\n{tail}")


@contextmanager
def progress(what: str) -> Iterator[None]:
    """Says what is running and, every ten seconds, that it still is."""
    started = time.monotonic()
    done = threading.Event()

    def beat() -> None:
        while not done.wait(10):
            print(f"    ... {time.monotonic() - started:.0f} s", flush=True)

    print(f"  {what}", flush=True)
    pulse = threading.Thread(target=beat, daemon=True)
    pulse.start()
    try:
        yield
    finally:
        done.set()
        pulse.join()
    print(f"    done in {time.monotonic() - started:.0f} s", flush=True)


if __name__ == "__main__":
    sys.exit(main())
