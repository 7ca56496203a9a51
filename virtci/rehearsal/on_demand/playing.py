"""The machines of workflow runs on the simulated clouds: each that is there boots in the sandbox, and stays until it is not.

A machine that was off and is turned on again is not played a second time.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from virtci.core.runners.clouds import Cloud
from virtci.core.runners.sizes import machine_type
from virtci.outputs.contract import RunnersPart
from virtci.rehearsal.aws.scenario import Attached
from virtci.rehearsal.azure.store import Record, at
from virtci.rehearsal.boot import agent
from virtci.rehearsal.boot.instances import booted_instance
from virtci.rehearsal.boot.machines import LAUNCHER_PACE, MachineBoot, booted
from virtci.rehearsal.boot.network import Service
from virtci.rehearsal.boot.sandbox import Device
from virtci.rehearsal.world import World

MACHINES = "Microsoft.Compute/virtualMachines"
LOOK_SECONDS = 0.2
LIVING = ("pending", "running")


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine:
    """A machine that the clouds have."""

    id: str
    boot: Callable[[], AbstractContextManager[MachineBoot]]
    is_there: Callable[[], bool]


@dataclass
class Playing:
    """The machines that were seen so far. `boots`: what became of them, in the order in which they came to an end of it."""

    world: World
    part: RunnersPart
    boots: list[MachineBoot] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)
    _threads: dict[str, threading.Thread] = field(default_factory=dict)

    def look(self) -> None:
        """Looks for new machines until it is over."""
        try:
            while not self._over.wait(LOOK_SECONDS):
                for machine in self._machines():
                    if machine.id not in self._threads:
                        self._threads[machine.id] = thread = threading.Thread(target=self._play, args=(machine,))
                        thread.start()
        except Exception as error:
            self.troubles.append(f"machines are not seen any more: {error!r}")
            raise

    def end(self) -> None:
        """Ends all machines that are still there."""
        self._over.set()
        for thread in self._threads.values():
            thread.join()

    def _play(self, machine: Machine) -> None:
        try:
            with machine.boot() as boot:
                self.boots.append(boot)
                while machine.is_there() and not self._over.is_set():
                    time.sleep(LOOK_SECONDS)
        except Exception as error:
            self.troubles.append(f"{machine.id}: {error!r}")

    def _machines(self) -> Iterator[Machine]:
        if self.part.azure:
            vault = self.part.azure.vault.name
            slots = {slot.lower() for place in self.part.azure.regions.values() for slot in place.slots}
            with self.world.azure.store.lock:
                records = list(self.world.azure.store.of_type(MACHINES))
            for record in records:
                if record.id.split("/")[4].lower() in slots and at(record.asked, "properties.osProfile.customData"):
                    yield self._azure_machine(record, vault)
        if self.part.aws and self.world.aws:
            for region in self.part.aws.regions:
                living = [item for item in self.world.aws.cloud.instances(region) if item.state in LIVING]
                yield from (self._instance(self.world.aws, region, item) for item in living)

    def _azure_machine(self, record: Record, vault: str) -> Machine:
        store, azure = self.world.azure.store, self.world.azure
        size = machine_type(Cloud.AZURE, at(record.asked, "properties.hardwareProfile.vmSize"))
        devices = _devices(nested=size.nested_virtualization)
        boot = partial(
            booted, azure, record.id, vault, self._agents(), distribution="ubuntu", devices=devices, pace=LAUNCHER_PACE
        )
        return Machine(id=record.id, boot=boot, is_there=lambda: store.get(record.id) is record)

    def _instance(self, aws: Attached, region: str, instance: Any) -> Machine:
        nested = (instance.cpu_options or {}).get("NestedVirtualization") == "enabled"
        devices = _devices(nested=nested or machine_type(Cloud.EC2, instance.instance_type).metal)
        slot = next(tag["value"] for tag in instance.get_tags() if tag["key"] == "slot")
        boot = partial(booted_instance, aws, region, instance, slot, self._agents(), devices)
        return Machine(id=instance.id, boot=boot, is_there=lambda: instance.state in LIVING)

    def _agents(self) -> Service:
        version = self.part.agent.version
        return Service(agent.HOSTS, agent.handler(self.world.github, {version: agent.archive(version)}))


@contextmanager
def playing(world: World, part: RunnersPart) -> Iterator[Playing]:
    """Plays the machines of a stack with on-demand runners until the block ends."""
    found = Playing(world, part)
    watch = threading.Thread(target=found.look)
    watch.start()
    try:
        yield found
    finally:
        found.end()
        watch.join()


def _devices(*, nested: bool) -> Mapping[str, Device]:
    return {"kvm": "opens"} if nested else {}
