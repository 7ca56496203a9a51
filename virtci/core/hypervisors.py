"""What each hypervisor of an environment asks of its machines.

Sources: the L1VH plan (kernel 6.6 or newer, at least 16 GB a node, only linux/amd64) and the feature lists of
the Azure size pages (nested virtualization).
"""

from dataclasses import dataclass
from enum import StrEnum

from virtci.core.problems import Refusal
from virtci.core.sizes import Size


class Hypervisor(StrEnum):
    """What runs the virtual machines of an environment; not to be confused with the machine's own host."""

    MSHV = "mshv"
    KVM = "kvm"
    EMULATION = "emulation"


@dataclass(frozen=True, slots=True)
class Requirement:
    """The smallest machine on which a hypervisor and the KubeVirt control plane fit."""

    nested_virtualization: bool
    minimum_vcpus: int
    minimum_memory_gib: int


REQUIREMENTS = {
    Hypervisor.MSHV: Requirement(nested_virtualization=True, minimum_vcpus=4, minimum_memory_gib=16),
    Hypervisor.KVM: Requirement(nested_virtualization=True, minimum_vcpus=4, minimum_memory_gib=16),
    Hypervisor.EMULATION: Requirement(nested_virtualization=False, minimum_vcpus=8, minimum_memory_gib=32),
}


def require_fit(hypervisor: Hypervisor, size: Size) -> None:
    """Raises `Refusal` when the hypervisor cannot work on a machine of that size."""
    needed = REQUIREMENTS[hypervisor]
    if needed.nested_virtualization and not size.nested_virtualization:
        raise Refusal(
            f"hypervisor {hypervisor} needs a size with nested virtualization",
            f"the machine boots without /dev/{hypervisor} and every VM start fails",
            "choose a size of a series with nested virtualization, for example Standard_D8s_v5",
        )
    if size.vcpus < needed.minimum_vcpus or size.memory_gib < needed.minimum_memory_gib:
        raise Refusal(
            f"hypervisor {hypervisor} needs at least {needed.minimum_vcpus} vCPU and "
            f"{needed.minimum_memory_gib} GiB; {size.name} has {size.vcpus} and {size.memory_gib:g}",
            "the KubeVirt control plane and one test VM do not fit on the node",
            "choose a larger size",
        )
