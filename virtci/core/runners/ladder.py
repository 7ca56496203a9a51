"""Where a machine may run, best place first, and what is left of that after a failure.

The order is size, zone, region, cloud: the nearest place that may do is tried first. A place never has less than what
the jobs ask for.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from virtci.core.problems import Refusal
from virtci.core.runners.clouds import Capability, Cloud, pool
from virtci.core.runners.failures import Code
from virtci.core.runners.sizes import MachineType, machine_type


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """A region with the types that may be used there; a zone is empty where the platform chooses it."""

    cloud: Cloud
    region: str
    zones: tuple[str, ...]
    types: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Rung:
    """One place for a machine."""

    cloud: Cloud
    region: str
    zone: str
    type: str
    spot: bool = False

    @property
    def pool(self) -> str:
        """The pool that its units are leased from."""
        return pool(self.cloud, self.region)

    @property
    def machine(self) -> MachineType:
        """What it is made of."""
        return machine_type(self.cloud, self.type)

    def __str__(self) -> str:
        zone = f" zone {self.zone}" if self.zone else ""
        return f"{self.type} in {self.cloud} {self.region}{zone}{' (spot)' if self.spot else ''}"


def ladder(capability: Capability, places: Iterable[Place], spot: bool = False) -> tuple[Rung, ...]:
    """The rungs for a capability, in the order of the places. Raises `Refusal` when there is none.

    With `spot`, each machine is tried at the platform's mercy first; where the platform took it back, the next is not.
    """
    found = tuple(_rungs(capability, places, spot))
    if not found:
        raise Refusal(
            f"some machine has the capability {capability}",
            "its jobs would wait for ever",
            "allow a size that has it (virtci/data/sizes.json, aws-types.json), or ask for another capability",
        )
    return found


def _rungs(capability: Capability, places: Iterable[Place], spot: bool) -> Iterable[Rung]:
    for place in places:
        types = [name for name in place.types if _suits(machine_type(place.cloud, name), capability)]
        for zone in place.zones or ("",):
            for name in types:
                for at_mercy in (True, False) if spot else (False,):
                    yield Rung(cloud=place.cloud, region=place.region, zone=zone, type=name, spot=at_mercy)


def _suits(machine: MachineType, capability: Capability) -> bool:
    """A whole host is for who asks for one: it costs as much as two dozen of the other machines."""
    return machine.offers(capability) and machine.metal == (capability is Capability.KVM_METAL)


def remaining(rungs: Sequence[Rung], failed: Rung, code: Code) -> tuple[Rung, ...]:
    """The rungs that may still do after one failed with a code. What would meet the same failure is left out."""
    return tuple(rung for rung in rungs if rung != failed and not _same_fate(rung, failed, code))


def _same_fate(rung: Rung, failed: Rung, code: Code) -> bool:
    same_region = (rung.cloud, rung.region) == (failed.cloud, failed.region)
    match code:
        case Code.QUOTA:
            return same_region and rung.machine.quota == failed.machine.quota and rung.spot == failed.spot
        case Code.CAPACITY:
            return False
        case Code.SPOT_EVICTED:
            return same_region and rung.spot
        case Code.HYPERVISOR_ABSENT:
            return (rung.cloud, rung.type) == (failed.cloud, failed.type)
        case Code.IMAGE | Code.NETWORK:
            return same_region
        case Code.AGENT:
            return rung.cloud is failed.cloud
        case Code.GITHUB | Code.INTERNAL:
            return True
