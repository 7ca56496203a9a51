"""Conducts a rehearsal: the real engine, program and policies against simulated clouds, stack by stack."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from virtci.core.inventory import Bill, Resource, bill, demands, plain_kind, slot_demands
from virtci.core.quota import REGIONAL, QuotaLine, held_against
from virtci.outputs.check import contract_faults
from virtci.rehearsal.endings import Ending
from virtci.rehearsal.engine import Run, Workspace
from virtci.rehearsal.environments import Before, Preparation
from virtci.rehearsal.runner import Enrolment, Registration
from virtci.rehearsal.world import World
from virtci.settings.models import Settings


@dataclass
class StackResult:
    """What the rehearsal of one stack showed."""

    name: str
    settings: Settings
    runs: dict[str, Run] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    simulated_seconds: dict[str, float] = field(default_factory=dict)
    resources: list[dict[str, Any]] = field(default_factory=list)
    outputs: dict[str, Any] = field(default_factory=dict)
    contract_faults: list[str] = field(default_factory=list)
    quota: list[QuotaLine] = field(default_factory=list)
    bill: Bill = field(default_factory=lambda: Bill((), (), ()))
    left_behind: list[str] = field(default_factory=list)
    ending: Ending = Ending.INTERRUPTED
    before: Before | None = None
    """What was found before anything came into the cluster, where the stack is about one."""
    runner: Enrolment | None = None
    """What became of a runner, where the stack has a hub that was deployed."""

    @property
    def budget(self) -> int:
        """What a month may cost, in USD; nothing where the stack declares nothing that is paid for."""
        return self.settings.budget.monthly_usd if self.settings.budget else 0


Observer = Callable[[str, str, float | None], None]
"""Told when a step of a stack begins (without seconds) and when it is over."""


@dataclass
class Conductor:
    """Takes stacks through preview, up, second preview, contract, a runner's boot and, where asked for, destroy."""

    workspace: Workspace
    world: World
    stacks: Mapping[str, Settings]
    observe: Observer
    on_output: Callable[[str], Any] | None = None
    results: list[StackResult] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    """Stacks that cannot be rehearsed on this machine, and why."""

    def perform(self, destroy: bool = False) -> list[StackResult]:
        """Rehearses the stacks in order and, with `destroy`, takes them down in the opposite order."""
        if worst(self.build()) is Ending.GOOD and destroy:
            self.take_down()
        return self.results

    def build(self) -> list[StackResult]:
        """Rehearses the stacks in order, up to the first that does not end well."""
        for name, settings in self.stacks.items():
            if settings.cluster and self.world.no_clusters:
                self.skipped[name] = "; ".join(map(str, self.world.no_clusters))
                continue
            result = StackResult(name, settings)
            self.results.append(result)
            result.ending = self._build(result)
            if result.ending is not Ending.GOOD:
                return self.results
        return self.results

    def take_down(self) -> None:
        """Takes the stacks down in the opposite order, and looks for what is left."""
        for result in reversed(self.results):
            self._take_down(result)
        self.results[0].left_behind = self.world.remaining()

    def _build(self, result: StackResult) -> Ending:
        steps: tuple[tuple[str, Callable[[], Run]], ...] = (
            ("preflight", lambda: self._preflight(result.settings)),
            *self._preparation(result),
            ("preview", lambda: self.workspace.preview(result.name, on_output=self.on_output)),
            ("up", lambda: self.workspace.up(result.name, on_output=self.on_output)),
            ("second preview", lambda: self.workspace.preview(result.name, on_output=self.on_output)),
        )
        for name, perform in steps:
            run = self._step(result, name, perform)
            if not run.succeeded or run.mandatory:
                return Ending.REFUSED
        self._examine(result)
        if run.changes:
            return Ending.NOT_STABLE
        if result.contract_faults:
            return Ending.CONTRACT_BROKEN
        return self._register_runner(result)

    def _register_runner(self, result: StackResult) -> Ending:
        """A deployed hub is good when a runner of it takes jobs."""
        if not result.settings.hub:
            return Ending.GOOD
        version = result.settings.hub.runners.agent.version
        registration = Registration(self.world, result.outputs, result.settings.repository, version)
        result.runner = registration.found
        return Ending.GOOD if self._step(result, "runner", registration.perform).succeeded else Ending.REFUSED

    def _preflight(self, settings: Settings) -> Run:
        problems = self.world.preflight(settings)
        return Run("preflight", succeeded=not problems, errors=[str(problem) for problem in problems])

    def _preparation(self, result: StackResult) -> tuple[tuple[str, Callable[[], Run]], ...]:
        """The steps that the contents of a cluster stand on."""
        if not result.settings.kubevirt:
            return ()
        outputs = [item.outputs for item in self.results]
        preparation = Preparation(self.world, result.name, result.settings.kubevirt, self.stacks, outputs)
        result.before = preparation.found
        return preparation.steps

    def _examine(self, result: StackResult) -> None:
        """Reads the state once; everything that is shown comes from it."""
        started = time.monotonic()
        self.observe(result.name, "contract", None)
        result.resources = [
            item for item in self.workspace.state(result.name)["resources"] if "pulumi:providers" not in item["type"]
        ]
        stack = next(item for item in result.resources if item["type"] == "pulumi:pulumi:Stack")
        result.outputs = dict(stack.get("outputs", {}))
        result.contract_faults = contract_faults(result.outputs)
        known = inventory(result.resources)
        result.quota = quota_lines(result.settings, known)
        result.bill = bill(known)
        self._done(result, "contract", started)

    def _take_down(self, result: StackResult) -> None:
        run = self._step(result, "destroy", lambda: self.workspace.destroy(result.name, on_output=self.on_output))
        if not run.succeeded:
            result.ending = Ending.LEFT_BEHIND

    def _step(self, result: StackResult, name: str, perform: Callable[[], Run]) -> Run:
        self.observe(result.name, name, None)
        started, began = time.monotonic(), self.world.clock.seconds
        result.runs[name] = run = perform()
        result.simulated_seconds[name] = self.world.clock.seconds - began
        self._done(result, name, started)
        return run

    def _done(self, result: StackResult, name: str, started: float) -> None:
        result.seconds[name] = time.monotonic() - started
        self.observe(result.name, name, result.seconds[name])


def quota_lines(settings: Settings, resources: Sequence[Resource]) -> list[QuotaLine]:
    """What a stack can need at once, against its share; slots of on-demand runners against what each region has."""
    lines = held_against(demands(resources), settings.quota.limits, settings.quota.reserve) if settings.quota else []
    if settings.runners and settings.runners.azure:
        slots = list(slot_demands(resources))
        for region, place in settings.runners.azure.regions.items():
            own = [demand for demand in slots if demand.region == region]
            lines += held_against(own, {REGIONAL: place.cores}, place.reserve)
    return lines


def inventory(resources: Sequence[Mapping[str, Any]]) -> list[Resource]:
    """The cloud resources of a state with the inputs that declared them."""
    return [
        Resource(item["urn"].rsplit("::", 1)[-1], plain_kind(item["type"]), item.get("inputs", {}))
        for item in resources
        if item.get("custom")
    ]


def worst(results: Sequence[StackResult]) -> Ending:
    """The ending of the whole rehearsal: the first that is not good, or what is left behind."""
    for result in results:
        if result.ending is not Ending.GOOD:
            return result.ending
    return Ending.LEFT_BEHIND if any(result.left_behind for result in results) else Ending.GOOD
