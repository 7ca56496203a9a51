"""A week of pull requests on the simulated clouds: the days, the schedule of the sweeps, and who watches all the while."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from virtci.core.runners.sweep import Leak
from virtci.fleet.runners.ports import StartFailed
from virtci.fleet.runners.sweep import sweep
from virtci.rehearsal.clock import START
from virtci.rehearsal.runners.diary import Diary, SweepNote
from virtci.rehearsal.runners.invariants import Invariant, Witness
from virtci.rehearsal.runners.neighbours import Neighbours
from virtci.rehearsal.runners.people import People
from virtci.rehearsal.runners.town import Plan, Town, town
from virtci.rehearsal.runners.weather import CALM, Dice, Weather

SWEEP_MINUTES = 10
STEP = timedelta(minutes=5)
AFTERWARDS = timedelta(minutes=30)
"""How often it is looked when only kept machines are left."""
AT_MOST = timedelta(days=2)
"""How long runs may go on after the last day."""
PLAN = Plan(metal={"us-east-1": (96, 0)})
Observer = Callable[["Week"], None]


@dataclass
class Week:
    """The pull requests of some days in a town, and what was seen."""

    town: Town
    seed: int
    days: int
    a_day: int
    leaks: dict[tuple[Leak, str], datetime] = field(default_factory=dict)
    """What sweeps found, once each."""
    restarted: int = 0
    sweeps: int = 0
    sweep_failures: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.neighbours = Neighbours(self.town, self.seed)
        self.witness = Witness(self.town, self.neighbours)
        self.people = People(self.town, self.days, self.a_day, self.witness.stuck)
        self.diary = Diary(self.town)

    def play(self, observe: Observer = lambda _: None) -> "Week":
        """Lets the days pass, one hour more, and then the week for which machines are kept."""
        stage = self.town.stage
        self.neighbours.move_in()
        self.people.come()
        stage.spawn("schedule", self._sweep_for_ever)
        end = START + timedelta(days=self.days)
        while self.people.at_work and stage.now < end + AT_MOST:
            stage.run(stage.now + STEP)
            self.diary.sample()
            self.witness.look()
            observe(self)
        last = max(self.people.last_end, stage.now)
        while stage.now < last + timedelta(days=7, hours=2):
            stage.run(stage.now + AFTERWARDS)
            self.witness.look()
        self.witness.look_at_the_end(item.attempts[-1].path if item.attempts else "?" for item in self.people.lost)
        return self

    @property
    def broken(self) -> dict[Invariant, list[str]]:
        """What did not hold."""
        return {invariant: said for invariant, said in self.witness.broken.items() if said}

    def _sweep_for_ever(self) -> None:
        stage, dice = self.town.stage, self.town.dice
        while True:
            stage.sleep(60 * SWEEP_MINUTES + dice.between(0, 300))
            stage.wait_for(stage.spawn("sweep", self._sweep, kill_at=self.people.deadly(60)))

    def _sweep(self) -> None:
        try:
            swept = sweep(self.town.launcher(), self.town.stage.together)
        except StartFailed as error:
            self.sweep_failures.append(str(error))
            return
        self.sweeps += 1
        found = [(action.leak, action.target) for action in swept.plan.actions if action.leak]
        for leak in found:
            self.leaks.setdefault(leak, self.town.stage.now)
        self.restarted += len(swept.restarted)
        self.sweep_failures += swept.failures
        self.diary.sweeps.append(SweepNote(self.town.stage.now, tuple(f"{leak}: {target}" for leak, target in found)))


def week(seed: int, days: int = 7, a_day: int = 200, weather: Weather | None = None, plan: Plan = PLAN) -> Week:
    """A week in which nothing has happened yet; the same seed gives the same one."""
    return Week(town(Dice(seed, weather or Weather()), plan), seed, days, a_day)


def calm_week(seed: int, days: int = 7, a_day: int = 200) -> Week:
    """One in which nothing goes wrong."""
    return week(seed, days, a_day, CALM)
