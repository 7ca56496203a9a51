"""Azure and EC2 as far as on-demand machines meet them: quota, capacity, boots, evictions, what is kept, what it counts.

Rules: Azure counts the vCPU of every machine that exists, deallocated ones too (azure-compute-docs, quotas.md), EC2 those
that run (AWS EC2 user guide, On-Demand Instance quotas). A slot has room for one machine. Machines and snapshots of others
are there too, with names like ours and without our tags.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from virtci.core.runners.aws import session
from virtci.core.runners.clouds import UNIT_VCPUS, Cloud
from virtci.core.runners.failures import Code, classified
from virtci.core.runners.ladder import Rung
from virtci.core.runners.sizes import machine_type
from virtci.core.runners.substrate import region_of_slot, require_entry
from virtci.core.runners.sweep import SeenMachine
from virtci.core.runners.tags import FORMAT, RunTags, read_run_tags
from virtci.fleet.runners.ports import BootReport, Credential, StartFailed, Unanswered
from virtci.rehearsal.runners.stage import Stage
from virtci.rehearsal.runners.weather import Dice

READ, WRITE = 0.3, 0.8
"""Seconds that a call takes."""
CREATE = {Cloud.AZURE: 35.0, Cloud.EC2: 12.0}
DELETE = {Cloud.AZURE: 40.0, Cloud.EC2: 8.0}
BOOT = 55.0
AGENT = 12.0
LIFE = (30.0, 2400.0)
"""Seconds within which a machine that is going to be lost is lost."""
SYSTEM = "kontain"
"""The system whose machines are ours."""


class State(StrEnum):
    """The state of a machine as the platform shows it."""

    RUNNING = "running"
    STOPPED = "stopped"


@dataclass(kw_only=True)
class Machine:
    """A machine; `fate` is what its boot will come to, `silent` one of which nothing is ever heard."""

    cloud: Cloud
    stack: str
    type: str
    region: str
    slot: str
    created: datetime
    spot: bool
    tags: RunTags
    fate: Code | None
    silent: bool
    state: State = State.RUNNING

    @property
    def vcpus(self) -> int:
        """Its vCPU."""
        return machine_type(self.cloud, self.type).vcpus


@dataclass(frozen=True, kw_only=True, slots=True)
class Paid:
    """A machine as the platform's bill has it."""

    stack: str
    vcpus: int
    begin: datetime
    end: datetime | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """A snapshot of a failed machine, with its tags."""

    id: str
    tags: RunTags
    created: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Other:
    """A machine or a snapshot of somebody else; `snapshot`: it takes no vCPU."""

    id: str
    region: str
    vcpus: int
    tags: Mapping[str, str]
    created: datetime
    snapshot: bool = False


