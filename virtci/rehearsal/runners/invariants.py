"""What must hold in every simulated week, looked at from outside: platforms, GitHub and backend are the truth, not records."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from virtci.core.problems import Refusal
from virtci.core.runners.ledger import Entry
from virtci.core.runners.naming import LABEL, STACK
from virtci.core.runners.requests import Phase
from virtci.core.runners.sizes import machine_type
from virtci.fleet.runners import ledger
from virtci.fleet.runners.embedded_leases import KEY
from virtci.fleet.runners.ports import StartFailed
from virtci.rehearsal.runners.diary import waiting_claims
from virtci.rehearsal.runners.hosting import Job
from virtci.rehearsal.runners.neighbours import FOREIGN, HOLDER, Neighbours
from virtci.rehearsal.runners.people import PATIENCE, REPOSITORY
from virtci.rehearsal.runners.platform import Machine, Platform
from virtci.rehearsal.runners.town import Town

SHOWN = 20
"""Sentences that are kept of one broken invariant; further ones are counted."""
HOUR = timedelta(hours=1)
MOMENT = timedelta(minutes=30)
"""For so long two views of one machine may differ: it is being made, stopped or swept."""
STOPPED = timedelta(hours=3)
"""How long a machine may be without its record: a `stop` that died took it, and a sweep ends the machine with its run."""
UNTOLD = timedelta(minutes=3)
"""How long a claim may wait before its record says why."""
WEEK = timedelta(days=7)


class Invariant(StrEnum):
    """A sentence that is true at every moment."""

    QUOTA = "never above the quota, with the reserve left to others"
    RACE = "no deployment refused by quota through runners that race each other"
    ALIVE = "nothing of ours alive one hour after its run ended, kept evidence aside"
    STUCK = "no job stuck without a reason"
    FOREIGN = "nothing that is not ours touched"
    LEDGER = "every machine accounted in the ledger"
    RECORD = "one runner record per live machine"
    KEPT = "kept machines gone a week after the failure"
    CAPABILITY = "no job on a machine without what the job asks for"
    LOST = "no run lost"
    ERRORS = "no launcher ends with an error that is no answer"


@dataclass
class Witness:
    """Looks at a town, and remembers what did not hold."""

    town: Town
    neighbours: Neighbours
    broken: dict[Invariant, list[str]] = field(default_factory=lambda: {item: [] for item in Invariant})
    further: Counter[Invariant] = field(default_factory=Counter)
    _since: dict[tuple[Invariant, timedelta], dict[str, datetime]] = field(default_factory=lambda: defaultdict(dict))

    def __post_init__(self) -> None:
        for platform in self.town.platforms.values():
            self._follow(platform)
        self.town.github.on_begin = self.begins

    @property
    def holds(self) -> bool:
        """Whether every invariant does."""
        return not any(self.broken.values())

    def broke(self, invariant: Invariant, said: str) -> None:
        """Remembers what did not hold."""
        if said in self.broken[invariant]:
            return
        if len(self.broken[invariant]) < SHOWN:
            self.broken[invariant].append(said)
        else:
            self.further[invariant] += 1

    def _follow(self, platform: Platform) -> None:
        platform.on_creation = lambda machine: self.created(platform, machine)
        platform.on_refusal = lambda stack, region: self.refused(platform, stack, region)

    def created(self, platform: Platform, machine: Machine) -> None:
        """A machine was made: everything in its region fits."""
        region, now = machine.region, self.town.stage.now
        limit, reserve = self.town.plan.regions[platform.cloud][region]
        used, ours = platform.used(region), platform.used_by_us(region)
        if used > limit or ours > limit - reserve:
            self.broke(
                Invariant.QUOTA,
                f"{platform.cloud} {region} at {now:%a %H:%M}: {ours} vCPU of ours, {used} in all, of {limit} with "
                f"a reserve of {reserve}",
            )

    def refused(self, platform: Platform, stack: str, region: str) -> None:
        """The quota did not take a machine: somebody else was quicker after its units were leased, or it was us."""
        leases = self.town.objects.found[KEY].document["leases"] if KEY in self.town.objects.found else []
        since = next((datetime.fromisoformat(item["since"]) for item in leases if item["holder"] == stack), None)
        risen = max((item.created for item in platform.others.values() if item.region == region), default=None)
        if since is None or risen is None or risen < since:
            self.broke(
                Invariant.RACE,
                f"{platform.cloud} {region} refused {stack} at {self.town.stage.now:%a %H:%M} with "
                f"{platform.used_by_us(region)} vCPU of ours and {platform.used_by_others(region)} of others",
            )

    def begins(self, job: Job, machine: Machine) -> None:
        """A job begins on a machine that has what it asks for."""
        if not machine_type(machine.cloud, machine.type).offers(job.capability):
            self.broke(Invariant.CAPABILITY, f"a job of {job.run} that asks for {job.capability} ran on {machine.type}")

    def stuck(self, labels: list[str]) -> None:
        """Jobs that got no runner in all that time."""
        self.broke(Invariant.STUCK, f"jobs waited for {PATIENCE}: {', '.join(labels)}")

    def look(self) -> None:
        """Looks at everything."""
        self._lasting(Invariant.ALIVE, self._past_its_run(), HOUR)
        self._lasting(Invariant.STUCK, self._without_reason(), UNTOLD)
        self._lasting(Invariant.RECORD, self._odd_records(), MOMENT)
        self._lasting(Invariant.RECORD, self._without_record(), STOPPED)
        for missed in self.neighbours.missed():
            self.broke(Invariant.FOREIGN, missed)
        for kept in self._kept_too_long():
            self.broke(Invariant.KEPT, kept)

    def look_at_the_end(self, lost: Iterable[str]) -> None:
        """When the last kept machine is gone too: what can only be said of the whole."""
        for left in self._left():
            self.broke(Invariant.ALIVE, f"{left} is left at the end")
        for machine in self._unaccounted():
            self.broke(Invariant.LEDGER, machine)
        for run in lost:
            self.broke(Invariant.LOST, f"the tests of {run} never had their say")
        for process in self.town.stage.errors:
            if not isinstance(process.error, StartFailed | Refusal):
                self.broke(Invariant.ERRORS, f"{process.name}: {process.error!r}")

    def _lasting(self, invariant: Invariant, found: Iterable[str], grace: timedelta) -> None:
        """What is so without a break for longer than a grace does not hold."""
        now, before = self.town.stage.now, self._since[invariant, grace]
        self._since[invariant, grace] = {what: before.get(what, now) for what in found}
        for what, since in self._since[invariant, grace].items():
            if now - since > grace:
                self.broke(invariant, f"{what} (since {since:%a %H:%M})")

    def _past_its_run(self) -> Iterator[str]:
        """What costs or occupies something though its run ended."""
        for cloud, platform in self.town.platforms.items():
            yield from (f"machine {item.stack} on {cloud}" for item in platform.paid() if self._over(item.stack))
        yield from (f"runner {label}" for label in self.town.github.records if self._over(label))
        yield from (f"lease of {holder}" for holder in self.holders() if self._over(holder))

    def _over(self, name: str) -> bool:
        """Whether the run that a stack or a label belongs to is over."""
        found = STACK.fullmatch(name) or LABEL.fullmatch(name)
        runs = self.town.github.runs
        return bool(found) and runs.get(f"{REPOSITORY}/{found['run']}") is not None if found else False

    def holders(self) -> list[str]:
        """Who holds a lease."""
        leases = self.town.objects.found.get(KEY)
        return [item["holder"] for item in leases.document["leases"]] if leases else []

    def _without_reason(self) -> Iterator[str]:
        """Claims and jobs that wait, and of which no record says why."""
        waiting = {job.label: job for job in self.town.github.waiting}
        told: set[str] = set()
        asking = waiting_claims(self.town)
        for key, seen in self.town.objects.found.items():
            if not key.startswith("runners/"):
                continue
            record = seen.document
            if record["phase"] in (Phase.REQUESTED, Phase.LEASED, Phase.CREATED, Phase.PROBED):
                told.add(record["label"])
            if key.partition("/")[2] in asking and record["phase"] == Phase.REQUESTED and not record["why"]:
                yield f"{key} waits and does not say why"
        for label, job in waiting.items():
            if label not in told and self.town.stage.now - job.queued > HOUR:
                yield f"a job of {job.run} waits for {label}, and no machine is on its way"

    def _odd_records(self) -> Iterator[str]:
        """Two machines under one label, a record without a machine."""
        records = self.town.github.records
        live = [item for platform in self.town.platforms.values() for item in platform.paid()]
        labels = Counter(item.tags.label for item in live if not item.tags.keep_until)
        yield from (f"{number} machines under {label}" for label, number in labels.items() if number > 1)
        for label, record in records.items():
            if record.id < FOREIGN and label not in labels:
                yield f"runner {label} has no machine"

    def _without_record(self) -> Iterator[str]:
        """Runners that GitHub has lost."""
        records = self.town.github.records
        for item in [item for platform in self.town.platforms.values() for item in platform.paid()]:
            seen = self.town.objects.found.get(f"runners/{item.stack}")
            online = seen and seen.document["phase"] == Phase.ONLINE and seen.document["serves"] == "run"
            if online and item.tags.label not in records:
                yield f"machine {item.stack} is a runner that GitHub does not have"

    def _kept_too_long(self) -> Iterator[str]:
        """What is there a week after its machine was last paid for; an hour is the sweeps'."""
        for cloud, platform in self.town.platforms.items():
            kept = [*platform.evidence, *(item.stack for item in platform.alive.values() if item.tags.keep_until)]
            if not kept:
                continue
            ended = {item.stack: item.end for item in platform.bill}
            for stack in kept:
                end = ended.get(stack)
                if end and self.town.stage.now - end > WEEK + HOUR:
                    yield f"{stack} on {cloud} is kept since {end:%Y-%m-%d %H:%M}"

    def _left(self) -> Iterator[str]:
        for cloud, platform in self.town.platforms.items():
            yield from (f"machine {stack} on {cloud}" for stack in platform.alive)
            yield from (f"evidence of {stack} on {cloud}" for stack in platform.evidence)
            yield from (f"credential of {slot} on {cloud}" for slot in platform.secrets)
        yield from (f"stack {name}" for name in self.town.backend.stacks if STACK.fullmatch(name))
        yield from (f"runner {label}" for label, item in self.town.github.records.items() if item.id < FOREIGN)
        yield from (f"lease of {holder}" for holder in self.holders() if holder != HOLDER)
        yield from (f"record {key}" for key in self.town.objects.found if key.startswith("runners/"))

    def _unaccounted(self) -> Iterator[str]:
        """Every machine on a bill is in the ledger, from before its beginning to after its end."""
        written: dict[str, list[Entry]] = defaultdict(list)
        for entry in ledger.all_entries(self.town.launcher()):
            written[entry.stack].append(entry)
        for platform in self.town.platforms.values():
            for paid in platform.bill:
                if not any(
                    entry.started <= paid.begin and entry.ended and paid.end and entry.ended >= paid.end
                    for entry in written[paid.stack]
                ):
                    yield f"{paid.stack}: on the bill from {paid.begin} to {paid.end}, not in the ledger"
