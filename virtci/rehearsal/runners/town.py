"""The world of a simulated week: clouds, GitHub, Pulumi's backend, leases and records, and launchers that live in it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from virtci.core.runners.clouds import UNIT_VCPUS, Cloud, pool
from virtci.core.runners.ladder import Place
from virtci.core.runners.leases import slot_names
from virtci.core.tags import TagSet
from virtci.fleet.runners.embedded_leases import EmbeddedLeases
from virtci.fleet.runners.launcher import Launcher, Rules
from virtci.fleet.runners.objects import LostRace, Versioned
from virtci.fleet.runners.ports import Limits
from virtci.fleet.waiting import Backoff, Pace
from virtci.rehearsal.runners.backend import Backend
from virtci.rehearsal.runners.hosting import Hosting
from virtci.rehearsal.runners.platform import SYSTEM, Machine, Platform
from virtci.rehearsal.runners.stage import Stage
from virtci.rehearsal.runners.weather import Dice

POLL_SECONDS = 5.0
OBJECT_CALL = 0.1


@dataclass
class MemoryObjects:
    """Objects in memory, with versions, as a blob container has them; every access is a call of its process."""

    stage: Stage
    found: dict[str, Versioned] = field(default_factory=dict)
    writes: int = 0

    @property
    def backoff(self) -> Backoff:
        """Half of the longest pause each time: a week has to be repeatable."""
        return Backoff(self.stage.call, lambda least, most: (least + most) / 2)

    def read(self, key: str) -> Versioned | None:
        """The object, or nothing."""
        self.stage.call(OBJECT_CALL)
        return self.found.get(key)

    def write(self, key: str, document: Mapping[str, Any], version: str | None) -> None:
        """Replaces that version. Raises `LostRace`."""
        self.stage.call(OBJECT_CALL)
        seen = self.found.get(key)
        if (seen.version if seen else None) != version:
            raise LostRace(key)
        self.writes += 1
        self.found[key] = Versioned(dict(document), str(self.writes))

    def delete(self, key: str) -> None:
        """Deletes."""
        self.stage.call(OBJECT_CALL)
        self.found.pop(key, None)

    def keys(self, prefix: str = "") -> list[str]:
        """The keys with a prefix."""
        self.stage.call(OBJECT_CALL)
        return sorted(key for key in self.found if key.startswith(prefix))


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What the clouds have: pools by region with their quota and reserve, and the types that may be used."""

    azure: Mapping[str, tuple[int, int]] = field(default_factory=lambda: {"westus": (48, 0)})
    ec2: Mapping[str, tuple[int, int]] = field(default_factory=lambda: {"us-east-2": (64, 4)})
    azure_types: tuple[str, ...] = ("Standard_D4s_v5", "Standard_D4ds_v5")
    ec2_types: tuple[str, ...] = ("m5.xlarge", "m8i.xlarge", "c8i.xlarge")
    metal: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Regions of EC2 with machines without a hypervisor under them, and nothing else of ours."""
    metal_types: tuple[str, ...] = ("c5.metal",)
    ec2_zones: tuple[str, ...] = ("us-east-2a", "us-east-2b")
    daily_budget_usd: float = 400

    @property
    def regions(self) -> Mapping[Cloud, Mapping[str, tuple[int, int]]]:
        """Quota and reserve (vCPU) of every region."""
        return {Cloud.AZURE: self.azure, Cloud.EC2: {**self.ec2, **self.metal}}


@dataclass
class Town:
    """The clouds and those who act in them."""

    stage: Stage
    dice: Dice
    platforms: Mapping[Cloud, Platform]
    github: Hosting
    backend: Backend
    objects: MemoryObjects
    plan: Plan
    told: list[tuple[str, str]] = field(default_factory=list)

    def launcher(self) -> Launcher:
        """A launcher: each process has its own, and all share the world."""
        places = {
            Cloud.AZURE: tuple(
                Place(cloud=Cloud.AZURE, region=region, zones=(), types=self.plan.azure_types)
                for region in self.plan.azure
            ),
            Cloud.EC2: tuple(
                Place(cloud=Cloud.EC2, region=region, zones=self.plan.ec2_zones, types=self.plan.ec2_types)
                for region in self.plan.ec2
            )
            + tuple(
                Place(cloud=Cloud.EC2, region=region, zones=(), types=self.plan.metal_types)
                for region in self.plan.metal
            ),
        }
        slots = {
            pool(cloud, region): slot_names(region, (limit - reserve) // UNIT_VCPUS)
            for cloud, regions in self.plan.regions.items()
            for region, (limit, reserve) in regions.items()
        }
        return Launcher(
            rules=Rules(
                tags=TagSet(owner="kontain-ci", system=SYSTEM, stack="kontain"),
                labels=(),
                keys=(),
                agent={"version": "2.336.0", "sha256": "0" * 64},
                places=places,
                retention_days=7,
                maximum=timedelta(hours=6),
                daily_budget_usd=self.plan.daily_budget_usd,
            ),
            clouds=dict(self.platforms),
            github=self.github,
            stacks=self.backend,
            leases=EmbeddedLeases(self.objects, slots, lambda: self.stage.now),
            objects=self.objects,
            pace=Pace(lambda: self.stage.now, self.stage.sleep, POLL_SECONDS),
            limits=Limits(),
            observe=lambda about, said: self.told.append((about, said)),
        )


def town(dice: Dice, plan: Plan | None = None) -> Town:
    """A world in which nothing has happened yet."""
    plan = plan or Plan()
    stage = Stage()
    platforms = {
        cloud: Platform(
            cloud,
            stage,
            dice,
            {region: limit for region, (limit, _) in regions.items()},
            dict.fromkeys(regions, 0),
        )
        for cloud, regions in plan.regions.items()
    }
    github = Hosting(stage, dice)
    for platform in platforms.values():
        _connect(platform, github)
    backend = Backend(stage, dice, platforms)
    return Town(stage, dice, platforms, github, backend, MemoryObjects(stage), plan)


def _connect(platform: Platform, github: Hosting) -> None:
    def delivered(machine: Machine) -> None:
        github.comes_online(platform, machine)

    platform.on_delivery = delivered
    platform.on_loss = github.lose
