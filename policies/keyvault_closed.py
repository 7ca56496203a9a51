"""Vaults: closed to everybody but named subnets and identities."""

from collections.abc import Iterator

from pulumi_policy import Severity

from policies.common import Fault, Settings, at, must_be, resource_policy, shown
from policies.kinds import VAULT
from virtci.core.inventory import Resource

MUST: tuple[tuple[str, list[object], str], ...] = (
    ("enableRbacAuthorization", [True], "use roles; access policies cannot be given on one secret"),
    ("enablePurgeProtection", [True], "enable it; without it a deleted vault can be destroyed at once"),
    ("enableSoftDelete", [True, None], "leave it on"),
    ("accessPolicies", [[], None], "use roles"),
    ("networkAcls.defaultAction", ["Deny"], "deny by default"),
    ("networkAcls.bypass", ["None"], "let no service pass the firewall"),
    ("networkAcls.ipRules", [[], None], "let subnets in, not public addresses"),
    ("enabledForDeployment", [False, None], "machines fetch secrets as their identity"),
    ("enabledForTemplateDeployment", [False, None], "no template reads this vault"),
)


def faults(resource: Resource, settings: Settings) -> Iterator[Fault]:
    """Protects SSH keys and kubeconfigs. The ids of the subnets that may pass are made in the deployment."""
    properties = at(resource.properties, "properties")
    for path, wanted, fix in MUST:
        yield from must_be(properties, path, wanted, fix, "properties.")
    days, least = at(properties, "softDeleteRetentionInDays"), settings["softDeleteDays"]
    if days is not None and not (isinstance(days, int) and days >= least):
        fix = "keep deleted secrets longer"
        yield Fault(f"softDeleteRetentionInDays is {shown(days)}", f"at least {least} days", fix)


POLICY = resource_policy(
    "keyvault-closed",
    "Vaults use roles, keep what is deleted, and are closed by default.",
    (VAULT,),
    faults,
    Severity.CRITICAL,
    covers=(
        "Azure.KeyVault.PurgeProtect",
        "Azure.KeyVault.SoftDelete",
        "Azure.KeyVault.Firewall",
        "Azure.KeyVault.RBAC",
        "Azure.KeyVault.AccessPolicy",
        "CKV_AZURE_42",
        "CKV_AZURE_109",
        "CKV_AZURE_110",
        "CKV_AZURE_111",
    ),
    settings={"softDeleteDays": {"type": "number", "default": 7}},
)
