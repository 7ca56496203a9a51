"""The set-up: each way to the engine says why it failed, nothing is half done, nothing is repeated."""

import hashlib
import io
import json
import platform
import shutil
import subprocess
import tarfile
import venv
from pathlib import Path

import pytest

from tools.engine import setup


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A set-up whose results go to a temporary folder, and that finds no installed program."""
    engine = tmp_path / ".engine"
    (engine / "bin").mkdir(parents=True)
    monkeypatch.setattr(setup, "ENGINE", engine)
    monkeypatch.setattr(setup, "BIN", engine / "bin")
    monkeypatch.setattr(setup, "STAMP", engine / "ready.json")
    monkeypatch.setattr(setup, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(setup, "ARCHIVE_URL", f"file://{tmp_path}/pulumi-v{{version}}-linux-{{arch}}.tar.gz")
    monkeypatch.setattr(setup, "CHECKSUMS_URL", f"file://{tmp_path}/checksums.txt")
    return tmp_path


def release(folder: Path, checksum: str | None = None) -> Path:
    """A release archive with one program in it, and its published checksum."""
    program = b"#!/bin/sh\necho v3.259.0\n"
    archive = folder / f"pulumi-v{setup.PULUMI_VERSION}-linux-x64.tar.gz"
    with tarfile.open(archive, "w:gz") as content:
        entry = tarfile.TarInfo("pulumi/pulumi")
        entry.size, entry.mode = len(program), 0o755
        content.addfile(entry, io.BytesIO(program))
    digest = checksum or hashlib.sha256(archive.read_bytes()).hexdigest()
    (folder / "checksums.txt").write_text(f"{digest}  {archive.name}\n")
    return archive


@pytest.fixture
def on_x64(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")


@pytest.mark.usefixtures("on_x64")
def test_a_release_archive_with_the_published_checksum_is_installed(elsewhere: Path) -> None:
    release(elsewhere)

    setup.install_archive()

    assert setup.output_of([str(elsewhere / ".engine/bin/pulumi")]) == "v3.259.0\n"


@pytest.mark.usefixtures("on_x64")
def test_an_archive_with_another_checksum_is_deleted_and_refused(elsewhere: Path) -> None:
    release(elsewhere, checksum="0" * 64)

    with pytest.raises(setup.SetUpError, match="published is 0000"):
        setup.install_archive()

    assert list((elsewhere / ".engine/downloads").glob("*.tar.gz")) == []
    assert not (elsewhere / ".engine/bin/pulumi").exists()


@pytest.mark.usefixtures("on_x64")
def test_a_broken_download_is_resumed(elsewhere: Path) -> None:
    archive = release(elsewhere)
    (elsewhere / ".engine/downloads").mkdir()
    part = elsewhere / f".engine/downloads/{archive.name}.part"
    part.write_bytes(archive.read_bytes()[:50])

    setup.install_archive()

    assert (elsewhere / ".engine/bin/pulumi").exists()


@pytest.mark.usefixtures("elsewhere")
def test_when_no_way_works_one_message_names_every_way_and_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    curl = shutil.which("curl") or ""
    monkeypatch.setattr(shutil, "which", lambda name: curl if name == "curl" else None)

    with pytest.raises(setup.SetUpError) as refused:
        setup.install_engine()

    text = str(refused.value)
    assert f"pulumi {setup.PULUMI_VERSION} on PATH: `pulumi` is not on PATH" in text
    assert "the official release archive: file://" in text
    assert "a build from the published Go module: `go` is not on PATH" in text
    assert "what is there already is kept" in text


def test_an_older_go_is_refused_by_its_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: "/usr/bin/go")
    monkeypatch.setattr(setup, "output_of", lambda _: "go version go1.19.8 linux/amd64")

    with pytest.raises(setup.SetUpError, match=r"Go 1\.25 or newer is needed"):
        setup.find_go()


def test_an_engine_of_another_version_on_the_path_is_not_used(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = elsewhere / "pulumi"
    other.write_text("#!/bin/sh\necho v3.1.0\n")
    other.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda _: str(other))

    with pytest.raises(setup.SetUpError, match=r"is v3\.1\.0, not 3\.259\.0"):
        setup.link_from_path()


@pytest.mark.usefixtures("elsewhere")
def test_an_engine_that_is_there_is_not_installed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(setup, "output_of", lambda _: setup.PULUMI_VERSION)
    monkeypatch.setattr(setup, "link_from_path", lambda: pytest.fail("looked for another engine"))

    setup.install_engine()


def test_a_python_that_cannot_make_environments_is_named_with_the_fix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise subprocess.CalledProcessError(1, "ensurepip")

    monkeypatch.setattr(venv, "create", fails)

    with pytest.raises(setup.SetUpError, match="python3-venv"):
        setup.create_home(tmp_path)


def test_the_language_host_starts_from_a_folder_with_spaces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "a checkout"
    (home / "bin").mkdir(parents=True)
    (home / "bin" / "python").symlink_to("/bin/echo")
    monkeypatch.setattr(setup, "VENV", home)
    monkeypatch.setattr(setup, "HERE", home)

    setup.write_language_host(tmp_path / "host")

    assert setup.output_of([str(tmp_path / "host"), "127.0.0.1:1"]) == f"{home}/language_host.py 127.0.0.1:1\n"


def test_a_full_disk_is_named_before_the_step_that_needs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=2**30))

    with pytest.raises(setup.SetUpError, match=r"1\.0 GiB are free .* building the engine needs 6 GiB"):
        setup.require_space(6, "building the engine")


def test_a_finished_set_up_is_recognised_by_its_inputs(elsewhere: Path) -> None:
    wanted = setup.fingerprint()
    for path in (elsewhere / ".engine/bin/pulumi", elsewhere / ".venv/bin/python"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    setup.STAMP.write_text(json.dumps(wanted))

    assert setup.is_ready(wanted)
    assert not setup.is_ready({**wanted, "inputs": "changed"})


def test_the_locks_carry_hashes_and_no_addresses() -> None:
    for lock in (setup.LOCK, setup.UV_LOCK):
        text = lock.read_text()
        assert text.count("--hash=sha256:") > 0
        assert "://" not in text


def test_engine_and_sdk_are_one_version() -> None:
    assert f"pulumi=={setup.PULUMI_VERSION} " in setup.LOCK.read_text()
    assert f"pulumi/sdk/v3 v{setup.PULUMI_VERSION}" in (setup.HERE / "go.mod").read_text()
