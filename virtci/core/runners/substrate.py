"""What on-demand runners stand on: the names that the program gives and the launcher uses.

The slots of a region are `virtci.core.runners.leases.slot_names`; a slot's resource group, identity, role and profile are
called like the slot.
"""

import re

from virtci.core.names import named
from virtci.core.problems import Refusal

ENVIRONMENT = "runners"
"""The GitHub Environment whose workflows may launch."""
STACKS_CONTAINER = "run-stacks"
"""Where the state of the machines' stacks is."""
RECORDS_CONTAINER = "records"
"""Where leases, records and evidence are."""
_SLOT = re.compile(r"auto-runner-(?P<region>[a-z0-9]+(-[a-z0-9]+)*)-\d{2,}")


def region_of_slot(name: str) -> str | None:
    """The region of a slot; nothing for another name."""
    found = _SLOT.fullmatch(name)
    return found["region"] if found else None


def kept_group(resource_group: str) -> str:
    """The resource group with what is kept of machines whose run failed. Raises `Refusal` for a name that is too long."""
    return named("resource_group", f"{resource_group}-kept")


def log_workspace(resource_group: str) -> str:
    """The log workspace that keeps who read which registration. Raises `Refusal` for a name that is not legal."""
    return named("workspace", f"{resource_group}-logs")


def require_entry(region: str, entry: str, stack: str) -> None:
    """Raises `Refusal` for a region into whose network the stack lets nobody."""
    if not entry:
        raise Refusal(
            f"the stack says from where people log in to machines in {region}",
            "they have no public address, and the rules of their network let nobody in",
            f"set runners.azure.regions.{region}.entry to the range of a VPN or a peered network, deploy, and log in from "
            f"there; what the machine wrote to its console: virtci runners logs {stack}",
        )
