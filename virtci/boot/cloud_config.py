"""The boot text of a runner: cloud-config, read by cloud-init at the first boot only."""

from typing import Any

import yaml

HEADER = "#cloud-config\n"


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
