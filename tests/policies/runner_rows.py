"""What rules on single resources of on-demand runners find, and what they let pass."""

from policies.kinds import BLOB_CONTAINER, GALLERY, GALLERY_IMAGE, GROUP, STORAGE_ACCOUNT
from tests.policies.good import ABSENT
from tests.policies.harness import UNKNOWN
from tests.policies.rows import Row
from virtci.core.inventory import MACHINE

FEATURE = "features.0"
INTERFACE = "networkProfile.networkInterfaces.0.deleteOption"
PATTERNS = {"allowed": {"owner": ["team"], "system": ["l1vh"], "environment": ["dev"], "stack": ["run-azure-*"]}}

ROWS = [
    Row("storage-closed", STORAGE_ACCOUNT, "fail", {"allowSharedKeyAccess": True}, "allowSharedKeyAccess is true"),
    Row("storage-closed", STORAGE_ACCOUNT, "fail", {"allowBlobPublicAccess": True}, "allowBlobPublicAccess is true"),
    Row("storage-closed", STORAGE_ACCOUNT, "fail", {"allowCrossTenantReplication": True}, "allowCrossTenantReplication is true"),
    Row("storage-closed", STORAGE_ACCOUNT, "fail", {"enableHttpsTrafficOnly": False}, "enableHttpsTrafficOnly is false"),
    Row("storage-closed", STORAGE_ACCOUNT, "fail", {"minimumTlsVersion": "TLS1_1"}, "minimumTlsVersion is `TLS1_1`"),
    Row("storage-closed", STORAGE_ACCOUNT, "fail", {"isLocalUserEnabled": True}, "isLocalUserEnabled is true"),
    Row("storage-closed", STORAGE_ACCOUNT, "fail", {"isSftpEnabled": True}, "isSftpEnabled is true"),
    Row("storage-closed", STORAGE_ACCOUNT, "fail", {"defaultToOAuthAuthentication": False}, "defaultToOAuthAuthentication is false"),
    Row("storage-closed", STORAGE_ACCOUNT, "fail", {"sasPolicy.expirationAction": "Log"}, "expirationAction is `Log`"),
    Row("storage-closed", STORAGE_ACCOUNT, "fail", {"networkRuleSet.bypass": "AzureServices"}, "bypass is `AzureServices`"),
    Row("storage-closed", STORAGE_ACCOUNT, "fail", {"networkRuleSet.defaultAction": "Allow"}, "defaultAction is `Allow`"),
    Row("storage-closed", STORAGE_ACCOUNT, "pass", {"minimumTlsVersion": "TLS1_3", "allowedCopyScope": "PrivateLink"}),
    Row("storage-closed", STORAGE_ACCOUNT, "missing", {"allowSharedKeyAccess": ABSENT}, "allowSharedKeyAccess is absent"),
    Row("storage-closed", STORAGE_ACCOUNT, "missing", {"isLocalUserEnabled": ABSENT}, "isLocalUserEnabled is absent"),
    Row("storage-closed", STORAGE_ACCOUNT, "missing", {"allowedCopyScope": ABSENT}, "allowedCopyScope is absent"),
    Row("storage-closed", STORAGE_ACCOUNT, "missing", {"networkRuleSet": ABSENT}, "defaultAction is absent"),
    Row("storage-closed", STORAGE_ACCOUNT, "unknown", {"networkRuleSet": UNKNOWN}, "defaultAction is not known"),
    Row("storage-closed", STORAGE_ACCOUNT, "unknown", {"allowSharedKeyAccess": UNKNOWN}, "allowSharedKeyAccess is not known"),
    Row("storage-closed", STORAGE_ACCOUNT, "configuration", {"networkRuleSet.defaultAction": "Allow"}, "", {"reachable": ["fleetstate"]}),
    Row("storage-closed", STORAGE_ACCOUNT, "configuration", {"networkRuleSet.defaultAction": "Allow"}, "is `Allow`", {"reachable": ["other"]}),
    Row("storage-closed", STORAGE_ACCOUNT, "configuration", {"allowSharedKeyAccess": True}, "is true", {"reachable": ["fleetstate"]}),
    Row("storage-closed", BLOB_CONTAINER, "fail", {"publicAccess": "Blob"}, "publicAccess is `Blob`"),
    Row("storage-closed", BLOB_CONTAINER, "missing", {"publicAccess": ABSENT}),
    Row("storage-closed", BLOB_CONTAINER, "unknown", {"publicAccess": UNKNOWN}, "publicAccess is not known"),
    Row("gallery-image-standard", GALLERY_IMAGE, "fail", {"features": [{"name": "SecurityType", "value": "TrustedLaunch"}]},
        "feature `SecurityType` is `TrustedLaunch`"),
    Row("gallery-image-standard", GALLERY_IMAGE, "fail", {"features": [{"name": "SecurityType", "value": "TrustedLaunchSupported"}]},
        "feature `SecurityType` is"),
    Row("gallery-image-standard", GALLERY_IMAGE, "fail", {"osState": "Specialized"}, "osState is `Specialized`"),
    Row("gallery-image-standard", GALLERY_IMAGE, "fail", {"osType": "Windows"}, "osType is `Windows`"),
    Row("gallery-image-standard", GALLERY_IMAGE, "fail", {"hyperVGeneration": "V1"}, "hyperVGeneration is `V1`"),
    Row("gallery-image-standard", GALLERY_IMAGE, "missing", {"hyperVGeneration": ABSENT}, "hyperVGeneration is absent"),
    Row("gallery-image-standard", GALLERY_IMAGE, "pass", {"features": [{"name": "SecurityType", "value": "Standard"}]}),
    Row("gallery-image-standard", GALLERY_IMAGE, "pass", {"features": [{"name": "DiskControllerTypes", "value": "SCSI, NVMe"}]}),
    Row("gallery-image-standard", GALLERY_IMAGE, "unknown", {"features": UNKNOWN}, "feature not known before the deployment"),
    Row("gallery-image-standard", GALLERY_IMAGE, "unknown", {"features": [{"name": "SecurityType", "value": UNKNOWN}]},
        "feature `SecurityType` is not known"),
    Row("names-legal", STORAGE_ACCOUNT, "fail", {"accountName": "fleet-state"}, "accountName is `fleet-state`"),
    Row("names-legal", BLOB_CONTAINER, "fail", {"containerName": "re--cords"}, "containerName is `re--cords`"),
    Row("names-legal", GALLERY, "fail", {"galleryName": "fleet-images"}, "galleryName is `fleet-images`"),
    Row("names-legal", GALLERY_IMAGE, "missing", {"galleryImageName": ABSENT}, "galleryImageName is absent"),
    Row("tagging", GROUP, "configuration", {"tags.stack": "run-azure-1-1-1"}, "", PATTERNS),
    Row("tagging", GROUP, "configuration", {"tags.stack": "kontain"}, "tag `stack` is `kontain`; allowed: run-azure-*", PATTERNS),
    Row("vm-delete-with-machine", MACHINE, "configuration", {}, "deleteOption is `Detach`", {"interfaces": "Delete"}),
    Row("vm-delete-with-machine", MACHINE, "configuration", {INTERFACE: "Delete"}, "", {"interfaces": "Delete"}),
]  # fmt: skip
