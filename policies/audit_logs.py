"""Logs: every vault and cluster sends its audit log to a workspace."""

from collections.abc import Iterator
from typing import Any

from pulumi_policy import Severity

from policies.common import Declared, Fault, Fleet, Settings, at, each, is_filled, stack_policy
from policies.kinds import DIAGNOSTICS, VAULT
from virtci.core.inventory import CLUSTER

GROUPS = ("audit", "allLogs")


def faults(fleet: Fleet, settings: Settings) -> Iterator[Fault]:
    """Protects the answer to "who read that secret": without a setting, nothing is kept at all."""
    for resource in fleet.of(VAULT, CLUSTER):
        wanted = settings["vault"] if resource.kind == VAULT else settings["cluster"]
        kept = {entry for item in fleet.users(resource, "resourceUri", DIAGNOSTICS) for entry in _kept(item)}
        missing = [category for category in wanted if category not in kept]
        if missing and not kept.intersection(GROUPS):
            yield Fault(
                f"nobody keeps its log {', '.join(missing)}", "audit logs go to a workspace",
                "declare a DiagnosticSetting for it with a workspace and these categories", resource,
            )  # fmt: skip


def _kept(setting: Declared) -> Iterator[Any]:
    """The categories and groups that a setting sends to a workspace."""
    if is_filled(at(setting.properties, "workspaceId")):
        for log in each(setting.properties, "logs"):
            if at(log, "enabled") is True:
                yield at(log, "category")
                yield at(log, "categoryGroup")


POLICY = stack_policy(
    "audit-logs",
    "Vaults and clusters send their audit logs to a workspace.",
    faults,
    Severity.HIGH,
    covers=("Azure.KeyVault.Logs", "Azure.AKS.AuditLogs", "Azure.AKS.AuditAdmin", "CKV_AZURE_4"),
    settings={
        "vault": {"type": "array", "items": {"type": "string"}, "default": ["AuditEvent"]},
        "cluster": {"type": "array", "items": {"type": "string"}, "default": ["kube-audit-admin", "guard"]},
    },
)
