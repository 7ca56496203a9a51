"""Storage accounts: named identities only."""

from collections.abc import Iterator

from pulumi_policy import Severity

from policies.common import Fault, Settings, at, must_be, resource_policy
from policies.kinds import BLOB_CONTAINER, STORAGE_ACCOUNT
from virtci.core.inventory import Resource

MUST: tuple[tuple[str, list[object], str], ...] = (
    ("allowSharedKeyAccess", [False], "let Entra identify callers; whoever has an account key is nobody"),
    ("allowBlobPublicAccess", [False], "give identities a role on a container"),
    ("allowCrossTenantReplication", [False], "let nothing be replicated to another tenant"),
    ("allowedCopyScope", ["AAD", "PrivateLink"], "let blobs be copied inside the tenant only"),
    ("enableHttpsTrafficOnly", [True, None], "leave it on"),
    ("minimumTlsVersion", ["TLS1_2", "TLS1_3"], "take no older version"),
    ("isLocalUserEnabled", [False], "people log in with Entra"),
    ("isSftpEnabled", [False, None], "leave it off; its users have passwords of their own"),
    ("defaultToOAuthAuthentication", [True, None], "leave it on, or out"),
    ("sasPolicy.expirationAction", ["Block"], "block signatures that live longer than the policy says"),
    ("networkRuleSet.bypass", ["None"], "let no service pass the firewall"),
)


def faults(resource: Resource, settings: Settings) -> Iterator[Fault]:
    """Protects the state of machines, which holds secrets, and the leases, on which the quota hangs.

    An account that workflows on GitHub's own machines reach has an open network, because their addresses are not known;
    it is named in the configuration.
    """
    found = resource.properties
    if resource.kind == BLOB_CONTAINER:
        yield from must_be(found, "publicAccess", ["None", None], "let nobody read it without a role")
        return
    for path, wanted, fix in MUST:
        yield from must_be(found, path, wanted, fix)
    if at(found, "accountName") not in settings["reachable"]:
        fix = "let subnets in, or name the account in the configuration of the policy"
        yield from must_be(found, "networkRuleSet.defaultAction", ["Deny"], fix)


POLICY = resource_policy(
    "storage-closed",
    "Storage accounts take Entra identities only, and are closed by default.",
    (STORAGE_ACCOUNT, BLOB_CONTAINER),
    faults,
    Severity.CRITICAL,
    covers=(
        "Azure.Storage.BlobPublicAccess",
        "Azure.Storage.BlobAccessType",
        "Azure.Storage.Firewall",
        "Azure.Storage.LocalAuth",
        "Azure.Storage.MinTLS",
        "Azure.Storage.SecureTransfer",
        "CKV2_AZURE_40",
        "CKV2_AZURE_41",
        "CKV2_AZURE_47",
        "CKV_AZURE_190",
        "CKV_AZURE_244",
        "CKV_AZURE_3",
        "CKV_AZURE_34",
        "CKV_AZURE_35",
        "CKV_AZURE_44",
    ),
    settings={"reachable": {"type": "array", "items": {"type": "string"}, "default": []}},
)
