"""What comes before the contents of a cluster: its machine boots, and its nodes are measured."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from virtci.core.environments import ROWS, Environment
from virtci.core.hypervisors import Hypervisor
from virtci.core.problems import Refusal
from virtci.core.readiness import Readiness
from virtci.outputs.check import read
from virtci.outputs.fleet import Target, fleet_of
from virtci.rehearsal.boot.machines import MachineBoot, boot_machine
from virtci.rehearsal.boot.sandbox import Device, RealCluster, unavailable
from virtci.rehearsal.engine import Run
from virtci.rehearsal.programs import path_of
from virtci.rehearsal.world import World, cluster_with
from virtci.settings.models import KubeVirt, Settings

Outputs = Mapping[str, Any]


@dataclass
class Before:
    """What was found before a stack put anything into its cluster."""

    environment: Environment
    boot: MachineBoot | None = None
    not_booted: str = ""
    """Why the machine was not booted; empty for a managed cluster too."""
    readiness: Readiness | None = None


@dataclass
class Preparation:
    """Boots and measures the environment of one stack, on what other stacks deployed before."""

    world: World
    stack: str
    kubevirt: KubeVirt
    stacks: Mapping[str, Settings]
    outputs: Sequence[Outputs]
    """Those of the stacks that were deployed so far."""

    def __post_init__(self) -> None:
        self.found = Before(self.kubevirt.environment)

    @property
    def steps(self) -> tuple[tuple[str, Callable[[], Run]], ...]:
        """The steps in order."""
        if ROWS[self.kubevirt.environment].compute == "cluster":
            return (("readiness", self._measure),)
        return (("boot", self._boot), ("readiness", self._measure))

    def boot(self) -> MachineBoot:
        """Boots the machine; from then on its node answers a probe with what it really has."""
        target = self.target
        machine = target.compute.resource_id
        boot = boot_machine(self.world.azure, machine, target.vault, self._devices(), self._cluster())
        if boot.probe:
            self._show_nodes(boot.probe.hypervisor)
        return boot

    def _boot(self) -> Run:
        if reason := unavailable():
            self.found.not_booted = reason
            return Run("boot", succeeded=True)
        self.found.boot = boot = self.boot()
        return Run("boot", succeeded=boot.succeeded, errors=[boot.trouble] if boot.trouble else [])

    def _measure(self) -> Run:
        """What follows from nodes that are not ready is for the program to say."""
        try:
            self.found.readiness = self.world.measure(self.stack, self.kubevirt)
        except Refusal as refusal:
            return Run("readiness", errors=[f"{refusal.rule}; {refusal.consequence}; fix: {refusal.fix}"])
        return Run("readiness", succeeded=True)

    def _show_nodes(self, found: Hypervisor) -> None:
        wanted = cluster_with(self.kubevirt, self.stack, (found,))
        self.world.clusters[self.stack].kubelets.play(wanted.probes, wanted.stages)

    def _cluster(self) -> RealCluster:
        return RealCluster(self.world.clusters[self.stack].kubeconfig, path_of("kubectl"))

    @property
    def target(self) -> Target:
        """The environment, as the stacks tell of it that were deployed so far."""
        deployed = (read(outputs) for outputs in self.outputs if outputs)
        return fleet_of(deployed).target(self.kubevirt.environment)

    def _devices(self) -> Mapping[str, Device]:
        """The hardware is as the stack files say: tests that are off, are off for want of the device."""
        environment = self.kubevirt.environment
        declared = next(
            item.environments[environment] for item in self.stacks.values() if environment in item.environments
        )
        there = ROWS[environment].hypervisor is Hypervisor.MSHV and declared.tests.enabled
        return {"mshv": "opens"} if there else {}
