"""Boot texts: cloud-config with a few files and one command, which starts units.

Scripts and units are files of this package and go onto the machine as they are; what differs between machines reaches
them through one environment file. Deliberately absent, because the images are complete and their kernel special:
package updates, upgrades and installations, reboots, users, passwords, and anything that a credential could be in.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from virtci.core.problems import Refusal

HEADER = "#cloud-config\n"
LIMIT = 65_535
"""Bytes of custom data that the platform takes (azure-docs, articles/virtual-machines/custom-data.md)."""
LIBRARY = "/usr/local/lib/virt-ci"
"""Where the scripts lie on a machine."""
UNITS = "/etc/systemd/system"
ENVIRONMENT_FILE = "/etc/virt-ci/boot.env"
"""What the units read their settings from."""
_HERE = Path(__file__).parent
_PLAIN = re.compile(r"[^\"'`$\\\n\r\0]*")


@dataclass(frozen=True, slots=True)
class BootFile:
    """A file that a boot text puts onto a machine, owned by root."""

    path: str
    content: str
    mode: str = "0644"


def script(name: str) -> BootFile:
    """A script of `virtci/boot/scripts/`, as it is."""
    return BootFile(f"{LIBRARY}/{name}", (_HERE / "scripts" / name).read_text(), "0755")


def manifest(name: str) -> BootFile:
    """A Kubernetes manifest of `virtci/boot/manifests/`, beside the scripts that apply it."""
    return BootFile(f"{LIBRARY}/{name}", (_HERE / "manifests" / name).read_text())


def unit(name: str, installed: str = "") -> BootFile:
    """A systemd unit of `virtci/boot/units/`, as it is; `installed` where its path on the machine differs."""
    return BootFile(f"{UNITS}/{installed or name}", (_HERE / "units" / name).read_text())


def environment(values: Mapping[str, str]) -> BootFile:
    """The environment file of the units. Raises `Refusal` for a value that would not arrive as it is."""
    for name, value in values.items():
        if not _PLAIN.fullmatch(value):
            raise Refusal(
                f"{name} goes through an environment file: no quotes, backslashes, `$` or line breaks",
                f"the scripts of the machine would read something else than {value!r}",
                "write the value without them",
            )
    return BootFile(ENVIRONMENT_FILE, "".join(f'{name}="{value}"\n' for name, value in sorted(values.items())))


def render(hostname: str, files: Sequence[BootFile], *units: str) -> str:
    """The boot text of a machine whose first boot ends with one command, which starts units.

    cloud-init waits for them, so its status tells of the whole boot. They are enabled too: at later boots they start by
    themselves. Raises `Refusal` when the platform would not take the text.
    """
    content = {
        "hostname": hostname,
        "preserve_hostname": False,
        "package_update": False,
        "package_upgrade": False,
        "package_reboot_if_required": False,
        "ssh_pwauth": False,
        "disable_root": True,
        "write_files": [
            {"path": file.path, "permissions": file.mode, "owner": "root:root", "content": file.content}
            for file in files
        ],
        "runcmd": [["systemctl", "enable", "--now", *units]],
    }
    text = HEADER + yaml.dump(content, Dumper=_Dumper, sort_keys=False, width=10_000)
    size = len(text.encode())
    if size > LIMIT:
        raise Refusal(
            f"a boot text has at most {LIMIT} bytes",
            f"the platform refuses machine {hostname}: its boot text has {size}",
            "move scripts into the image",
        )
    return text


class _Dumper(yaml.SafeDumper):
    """Writes files as literal blocks, so that a reviewer reads them as they are."""


def _text(dumper: yaml.SafeDumper, value: str) -> Any:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(str, _text)
