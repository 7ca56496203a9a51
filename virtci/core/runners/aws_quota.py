"""EC2's quota of On-Demand Standard instances, in vCPU, and what others leave of it.

Source: AWS EC2 User Guide, "Amazon EC2 On-Demand Instance quotas", and Service Quotas, as of 2026-08: an instance counts
with the vCPU of its type while it is pending or running; a stopped one does not, and spot instances have another quota.
"""

import re
from collections.abc import Iterable

from virtci.core.runners.clouds import UNIT_VCPUS

SERVICE, STANDARD_QUOTA = "ec2", "L-1216C47A"
"""`Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances`."""
COUNTED = ("pending", "running")
_STANDARD = re.compile(r"(a|c|d|h|i|im|is|m|r|t|z)\d")


def is_standard(instance_type: str) -> bool:
    """Whether a type counts towards the quota: `im4gn` does, `inf2`, `hpc7a` and `mac2` have others."""
    return bool(_STANDARD.match(instance_type))


def units_left(limit: int, others: Iterable[int]) -> int:
    """The whole units that a limit has beside the vCPU of others."""
    return max(limit - sum(others), 0) // UNIT_VCPUS
