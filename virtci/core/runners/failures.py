"""Why a machine did not come up, as one of a few codes; none of them says anything about the code under test.

Sources of the platforms' codes: azure-docs, "Troubleshoot Azure VM deployment" (allocation, quota, SKU not available);
AWS EC2 API Reference, "Error codes"; both as of 2026-08.
"""

from enum import StrEnum


class Code(StrEnum):
    """What stopped a start."""

    QUOTA = "QUOTA"
    CAPACITY = "CAPACITY"
    IMAGE = "IMAGE"
    NETWORK = "NETWORK"
    AGENT = "AGENT"
    HYPERVISOR_ABSENT = "HYPERVISOR_ABSENT"
    SPOT_EVICTED = "SPOT_EVICTED"
    GITHUB = "GITHUB"
    INTERNAL = "INTERNAL"

    @property
    def meaning(self) -> str:
        """The code in a sentence."""
        return MEANINGS[self]


MEANINGS = {
    Code.QUOTA: "the platform's quota did not take the machine",
    Code.CAPACITY: "the platform has no such machine at the moment",
    Code.IMAGE: "the image is missing or does not boot",
    Code.NETWORK: "the machine could not be reached, or reach what it needs",
    Code.AGENT: "GitHub's agent could not be installed or started",
    Code.HYPERVISOR_ABSENT: "the machine does not have the hypervisor that was asked for",
    Code.SPOT_EVICTED: "the platform took the machine back",
    Code.GITHUB: "GitHub did not register the runner",
    Code.INTERNAL: "the launcher failed; the run of its job has the trace",
}

# The longest code that a message contains decides: `ZonalAllocationFailed` before `AllocationFailed`.
PLATFORM_CODES = {
    "QuotaExceeded": Code.QUOTA,
    "OperationNotAllowed": Code.QUOTA,
    "VcpuLimitExceeded": Code.QUOTA,
    "InstanceLimitExceeded": Code.QUOTA,
    "MaxSpotInstanceCountExceeded": Code.QUOTA,
    "AllocationFailed": Code.CAPACITY,
    "ZonalAllocationFailed": Code.CAPACITY,
    "OverconstrainedAllocationRequest": Code.CAPACITY,
    "OverconstrainedZonalAllocationRequest": Code.CAPACITY,
    "SkuNotAvailable": Code.CAPACITY,
    "InsufficientInstanceCapacity": Code.CAPACITY,
    "InsufficientCapacity": Code.CAPACITY,
    "Unsupported": Code.CAPACITY,
    "GalleryImageNotFound": Code.IMAGE,
    "PlatformImageNotFound": Code.IMAGE,
    "ImageNotFound": Code.IMAGE,
    "InvalidAMIID": Code.IMAGE,
    "OSProvisioningTimedOut": Code.IMAGE,
    "OSProvisioningClientError": Code.IMAGE,
    "SubnetIsFull": Code.NETWORK,
    "InsufficientFreeAddressesInSubnet": Code.NETWORK,
    "InvalidSubnetID": Code.NETWORK,
    "SpotEvicted": Code.SPOT_EVICTED,
}


def classified(message: str) -> Code:
    """The code of what a platform said; `INTERNAL` for what is not known."""
    found = [name for name in PLATFORM_CODES if name in message]
    return PLATFORM_CODES[max(found, key=len)] if found else Code.INTERNAL
