"""The first boot by the real cloud-init, where this machine has it: its own modules, in its own order."""

import json
import shutil
from dataclasses import dataclass
from typing import Any

import yaml

from virtci.rehearsal.boot.sandbox import Sandbox

SEED = "/var/lib/cloud/seed/nocloud"
PHASES = (("init", "--local"), ("init",), ("modules", "--mode=config"), ("modules", "--mode=final"))
CONFIGURATION = {
    "datasource_list": ["NoCloud"],
    "network": {"config": "disabled"},
    "users": [],
    "system_info": {"distro": "debian"},
    "cloud_init_modules": ["write-files", "set_hostname", "update_hostname"],
    "cloud_config_modules": ["package-update-upgrade-install", "runcmd"],
    "cloud_final_modules": ["scripts-user", "final-message"],
}
"""The modules that a boot text uses, and the one that must find nothing to do."""


@dataclass(frozen=True, slots=True)
class CloudInit:
    """How cloud-init saw a boot: `done` or `error`, its errors (recoverable ones too), and the lines that warn."""

    status: str
    errors: list[str]
    warnings: list[str]


def missing(box: Sandbox) -> str:
    """Why the real cloud-init cannot run; empty when it can."""
    tried = box.run("cloud-init", "--version")
    return "" if tried.returncode == 0 else f"cloud-init does not run in /usr of this machine: {tried.stderr.strip()}"


def boot(box: Sandbox, text: str) -> CloudInit:
    """Lets cloud-init boot the machine with a boot text, from a local seed instead of Azure's."""
    shutil.rmtree(box.path("/etc/cloud/cloud.cfg.d"), ignore_errors=True)
    for path, content in {
        "/etc/cloud/cloud.cfg": yaml.safe_dump(CONFIGURATION),
        f"{SEED}/user-data": text,
        f"{SEED}/meta-data": "instance-id: rehearsal\n",
    }.items():
        box.path(path).parent.mkdir(parents=True, exist_ok=True)
        box.path(path).write_text(content)
    for phase in PHASES:
        box.run("cloud-init", *phase)
    told: dict[str, Any] = json.loads(box.run("cloud-init", "status", "--format", "json").stdout)
    recoverable = [line for lines in told.get("recoverable_errors", {}).values() for line in lines]
    log = box.read("/var/log/cloud-init.log").splitlines()
    return CloudInit(
        told["status"],
        [*told["errors"], *recoverable],
        [line for line in log if "WARNING" in line or "DEPRECAT" in line],
    )