@dataclass
class Platform:
    """One cloud. `limits` is its vCPU quota by region, `foreign` what others use of it beside `others`."""

    cloud: Cloud
    stage: Stage
    dice: Dice
    limits: Mapping[str, int]
    foreign: dict[str, int]
    entry: str = ""
    """The range from which people log in; empty: nobody does."""
    alive: dict[str, Machine] = field(default_factory=dict)
    evidence: dict[str, Evidence] = field(default_factory=dict)
    secrets: dict[str, Credential] = field(default_factory=dict)
    others: dict[str, Other] = field(default_factory=dict)
    refused_by_quota: int = 0
    most_vcpus: dict[str, int] = field(default_factory=dict)
    most_of_ours: dict[str, int] = field(default_factory=dict)
    """The most vCPU at once by region: of everybody, and of the runners alone."""
    bill: list[Paid] = field(default_factory=list)
    on_delivery: Callable[[Machine], None] = lambda _: None
    """What a machine does that finds a credential."""
    on_loss: Callable[[Machine], None] = lambda _: None
    """What follows when a machine is no more, or off."""
    on_creation: Callable[[Machine], None] = lambda _: None
    on_refusal: Callable[[str, str], None] = lambda _stack, _region: None
    """Who watches is told of the stack whose machine the quota did not take, and its region."""
    _open: dict[str, int] = field(default_factory=dict)

    @property
    def frees_by_deletion(self) -> bool:
        """Azure counts machines that are off."""
        return self.cloud is Cloud.AZURE

    def room(self, rung: Rung) -> int:
        """Units of the region that others leave."""
        self._call(READ)
        return (self.limits[rung.region] - self.used_by_others(rung.region)) // UNIT_VCPUS

    def image(self, region: str) -> str:
        """The promoted version."""
        self._call(READ)
        return f"L0BaseImage/{region}/2026.01.1"

    def place(self, rung: Rung) -> Mapping[str, str]:
        """The subnet of a region."""
        return {"subnet": f"{rung.region}{rung.zone}"}

    def machines(self) -> list[SeenMachine]:
        """Machines and evidence of ours, as they are."""
        self._call(READ)
        found = [
            SeenMachine(
                cloud=self.cloud,
                id=item.stack,
                tags=item.tags,
                created=item.created,
                holds_vcpus=self.counts(item),
            )
            for item in self.alive.values()
        ]
        kept = [
            SeenMachine(
                cloud=self.cloud,
                id=item.id,
                tags=item.tags,
                created=item.created,
                holds_vcpus=False,
                in_stack=False,
            )
            for item in self.evidence.values()
        ]
        return found + kept + [seen for item in self.others.values() if (seen := self._taken_for_ours(item))]

    def boot(self, stack: str, slot: str) -> BootReport | None:
        """What the machine tells of its boot."""
        self._call(READ)
        machine = self.alive.get(stack)
        if (
            machine is None
            or machine.silent
            or machine.slot != slot
            or self.stage.now < machine.created + _seconds(BOOT)
        ):
            return None
        if machine.fate:
            return BootReport(stage="failed", at=self.stage.now, probed=False, failure=machine.fate, reason="rehearsed")
        return BootReport(stage="waits", at=self.stage.now, probed=True)

    def state(self, stack: str, slot: str) -> str:
        """The state of a machine."""
        self._call(READ)
        machine = self.alive.get(stack)
        return machine.state.value if machine and machine.slot == slot else "absent"

    def deliver(self, slot: str, credential: Credential) -> None:
        """A credential for the machine of a slot."""
        self._call(WRITE)
        self.secrets[slot] = credential
        for machine in self.alive.values():
            if machine.slot == slot and machine.state is State.RUNNING and not machine.silent:
                self.on_delivery(machine)

    def withdraw(self, slot: str) -> None:
        """No credential any more."""
        self._call(WRITE)
        self.secrets.pop(slot, None)

    def keep(self, stack: str, slot: str, tags: RunTags) -> None:
        """Evidence of a machine: a snapshot on Azure, the stopped instance on EC2."""
        self._call(WRITE)
        machine = self.alive.get(stack)
        if machine is None or machine.slot != slot:
            return
        machine.tags = tags
        self._call(self.dice.around(60))
        if self.cloud is Cloud.AZURE:
            self.evidence.setdefault(stack, Evidence(f"{stack}-os", tags, self.stage.now))
        elif machine.state is State.RUNNING:
            machine.state = State.STOPPED
            self._over(machine)

    def revive(self, stack: str, slot: str, tags: RunTags) -> Mapping[str, str]:
        """The kept instance of EC2, turned on in another slot; the snapshot in Azure. Raises `StartFailed`."""
        self._call(WRITE)
        if self.frees_by_deletion and stack in self.evidence:
            return {"snapshot": self.evidence[stack].id}
        machine = self.alive.get(stack)
        if self.frees_by_deletion or machine is None:
            raise StartFailed(Code.CAPACITY, f"nothing of {stack} is left, which was in {slot}")
        machine.tags, machine.slot = tags, tags.slot
        if machine.state is State.STOPPED:
            self._admit(stack, machine.region, machine.vcpus)
            machine.state = State.RUNNING
            self._begins(machine)
        return {}

    def discard(self, machine: SeenMachine) -> None:
        """Deletes evidence."""
        self._call(WRITE)
        self.evidence.pop(machine.tags.stack, None)
        self.others.pop(machine.id, None)

    def login(self, machine: SeenMachine, user: str) -> Sequence[str]:
        """Session Manager in EC2; in Azure what the real one says. Raises `Refusal`."""
        self._call(READ)
        region = region_of_slot(machine.tags.slot) or ""
        if self.cloud is Cloud.EC2:
            return session(region, machine.id, user)
        require_entry(region, self.entry, machine.tags.stack)
        return ("ssh", f"{user}@10.70.0.4")

    def create(self, stack: str, declared: Mapping[str, Any], tags: RunTags) -> None:
        """Makes the machine of a stack. Raises `StartFailed` as the platform would refuse."""
        region, kind = declared["region"], machine_type(self.cloud, declared["size"])
        self._call(WRITE)
        if stack in self.alive:
            self.alive[stack].tags = tags
            return
        if any(item.slot == declared["slot"] for item in self.alive.values() if self.counts(item)):
            raise AssertionError(f"two machines in slot {declared['slot']}")
        self._admit(stack, region, kind.vcpus)
        if self.dice.happens("capacity"):
            self._refuse("ZonalAllocationFailed" if self.cloud is Cloud.AZURE else "InsufficientInstanceCapacity")
        machine = Machine(
            stack=stack,
            cloud=self.cloud,
            type=kind.name,
            region=region,
            slot=declared["slot"],
            created=self.stage.now,
            spot=declared["spot"],
            tags=tags,
            fate=self._fate(),
            silent="revive" in declared or self.dice.happens("never_online"),
        )
        self.alive[stack] = machine
        self._begins(machine)
        self._doom(machine)
        self._call(self.dice.around(CREATE[self.cloud]))

    def _admit(self, stack: str, region: str, vcpus: int) -> None:
        """Refuses what is above the quota."""
        if self.used(region) + vcpus > self.limits[region]:
            self.refused_by_quota += 1
            self.on_refusal(stack, region)
            self._refuse(
                "OperationNotAllowed: the limit of the region is reached"
                if self.frees_by_deletion
                else "VcpuLimitExceeded"
            )

    def _begins(self, machine: Machine) -> None:
        """From now on a machine is paid."""
        region = machine.region
        self._open[machine.stack] = len(self.bill)
        self.bill.append(Paid(stack=machine.stack, vcpus=machine.vcpus, begin=self.stage.now))
        self.most_vcpus[region] = max(self.most_vcpus.get(region, 0), self.used(region))
        self.most_of_ours[region] = max(self.most_of_ours.get(region, 0), self.used_by_us(region))
        self.on_creation(machine)

    def delete(self, stack: str) -> None:
        """Takes a machine away; what is gone already is a success."""
        self._call(WRITE)
        self.others.pop(stack, None)
        if stack not in self.alive:
            return
        self._call(self.dice.around(DELETE[self.cloud]))
        if machine := self.alive.pop(stack, None):
            self._over(machine)

    def vanish(self, stack: str) -> None:
        """A machine that the platform loses, or, where it is a spot machine, takes back: both clouds delete ours then."""
        if machine := self.alive.pop(stack, None):
            self._over(machine)

    def counts(self, machine: Machine) -> bool:
        """Whether a machine counts towards the quota."""
        return self.frees_by_deletion or machine.state is State.RUNNING

    def used(self, region: str) -> int:
        """VCPU that count towards the quota of a region."""
        return self.used_by_us(region) + self.used_by_others(region)

    def used_by_us(self, region: str) -> int:
        """VCPU of our machines in a region, as far as they count."""
        return sum(item.vcpus for item in self.alive.values() if item.region == region and self.counts(item))

    def used_by_others(self, region: str) -> int:
        """VCPU of everybody else's."""
        return self.foreign[region] + sum(item.vcpus for item in self.others.values() if item.region == region)

    def paid(self) -> list[Machine]:
        """The machines that cost money now."""
        return [machine for machine in self.alive.values() if machine.state is State.RUNNING]

    def _fate(self) -> Code | None:
        if self.dice.happens("hypervisor_absent"):
            return Code.HYPERVISOR_ABSENT
        return Code.AGENT if self.dice.happens("agent_broken") else None

    def _doom(self, machine: Machine) -> None:
        """Decides whether the platform takes a machine away, and lets it happen later."""
        if not (machine.spot and self.dice.happens("spot_evicted")) and not self.dice.happens("vanishes"):
            return

        def work() -> None:
            if self.alive.get(machine.stack) is machine and machine.state is State.RUNNING:
                self.vanish(machine.stack)

        self.stage.spawn(f"fate of {machine.stack}", work, _seconds(self.dice.between(*LIFE)))

    def _taken_for_ours(self, item: Other) -> SeenMachine | None:
        """What the tags of somebody else's machine make of it."""
        tags = read_run_tags(item.tags, SYSTEM)
        if tags is None:
            return None
        return SeenMachine(cloud=self.cloud, id=item.id, tags=tags, created=item.created, holds_vcpus=not item.snapshot)

    def _over(self, machine: Machine) -> None:
        if (index := self._open.pop(machine.stack, None)) is not None:
            self.bill[index] = replace(self.bill[index], end=self.stage.now)
        self.on_loss(machine)

    def _call(self, seconds: float) -> None:
        self.stage.call(seconds)
        if self.stage.current and self.dice.happens("unanswered"):
            raise Unanswered(Code.NETWORK, "the platform did not answer after all retries")

    def _refuse(self, said: str) -> None:
        raise StartFailed(classified(said), said)


def tags_from(stack: str, declared: Mapping[str, Any]) -> RunTags:
    """The tags that the declared machine of a stack carries."""
    kept = declared.get("revive", {}).get("keepUntil")
    return RunTags(
        stack=stack,
        label=declared["label"],
        shown=declared["name"],
        run=declared["run"],
        slot=declared["slot"],
        deadline=_moment(declared["deadline"]),
        keep_until=_moment(kept) if kept else None,
    )


def _moment(text: str) -> datetime:
    return datetime.strptime(text, FORMAT).replace(tzinfo=UTC)


def _seconds(value: float) -> timedelta:
    return timedelta(seconds=value)
