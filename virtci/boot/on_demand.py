"""The boot text of an on-demand machine (Ubuntu): a runner of one workflow run, in Azure or in EC2.

The stages are in `scripts/on-demand-boot.sh`. The agent comes from the image where `/var/lib/virt-ci` has the pinned archive,
and from GitHub otherwise. Deliberately absent, beside what `render` leaves out: a registration, rights of the jobs' user
(neither sudo nor a container engine that root owns), and anything that another machine of the same slot could use.
"""

import base64
import gzip
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from virtci.boot.render import BootFile, environment, render, script, unit
from virtci.boot.runner import AgentRelease
from virtci.core.credentials import credentials_in
from virtci.core.names import registration_secret
from virtci.core.problems import Refusal
from virtci.core.runner_agent import require_agent
from virtci.core.runners.boot_record import boot_parameter, registration_parameter
from virtci.core.runners.clouds import Capability, Cloud, Serves

SERVICE = "virt-ci-boot.service"
DEADLINE = "virt-ci-deadline.timer"
SPOT = "virt-ci-spot.timer"
KEYS_FILE = "/etc/virt-ci/people.keys"
LABELS = ("self-hosted", "linux", "x64")
"""What every runner has beside its own label, and no more: jobs that ask for less would land on it."""
USER_DATA_LIMIT = 16_384
"""Bytes of user data that EC2 takes, before they are encoded (EC2 User Guide, "Run commands when you launch")."""
PROBED = {
    Capability.MSHV: "mshv",
    Capability.KVM_NESTED: "kvm",
    Capability.KVM_METAL: "kvm",
    Capability.EMULATION: "emulation",
    Capability.NONE: "emulation",
}
"""The hypervisor whose absence stops a boot; emulation is never absent."""
SCRIPTS = (
    "probe.sh",
    "on-demand-facts.sh",
    "on-demand-people.sh",
    "on-demand-boot.sh",
    "on-demand-devices.sh",
    "on-demand-start.sh",
    "on-demand-spend.sh",
    "runner-isolate.sh",
    "runner-install.sh",
    "runner-register.sh",
    "job-completed.sh",
    "evidence.sh",
    "deadline.sh",
    "power-off.sh",
    "last-word.sh",
)
LIBRARIES = {Cloud.AZURE: "azure.sh", Cloud.EC2: "ec2.sh"}
UNITS = {
    "on-demand-boot.service": SERVICE,
    "runner-isolation.service": "virt-ci-isolation.service",
    "on-demand-agent.conf": "virt-ci-agent.service.d/10-on-demand.conf",
    "on-demand-evidence.path": "virt-ci-evidence.path",
    "on-demand-evidence.service": "virt-ci-evidence.service",
    "on-demand-deadline.timer": DEADLINE,
    "on-demand-deadline.service": "virt-ci-deadline.service",
}
AGENTS = {
    Serves.RUN: {"runner-agent.service": "virt-ci-agent.service"},
    Serves.JOB: {
        "on-demand-job.service": "virt-ci-agent.service",
        "on-demand-ended.service": "virt-ci-ended.service",
    },
}
SPOT_UNITS = {"on-demand-spot.timer": SPOT, "on-demand-spot.service": "virt-ci-spot.service"}
"""Files of `units/`, and what they are called on the machine."""
_REPOSITORY = re.compile(r"https://github\.com/[\w.-]+/[\w.-]+")
_LABEL = re.compile(r"[\w.-]+")
_PUBLIC_KEY = re.compile(r"(ssh-(rsa|ed25519)|ecdsa-sha2-nistp\d+|sk-[\w@.-]+) [A-Za-z0-9+/]+=*( [^\r\n]*)?")


@dataclass(frozen=True, kw_only=True, slots=True)
class OnDemandContext:
    """What a machine of a workflow run needs to know."""

    cloud: Cloud
    hostname: str
    slot: str
    """Whose identity it has and through whose secret or parameter it is registered."""
    vault_uri: str = ""
    """`https://NAME.vault.azure.net`; in EC2 there is none."""
    repository_url: str
    """`https://github.com/OWNER/NAME`, whose jobs it runs."""
    label: str
    """Its own, also the name of the runner."""
    labels: Sequence[str] = ()
    """Beside its own and `LABELS`."""
    capability: Capability
    """Without it, the machine is never registered."""
    serves: Serves
    agent: AgentRelease
    deadline: datetime
    """When it powers itself off, whatever happens; a tag `deadline` of the machine goes before it."""
    spot: bool = False
    """Whether the platform may take it back, so that it has to look."""
    keys: Sequence[str] = ()
    """Public SSH keys of the user `kontain`."""


