"""The boot text of the machines: cloud-config, read by cloud-init at the first boot only.

Packages are neither updated nor upgraded: the dom0 image carries a special kernel and hypervisor, and a new kernel
would take /dev/mshv away.
"""

from typing import Any

import yaml

HEADER = "#cloud-config\n"


def dom0_boot_text(hostname: str) -> str:
    """The boot text of a dom0 machine (Azure Linux)."""
    return _render({**_common(hostname), "package_reboot_if_required": False})


def runner_boot_text(hostname: str) -> str:
    """The boot text of a runner (Ubuntu)."""
    return _render(_common(hostname))


def _common(hostname: str) -> dict[str, Any]:
    return {
        "hostname": hostname,
        "preserve_hostname": False,
        "package_update": False,
        "package_upgrade": False,
        "ssh_pwauth": False,
        "disable_root": True,
    }


def _render(content: dict[str, Any]) -> str:
    return HEADER + yaml.safe_dump(content, sort_keys=True)
