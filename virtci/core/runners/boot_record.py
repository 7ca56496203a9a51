"""How an on-demand machine tells of its boot, and where its registration lies.

In Azure both are as with the runners of the hub: tags on itself, and a vault secret. In EC2 they are two parameters of
its slot in Systems Manager: a machine that may write one parameter can neither change another machine nor itself, as with
tags it could. Of the parameter it is told in which instance wrote it, because slots are used again; a tag dies with its
machine.
"""

import json
from typing import Final

from virtci.core.boot_tags import Boot, Reason, Stage, read_boot
from virtci.core.problems import Refusal
from virtci.core.runners.failures import Code

MACHINE = "bootmachine"
"""The instance that wrote a record, beside the names of `virtci.core.boot_tags`."""
NO_BOOT = "{}"
"""What the parameter of a slot says that never had a machine."""
USED = "used"
"""What a registration says when it has done its work; a machine waits when it reads it, or `none`, or nothing at all."""
_CODES: Final = {
    Reason.IMAGE: Code.IMAGE,
    Reason.METADATA: Code.NETWORK,
    Reason.FIREWALL: Code.IMAGE,
    Reason.DOWNLOAD: Code.NETWORK,
    Reason.CHECKSUM: Code.AGENT,
    Reason.DISK: Code.IMAGE,
    Reason.VAULT: Code.NETWORK,
    Reason.AGENT: Code.AGENT,
    Reason.REGISTRATION: Code.GITHUB,
    Reason.HYPERVISOR_ABSENT: Code.HYPERVISOR_ABSENT,
    Reason.SPOT_EVICTED: Code.SPOT_EVICTED,
    Reason.DEADLINE: Code.NETWORK,
}


REGISTRATION_ACTIONS = ("ssm:GetParameter", "ssm:DeleteParameter")
BOOT_ACTIONS = ("ssm:PutParameter",)
"""What the role of a slot may do with its two parameters, and nothing else with any."""


def registration_parameter(slot: str) -> str:
    """The parameter through which the machine of a slot gets its registration; it deletes it when it is registered."""
    return f"/virt-ci/runners/{slot}/registration"


def boot_parameter(slot: str) -> str:
    """The parameter in which the machine of a slot tells of its boot."""
    return f"/virt-ci/runners/{slot}/boot"


def read_boot_parameter(text: str, instance: str) -> Boot | None:
    """The boot in a slot's parameter; nothing when an earlier machine of the slot wrote it. Raises `Refusal`."""
    try:
        record = json.loads(text)
        found = {str(name): str(value) for name, value in record.items()}
    except (ValueError, AttributeError):
        raise Refusal(
            f"the boot of instance {instance} is a JSON object; it is {text[:80]!r}",
            "how far the machine's boot came cannot be told",
            "delete the parameter; only the machine itself writes it",
        ) from None
    return read_boot(found, instance) if found.get(MACHINE) == instance else None


def waits_for_registration(boot: Boot) -> bool:
    """Whether the machine has what was asked for, and was not registered yet."""
    return boot.stage in (Stage.PROBED, Stage.INSTALLED)


def failure_of(boot: Boot) -> Code | None:
    """The code of a boot that failed, in the launcher's terms; nothing when it did not fail."""
    return _CODES.get(boot.code, Code.INTERNAL) if boot.code else None