def on_demand_boot_text(context: OnDemandContext) -> str:
    """The boot text of a machine, as Azure takes it. Raises `Refusal` for what cannot work, and for a private key."""
    require_agent(context.agent.version)
    _require(_REPOSITORY, context.repository_url, context, "https://github.com/OWNER/NAME")
    for label in (context.label, *context.labels):
        _require(_LABEL, label, context, "a label of letters, digits, `.`, `_`, `-`")
    _require_vault(context)
    _require_keys(context)
    if context.deadline.tzinfo is None:
        raise Refusal(
            f"a deadline has a time zone; that of {context.hostname} has none",
            "the machine would go down hours before or after its time",
            "write it in UTC, as in 2026-01-31T12:00:00Z",
        )
    spot = (SPOT,) if context.spot else ()
    return render(context.hostname, _files(context), DEADLINE, *spot, SERVICE)


def packed_user_data(text: str) -> str:
    """A boot text as EC2 takes it: compressed, which cloud-init reads as well, in base64. Raises `Refusal`."""
    packed = gzip.compress(text.encode(), mtime=0)
    if len(packed) > USER_DATA_LIMIT:
        raise Refusal(
            f"user data of EC2 has at most {USER_DATA_LIMIT} bytes",
            f"the platform refuses the machine: its boot text has {len(packed)}, compressed",
            "hand over fewer keys, or move scripts into the image",
        )
    return base64.b64encode(packed).decode()


def _require(shape: re.Pattern[str], value: str, context: OnDemandContext, words: str) -> None:
    if not shape.fullmatch(value):
        raise Refusal(
            f"{words}; it is {value!r}",
            f"GitHub does not take the registration of runner {context.hostname}",
            "correct it in the settings of the runners",
        )


def _require_vault(context: OnDemandContext) -> None:
    if (context.cloud is Cloud.AZURE) != context.vault_uri.startswith("https://"):
        raise Refusal(
            f"a machine in Azure has a vault at https://, one in EC2 has none; that of {context.hostname} is "
            f"{context.vault_uri!r}",
            "its registration would not reach it, or cross the network readable",
            "take it from the outputs of the runners' stack",
        )


def _require_keys(context: OnDemandContext) -> None:
    for number, key in enumerate(context.keys, 1):
        if not _PUBLIC_KEY.fullmatch(key) or list(credentials_in(key)):
            raise Refusal(
                f"key {number} of {context.hostname} is a public SSH key in one line",
                "nobody could log in with it, or a private key would lie on every machine and in its boot text",
                "keep only the .pub files in the folder of keys; replace a private key that was there",
            )


def _files(context: OnDemandContext) -> list[BootFile]:
    units = UNITS | AGENTS[context.serves] | (SPOT_UNITS if context.spot else {})
    spot = ("spot-watch.sh",) if context.spot else ()
    return [
        environment(_values(context)),
        BootFile(KEYS_FILE, "".join(f"{key}\n" for key in context.keys)),
        *(script(name) for name in ("lib.sh", LIBRARIES[context.cloud], *SCRIPTS, *spot)),
        *(unit(name, installed) for name, installed in units.items()),
    ]


def _values(context: OnDemandContext) -> dict[str, str]:
    return {
        "VIRTCI_CLOUD": context.cloud.value,
        "VIRTCI_CAPABILITY": context.capability.value,
        "VIRTCI_HYPERVISOR": PROBED[context.capability],
        "VIRTCI_DEADLINE": str(int(context.deadline.timestamp())),
        "VIRTCI_RUNNER_SERVES": context.serves.value,
        "VIRTCI_RUNNER_NAME": context.label,
        "VIRTCI_RUNNER_URL": context.repository_url,
        "VIRTCI_RUNNER_LABELS": ",".join((*LABELS, *context.labels, context.label)),
        "VIRTCI_AGENT_VERSION": context.agent.version,
        "VIRTCI_AGENT_SHA256": context.agent.sha256,
        **_registration(context),
    }


def _registration(context: OnDemandContext) -> dict[str, str]:
    if context.cloud is Cloud.EC2:
        return {
            "VIRTCI_REGISTRATION_SECRET": registration_parameter(context.slot),
            "VIRTCI_BOOT_PARAMETER": boot_parameter(context.slot),
        }
    return {
        "VIRTCI_REGISTRATION_SECRET": registration_secret(context.slot),
        "VIRTCI_VAULT_URI": context.vault_uri.rstrip("/"),
    }
