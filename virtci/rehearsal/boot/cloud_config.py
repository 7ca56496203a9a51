"""Applies a boot text to a sandbox, as cloud-init does at the first boot of a machine. Refuses what it does not know."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

IGNORED = {
    "preserve_hostname",
    "package_update",
    "package_upgrade",
    "package_reboot_if_required",
    "ssh_pwauth",
    "disable_root",
}
"""Keys without an effect in a sandbox: it has no package manager, no SSH and no accounts of people."""
FILE_KEYS = {"path", "content", "permissions", "owner"}


@dataclass(frozen=True, slots=True)
class Applied:
    """What is left to do after the files are written."""

    hostname: str
    commands: tuple[tuple[str, ...], ...]


def apply(text: str, root: Path) -> Applied:
    """Writes the files of a boot text below a root. Raises `ValueError` for what cloud-init would do and this does not."""
    if not text.startswith("#cloud-config\n"):
        raise ValueError("a boot text starts with #cloud-config")
    content: Mapping[str, Any] = yaml.safe_load(text)
    unknown = content.keys() - IGNORED - {"hostname", "write_files", "runcmd"}
    if unknown:
        raise ValueError(f"the sandbox does not know the keys {sorted(unknown)}")
    for file in content.get("write_files", []):
        _write(file, root)
    commands = tuple(tuple(command) for command in content.get("runcmd", []) if not isinstance(command, str))
    if len(commands) != len(content.get("runcmd", [])):
        raise ValueError("commands are lists of words, never a line for a shell")
    return Applied(content["hostname"], commands)


def _write(file: Mapping[str, Any], root: Path) -> None:
    if file.keys() - FILE_KEYS or file["owner"] != "root:root":
        raise ValueError(f"the sandbox does not know how to write {file['path']} with {sorted(file)}")
    target = root / PurePosixPath(file["path"]).relative_to("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(file["content"])
    target.chmod(int(file["permissions"], 8))
