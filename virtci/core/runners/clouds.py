"""The clouds of on-demand runners, what a job can ask of a machine, and the unit in which machines are counted."""

from enum import StrEnum

UNIT_VCPUS = 4
"""vCPU of a unit. A lease holds whole units: the smallest machines of both clouds have four."""


class Cloud(StrEnum):
    """A cloud, by its key in `run-ons`."""

    AZURE = "azure"
    EC2 = "ec2"


class Capability(StrEnum):
    """What a job needs of a machine's hypervisor.

    `emulation` and `none` run on every size: the one asks for QEMU without a hypervisor, the other for a machine that
    brings its own (Kontain's KKM) or needs none.
    """

    MSHV = "mshv"
    KVM_NESTED = "kvm-nested"
    KVM_METAL = "kvm-metal"
    EMULATION = "emulation"
    NONE = "none"


class Serves(StrEnum):
    """How long a runner takes jobs: all those of its run that ask for its label, or one."""

    RUN = "run"
    JOB = "job"


def units(vcpus: int) -> int:
    """How many units a machine takes; a part of one is one."""
    return -(-vcpus // UNIT_VCPUS)


def pool(cloud: Cloud, region: str) -> str:
    """The name under which the units of a region are leased."""
    return f"{cloud}-{region}"
