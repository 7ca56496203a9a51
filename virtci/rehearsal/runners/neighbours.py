"""Those who share clouds, GitHub and backend with the runners: their things have names like ours, and come and go.

They keep a book of what is theirs. Whoever else changes it is found by comparing the book with the world.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial

from virtci.core.lifetimes import Lifetime
from virtci.core.runners import tickets
from virtci.core.runners.clouds import Cloud, Serves
from virtci.core.runners.leases import Lease
from virtci.core.runners.substrate import ENVIRONMENT
from virtci.core.runners.tags import KEPT_UNTIL
from virtci.core.tags import TagSet, tags
from virtci.fleet.runners.embedded_leases import KEY
from virtci.fleet.runners.objects import Document, update
from virtci.rehearsal.clock import START
from virtci.rehearsal.runners.backend import Kept
from virtci.rehearsal.runners.hosting import Runner
from virtci.rehearsal.runners.platform import Other, Platform
from virtci.rehearsal.runners.town import Town
from virtci.rehearsal.runners.weather import CALM, Dice

BUILD_VCPUS = 4
BUILD_MINUTES = 40
PAUSE_HOURS = (2.0, 7.0)
STACKS = ("hub", "dev", "run-azure-nightly", "run-gcp-991-1-1", "runs")
RUNNERS = ("azure-runner-KM-CI-Pipeline-1279", "virt-ci-gcp-1-1-1-0123abcd", "virt-ci-azure-7")
HOLDER, POOL = "run-azure-of-others", "azure-of-others"
FOREIGN = 1_000_000
"""GitHub's numbers of the runners of others begin here."""


@dataclass
class Neighbours:
    """Others, and their book: what is theirs in each place, by name."""

    town: Town
    seed: int
    books: dict[Cloud, dict[str, Other]] = field(default_factory=dict)
    runners: dict[str, int] = field(default_factory=dict)
    builds: int = 0
    """Image builds that got their machine."""

    def move_in(self) -> None:
        """Puts up what stays, and lets the rest come and go."""
        self.books = {cloud: {} for cloud in Cloud}
        for number, name in enumerate(RUNNERS, FOREIGN):
            self.runners[name] = number
            self.town.github.records[name] = Runner(number, name, Serves.RUN)
        for name in STACKS:
            self.town.backend.stacks[name] = Kept(Cloud.AZURE, self.town.stage.now)
        for cloud, platform in self.town.platforms.items():
            for region in platform.limits:
                self._own(platform, self._snapshot(platform, region))
            dice = Dice(self.seed + len(cloud), CALM)
            self.town.stage.spawn(f"image builds on {cloud}", partial(self._build, dice, platform))
        self.town.stage.spawn("somebody else's lease", self._hold)

    def missed(self) -> Iterator[str]:
        """What is theirs, and is not as they left it."""
        for cloud, book in self.books.items():
            found = self.town.platforms[cloud].others
            yield from (f"{cloud}: {name} of others" for name, item in book.items() if found.get(name) != item)
        for name, number in self.runners.items():
            record = self.town.github.records.get(name)
            if record is None or record.id != number:
                yield f"GitHub: runner {name} of others"
        yield from (f"backend: stack {name} of others" for name in STACKS if name not in self.town.backend.stacks)
        leases = self.town.objects.found.get(KEY)
        holders = {item["holder"] for item in leases.document["leases"]} if leases else set()
        if HOLDER not in holders and self.town.stage.now - START > timedelta(minutes=1):
            yield f"leases: {HOLDER}"

    def _own(self, platform: Platform, item: Other) -> None:
        platform.others[item.id] = self.books[platform.cloud][item.id] = item

    def _snapshot(self, platform: Platform, region: str) -> Other:
        """A snapshot of this project's, of another system: only one tag tells it from ours."""
        shared = TagSet(owner="somebody-else", system="another", stack="another")
        stack = f"run-{platform.cloud}-4711-1-1"
        theirs = tags(shared, ENVIRONMENT, Lifetime.RUN_SCOPED) | _like_ours(stack, platform.cloud)
        theirs[KEPT_UNTIL] = theirs["deadline"]
        return Other(
            id=f"{stack}-{region}", region=region, vcpus=0, tags=theirs, created=self.town.stage.now, snapshot=True
        )

    def _build(self, dice: Dice, platform: Platform) -> None:
        """An image is built now and then, on a machine of which nobody tells the launchers."""
        stage = self.town.stage
        while True:
            stage.sleep(3600 * dice.between(*PAUSE_HOURS))
            region = next(iter(platform.limits))
            if platform.used(region) + BUILD_VCPUS > platform.limits[region]:
                continue
            self.builds += 1
            name = f"run-{platform.cloud}-{self.builds}-1-1"
            machine = Other(
                id=name,
                region=region,
                vcpus=BUILD_VCPUS,
                tags={"managed-by": "packer", **_like_ours(name, platform.cloud)},
                created=stage.now,
            )
            self._own(platform, machine)
            stage.sleep(60 * BUILD_MINUTES)
            self.books[platform.cloud].pop(name)
            platform.others.pop(name, None)
            snapshot = replace(machine, id=f"{name}-image", vcpus=0, snapshot=True)
            self._own(platform, snapshot)

    def _hold(self) -> None:
        """A lease in the same store, whose holder is heard of."""
        while True:
            update(self.town.objects, KEY, self._renewed)
            self.town.stage.sleep(300)

    def _renewed(self, document: Document | None) -> tuple[Document, None]:
        state = tickets.from_document(document) if document else tickets.State()
        now = self.town.stage.now
        mine = Lease(holder=HOLDER, pool=POOL, slots=("theirs",), since=now, heartbeat=now)
        others = tuple(lease for lease in state.leases if lease.holder != HOLDER)
        return tickets.to_document(tickets.State((*others, mine), state.queue)), None


def _like_ours(stack: str, cloud: Cloud) -> dict[str, str]:
    return {
        "stack": stack,
        "run": "somebody/else/4711/1",
        "label": f"virt-ci-{cloud}-4711-1-1-0123abcd",
        "slot": "auto-runner-theirs-01",
        "deadline": "2026-01-01T00:00:00Z",
    }
