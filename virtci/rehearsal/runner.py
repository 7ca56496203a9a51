"""A runner of the hub: its machine boots while the real code of `virtci runners register` waits for it."""

import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import httpx

from virtci.core.problems import Refusal
from virtci.fleet.clouds import Clouds, RehearsedClouds
from virtci.fleet.registration import Registrar, register, runners_of
from virtci.fleet.waiting import REHEARSED_POLL_SECONDS, Pace
from virtci.outputs.check import read
from virtci.outputs.fleet import fleet_of
from virtci.rehearsal.azure.access import PROPAGATION_SECONDS
from virtci.rehearsal.azure.server import serve
from virtci.rehearsal.boot.machines import MachineBoot, booted_runner
from virtci.rehearsal.boot.sandbox import unavailable
from virtci.rehearsal.engine import UNUSABLE, Run
from virtci.rehearsal.world import World

IDENTITY = "deploy"
"""Of the outputs' identities, the one that registers runners, as the workflow does after a deployment."""
POLL_SECONDS = 60.0
"""Simulated seconds between two questions of the command."""


@dataclass
class Enrolment:
    """What became of a runner."""

    name: str
    alike: tuple[str, ...]
    """Those that were not booted, because they differ from it in their names alone."""
    repository: str
    boot: MachineBoot | None = None
    not_booted: str = ""
    """Why its machine was not booted."""
    takes_jobs: bool = False
    """Whether GitHub sees it online, and its machine is ready."""
    trouble: str = ""
    """Why it takes no jobs although that was tried."""


class Registration:
    """Boots and registers the first runner of a hub that was deployed; `agent` is the version that it installs."""

    def __init__(self, world: World, outputs: Mapping[str, Any], repository: str, agent: str) -> None:
        self.world, self.agent = world, agent
        self.outputs = read(outputs)
        self.fleet = fleet_of((self.outputs,))
        self.runner, *others = runners_of(self.outputs.machines, ())
        self.found = Enrolment(self.runner.name, tuple(other.name for other in others), repository)

    def perform(self) -> Run:
        """Registers it, or says why not."""
        if reason := unavailable():
            self.found.not_booted = reason
            return Run("runner", succeeded=True)
        # The right to do so was given in the deployment, and has to get around.
        self.world.clock.advance(PROPAGATION_SECONDS)
        try:
            self._register()
        except Refusal as refusal:
            told = self.found.boot.trouble if self.found.boot else ""
            self.found.trouble = told or f"{refusal.rule}; {refusal.consequence}; fix: {refusal.fix}"
            return Run("runner", errors=[self.found.trouble])
        self.found.takes_jobs = True
        return Run("runner", succeeded=True)

    def _register(self) -> None:
        headers = {"Authorization": f"Bearer {UNUSABLE}"}
        with (
            serve(self.world.azure) as azure,
            httpx.Client(base_url=self.world.github_url, headers=headers, trust_env=False) as github,
            ExitStack() as machine,
        ):
            login = self.outputs.identities[IDENTITY].principal_id
            rehearsed = RehearsedClouds.model_validate({"resourceManager": azure.url, "token": login})
            clouds = Clouds(self.fleet.subscription, rehearsed)
            pace = Pace(lambda: self.world.clock.now, lambda seconds: self._wait(machine, seconds), POLL_SECONDS)
            registrar = Registrar(clouds, github, self.found.repository, self.fleet.vault, pace, lambda _: None)
            register(registrar, [self.runner])

    def _wait(self, machine: ExitStack, seconds: float) -> None:
        """The first time, for a machine that boots; then for its agent, which starts beside the boot."""
        if self.found.boot is None:
            vault, resource = self.fleet.vault.name, self.runner.resource_id
            boot = booted_runner(self.world.azure, resource, vault, self.world.github, self.agent)
            self.found.boot = machine.enter_context(boot)
        elif self.found.boot.succeeded:
            time.sleep(REHEARSED_POLL_SECONDS)
        self.world.clock.advance(seconds)
