"""The four test environments: what each is for, which gate and hypervisor it has, and what it tests.

Source: the environment table of the L1VH CI/CD description. New L1VH tests carry the label `l1hv-new`, tests that
need MSHV carry `mshv`; single-node clusters cannot run migrations.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from virtci.core.hypervisors import Hypervisor


class Environment(StrEnum):
    """A GitHub Environment with the compute behind it; not a Pulumi stack, which can declare several."""

    DEV = "dev"
    TEST_MSHV = "test-mshv"
    TEST_KVM = "test-kvm"
    TEST_EMULATION = "test-emulation"


class Gate(StrEnum):
    """The KubeVirt feature gate for L1VH: the fork's, upstream's, or none.

    KubeVirt takes any string as a gate and ignores unknown ones, so the names are closed here.
    """

    OFF = "off"
    HYPERV_L1VH = "HyperVL1VH"
    CONFIGURABLE_HYPERVISOR = "ConfigurableHypervisor"


class TestScope(StrEnum):
    """Which end-to-end tests an environment runs."""

    NEW = "new"
    EXISTING = "existing"
    ALL = "all"

    __test__ = False


FOCUS = {
    TestScope.NEW: "(l1hv-new)",
    TestScope.EXISTING: "(!l1hv-new && !mshv)",
    TestScope.ALL: "(l1hv-new || !l1hv-new)",
}
SINGLE_NODE = "!sig-compute-migrations"


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One row of the environment table."""

    purpose: str
    gate_allowed: bool
    scope: TestScope
    hypervisor: Hypervisor
    compute: Literal["machine", "cluster"]


ROWS = {
    Environment.DEV: Row(
        purpose="fast feedback on new feature coverage",
        gate_allowed=True,
        scope=TestScope.NEW,
        hypervisor=Hypervisor.MSHV,
        compute="machine",
    ),
    Environment.TEST_MSHV: Row(
        purpose="full suite on the Microsoft hypervisor stack",
        gate_allowed=True,
        scope=TestScope.ALL,
        hypervisor=Hypervisor.MSHV,
        compute="machine",
    ),
    Environment.TEST_KVM: Row(
        purpose="regression of the existing stable end-to-end set",
        gate_allowed=False,
        scope=TestScope.EXISTING,
        hypervisor=Hypervisor.KVM,
        compute="cluster",
    ),
    Environment.TEST_EMULATION: Row(
        purpose="full suite under emulation",
        gate_allowed=False,
        scope=TestScope.ALL,
        hypervisor=Hypervisor.EMULATION,
        compute="machine",
    ),
}


def test_focus(environment: Environment) -> str:
    """The ginkgo label expression of an environment; never empty, because an empty one is a syntax error there."""
    row = ROWS[environment]
    focus = FOCUS[row.scope]
    return f"({focus} && {SINGLE_NODE})" if row.compute == "machine" else focus


test_focus.__test__ = False  # type: ignore[attr-defined]  # pytest asks for it, by the name
