"""Storage accounts: what is overwritten or deleted can be brought back, for a while."""

from collections.abc import Iterator
from typing import Any

from pulumi_policy import Severity

from policies.common import Fault, Fleet, Settings, at, each, is_filled, must_be, shown, stack_policy
from policies.kinds import BLOB_SERVICE, STORAGE_ACCOUNT, STORAGE_LIFECYCLE
from virtci.core.inventory import UNKNOWN

RETENTION = ("deleteRetentionPolicy", "containerDeleteRetentionPolicy")
REPLICATED = ["Standard_GRS", "Standard_RAGRS", "Standard_GZRS", "Standard_RAGZRS"]


def faults(fleet: Fleet, settings: Settings) -> Iterator[Fault]:
    """Protects the state of machines from a launcher that goes astray, and from the loss of a region.

    A version is kept of every write, so old ones have to go by themselves.
    """
    least = int(settings["days"])
    for account in fleet.of(STORAGE_ACCOUNT):
        for fault in must_be(account.properties, "sku.name", REPLICATED, "replicate it to another region"):
            yield Fault(fault.observed, fault.rule, fault.fix, account)
        services = fleet.users(account, "accountName", BLOB_SERVICE)
        if not services:
            yield Fault(
                "nothing is said of its versions", "every account keeps versions and deleted blobs",
                "declare BlobServiceProperties for it", account,
            )  # fmt: skip
        for service in services:
            for fault in _service(service.properties, least):
                yield Fault(fault.observed, fault.rule, fault.fix, service)
        policies = fleet.users(account, "accountName", STORAGE_LIFECYCLE)
        if not any(_forgets(rule) for policy in policies for rule in each(policy.properties, "policy.rules")):
            yield Fault(
                "its old versions stay for ever", "old versions are deleted by themselves",
                "declare a ManagementPolicy with an enabled rule that deletes versions", account,
            )  # fmt: skip


def _service(found: Any, least: int) -> Iterator[Fault]:
    yield from must_be(found, "isVersioningEnabled", [True], "enable it")
    for policy in RETENTION:
        yield from must_be(found, f"{policy}.enabled", [True], "enable it")
        days = at(found, f"{policy}.days")
        if not (isinstance(days, int) and days >= least):
            yield Fault(f"{policy}.days is {shown(days)}", f"at least {least} days", "keep what is deleted longer")


def _forgets(rule: Any) -> bool:
    after = at(rule, "definition.actions.version.delete.daysAfterCreationGreaterThan")
    return at(rule, "enabled") is True and is_filled(after) and after is not UNKNOWN


POLICY = stack_policy(
    "storage-recoverable",
    "Storage accounts are replicated, keep what is overwritten or deleted, and let it go in the end.",
    faults,
    Severity.HIGH,
    covers=(
        "Azure.Storage.ContainerSoftDelete",
        "Azure.Storage.SoftDelete",
        "Azure.Storage.UseReplication",
        "CKV2_AZURE_38",
        "CKV_AZURE_206",
    ),
    settings={"days": {"type": "number", "default": 7}},
)
