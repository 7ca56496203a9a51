"""What every boot text is asked: what is in it, and whether cloud-init and systemd take it."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.real_programs import run
from virtci.rehearsal.boot.sandbox import Sandbox


def read(text: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(text)
    return content


def files(text: str) -> dict[str, str]:
    """The files that a text writes, by path."""
    return {file["path"]: file["content"] for file in read(text)["write_files"]}


def assert_valid_cloud_config(text: str, folder: Path) -> None:
    """cloud-init has nothing against a text, and nothing in it is deprecated."""
    source = folder / "user-data"
    source.write_text(text)
    done = run("cloud-init", "schema", "--config-file", str(source))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "deprecated" not in (done.stdout + done.stderr).lower()


def assert_understood_by_systemd(box: Sandbox, unit: str) -> None:
    """A unit that is installed in a sandbox: systemd has nothing to say of it."""
    if box.run("systemd-analyze", "--version").returncode:
        pytest.skip("systemd-analyze is not in /usr of this machine")
    done = box.run("systemd-analyze", "verify", f"/etc/systemd/system/{unit}")
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
