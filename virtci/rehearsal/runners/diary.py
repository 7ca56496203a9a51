"""What a simulated week looked like, moment by moment: vCPU in use in each pool, who waits, and when sweeps came."""

from dataclasses import dataclass, field
from datetime import datetime

from virtci.core.runners.clouds import pool
from virtci.core.runners.tickets import FORGOTTEN
from virtci.fleet.runners.embedded_leases import KEY
from virtci.rehearsal.runners.town import Town


@dataclass(frozen=True, slots=True)
class Use:
    """vCPU of a pool."""

    ours: int
    others: int


@dataclass(frozen=True, slots=True)
class Moment:
    """One look: vCPU by pool, and how many machines are waited for."""

    at: datetime
    used: dict[str, Use]
    waiting: int


@dataclass(frozen=True, slots=True)
class SweepNote:
    """A sweep, and the leaks that it found."""

    at: datetime
    leaks: tuple[str, ...]


@dataclass
class Diary:
    """Everything that was noted."""

    town: Town
    moments: list[Moment] = field(default_factory=list)
    sweeps: list[SweepNote] = field(default_factory=list)

    def sample(self) -> None:
        """Notes how things are now."""
        used = {
            pool(cloud, region): Use(platform.used_by_us(region), platform.used_by_others(region))
            for cloud, platform in self.town.platforms.items()
            for region in platform.limits
        }
        self.moments.append(Moment(self.town.stage.now, used, len(waiting_claims(self.town))))


def waiting_claims(town: Town) -> set[str]:
    """The machines that somebody asked for within the last minutes, and has no units for."""
    seen = town.objects.found.get(KEY)
    queue = seen.document["queue"] if seen else []
    return {item["holder"] for item in queue if town.stage.now - datetime.fromisoformat(item["asked"]) < FORGOTTEN}
