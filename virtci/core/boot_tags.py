"""What a machine says of its own boot: the tags that it writes on itself as its managed identity.

Names and values fit the platform's rules for tags (azure-docs, tag-resources.md: 512 characters of name, 256 of value).
A machine writes them best effort, so absent tags mean nothing; readiness is the stage `ready` of the present boot.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TypeVar

from virtci.core.hypervisors import Hypervisor
from virtci.core.problems import Refusal

STAGE = "bootstage"
BOOT_ID = "bootid"
BOOT_AT = "bootat"
HYPERVISOR = "boothypervisor"
REASON = "bootreason"
NAMES = (STAGE, BOOT_ID, BOOT_AT, HYPERVISOR, REASON)
"""Every tag that a machine writes; a deployment leaves them alone."""
NOTHING = "-"
"""The reason of a boot that has none: the platform takes no empty value everywhere."""
DEADLINE = timedelta(minutes=75)
"""How long a boot may take; `TimeoutStartSec` of the boot services."""
Word = TypeVar("Word", bound=StrEnum)


class Stage(StrEnum):
    """How far a boot came."""

    BOOTING = "booting"
    PROBED = "probed"
    INSTALLED = "installed"
    PUBLISHED = "published"
    READY = "ready"
    SERVED = "served"
    """An on-demand runner had the one job that it was for; its machine goes down."""
    FAILED = "failed"


class Reason(StrEnum):
    """Why a boot failed: the word before the colon of the tag."""

    IMAGE = "IMAGE"
    METADATA = "METADATA"
    PACKAGES = "PACKAGES"
    FIREWALL = "FIREWALL"
    DOWNLOAD = "DOWNLOAD"
    CHECKSUM = "CHECKSUM"
    DISK = "DISK"
    K3S = "K3S"
    CLUSTER = "CLUSTER"
    VAULT = "VAULT"
    ROLE = "ROLE"
    AGENT = "AGENT"
    REGISTRATION = "REGISTRATION"
    HYPERVISOR_ABSENT = "HYPERVISOR_ABSENT"
    SPOT_EVICTED = "SPOT_EVICTED"
    DEADLINE = "DEADLINE"
    INTERNAL = "INTERNAL"


FIXES: Mapping[Reason, str] = {
    Reason.IMAGE: "build the image with that program, or choose the image that has it",
    Reason.METADATA: "look whether the machine has its user-assigned identity; then restart it",
    Reason.PACKAGES: "build the image with a readable /etc/tdnf/tdnf.conf",
    Reason.FIREWALL: "build the image with a kernel that has the filter table of iptables, and with its service",
    Reason.DOWNLOAD: "look whether the subnet reaches github.com, and whether the pinned release exists",
    Reason.CHECKSUM: "compare the pinned checksum with the published one; if it is right, the download was tampered with",
    Reason.DISK: "give the machine a larger disk (osDiskGib)",
    Reason.K3S: "read `journalctl -u k3s` on the machine, or the boot diagnostics",
    Reason.CLUSTER: "read `journalctl -u k3s` on the machine: the API refuses or does not answer its own administrator",
    Reason.VAULT: "look whether the vault exists and its firewall lets the subnet in; the machine tries again by itself",
    Reason.ROLE: "deploy again, so that the machine's identity gets its role on the secret; the machine tries again by itself",
    Reason.AGENT: "build the image anew or look at the boot diagnostics; the runner agent does not run",
    Reason.REGISTRATION: "register it: virtci runners register NAME; the machine tries again by itself",
    Reason.HYPERVISOR_ABSENT: "choose a size that has the hypervisor, or an image whose kernel has its device",
    Reason.SPOT_EVICTED: "start the job again, on a machine that is not spot if it happens often",
    Reason.DEADLINE: "read the boot diagnostics for what the stage waited for; the machine tries again by itself",
    Reason.INTERNAL: "read the boot diagnostics; a boot script ended in a way that nobody foresaw",
}


@dataclass(frozen=True, slots=True)
class Boot:
    """The last boot that a machine told of.

    `reason` is empty, or one sentence; `code` is there when the boot failed. A boot that is `ready` may have a reason
    too: why its hypervisor is not the declared one.
    """

    stage: Stage
    boot_id: str
    at: datetime
    hypervisor: Hypervisor | None
    reason: str
    code: Reason | None

    @property
    def fix(self) -> str:
        """What to do about a failed boot; empty when it did not fail."""
        return FIXES[self.code] if self.code else ""

    @property
    def is_ready(self) -> bool:
        """Whether the boot came to its end."""
        return self.stage is Stage.READY

    def is_overdue(self, now: datetime) -> bool:
        """Whether a boot that has neither succeeded nor failed has had all its time."""
        return self.stage not in (Stage.READY, Stage.SERVED, Stage.FAILED) and now - self.at > DEADLINE


def read_boot(tags: Mapping[str, str], machine: str) -> Boot | None:
    """The boot that a machine's tags tell of; nothing when it never wrote any. Raises `Refusal` naming the machine."""
    if STAGE not in tags:
        return None
    stage = _one_of(Stage, tags, STAGE, machine)
    reason = tags.get(REASON, NOTHING)
    return Boot(
        stage=stage,
        boot_id=tags.get(BOOT_ID, ""),
        at=_time(tags.get(BOOT_AT, ""), machine),
        hypervisor=_one_of(Hypervisor, tags, HYPERVISOR, machine) if HYPERVISOR in tags else None,
        reason="" if reason == NOTHING else reason,
        code=_code(reason) if stage is Stage.FAILED else None,
    )


def _code(reason: str) -> Reason:
    word = reason.partition(":")[0]
    return Reason(word) if word in set(Reason) else Reason.INTERNAL


def _time(text: str, machine: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise _refusal(machine, BOOT_AT, text, "a time such as 2026-01-31T12:00:00Z") from None


def _one_of(words: type[Word], tags: Mapping[str, str], name: str, machine: str) -> Word:
    try:
        return words(tags[name])
    except ValueError:
        raise _refusal(machine, name, tags[name], "one of: " + ", ".join(words)) from None


def _refusal(machine: str, name: str, value: str, rule: str) -> Refusal:
    return Refusal(
        f"tag {name} of machine {machine} is {rule}; it is {value!r}",
        "how far the machine's boot came cannot be told",
        "remove the tag and restart the machine; only the machine itself writes it",
    )
