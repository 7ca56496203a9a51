"""Network interfaces: accelerated where the machine's size can."""

from collections.abc import Iterator

from pulumi_policy import Severity

from policies.common import Fault, Fleet, Settings, at, must_be, stack_policy
from policies.kinds import INTERFACE
from virtci.core.inventory import MACHINE
from virtci.core.problems import Refusal
from virtci.core.sizes import size


def faults(fleet: Fleet, _: Settings) -> Iterator[Fault]:
    """Protects test times, and creation itself: newer sizes require it. An unknown size is a matter of the quota rule."""
    for machine in fleet.of(MACHINE):
        try:
            accelerated = size(str(at(machine.properties, "hardwareProfile.vmSize"))).accelerated_networking
        except Refusal:
            continue
        if accelerated:
            for interface in fleet.sources(machine, "networkProfile", INTERFACE):
                fix = "take it from the table of sizes, as components.machine does"
                for fault in must_be(interface.properties, "enableAcceleratedNetworking", [True], fix):
                    yield Fault(fault.observed, fault.rule, fault.fix, interface)


POLICY = stack_policy(
    "nic-accelerated",
    "Interfaces of machines are accelerated where the size supports it.",
    faults,
    Severity.LOW,
    covers=("Azure.VM.AcceleratedNetworking",),
)
