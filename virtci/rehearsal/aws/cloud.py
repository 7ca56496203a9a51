"""The simulated AWS account: one entry point, `Aws.request`."""

import os
import threading
from typing import Any

from moto import settings as moto_settings
from moto.core.base_backend import BackendDict

from virtci.rehearsal.aws import compute, networks, parameters, propagation, quotas, remains, schedules, shapes, wire
from virtci.rehearsal.aws.hooks import Hooks
from virtci.rehearsal.aws.scenario import Scenario
from virtci.rehearsal.aws.times import Times
from virtci.rehearsal.azure.server import Plain, Request
from virtci.rehearsal.clock import SimulatedClock
from virtci.rehearsal.journal import CloudError, Journal

__all__ = ["CLOUD", "Aws", "Scenario"]

CLOUD = "aws"
HOOKS: tuple[Hooks, ...] = (
    compute.HOOKS,
    networks.HOOKS,
    parameters.HOOKS,
    propagation.HOOKS,
    quotas.HOOKS,
    schedules.HOOKS,
)


class Aws:
    """One account, behind an HTTP face. Moto keeps its state in the process, so there is one at a time."""

    def __init__(self, clock: SimulatedClock, journal: Journal, scenario: Scenario | None = None) -> None:
        self.clock = clock
        self.journal = journal
        self.scenario = scenario or Scenario()
        self.times = Times(clock)
        self.made: dict[tuple[str, str], float] = {}
        """When roles and instance profiles were made, by kind and name."""
        self._lock = threading.RLock()
        os.environ.setdefault("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
        moto_settings.EC2_ENABLE_INSTANCE_TYPE_VALIDATION = True
        moto_settings.ENABLE_AMI_VALIDATION = True
        BackendDict.reset()

    def request(self, request: Request) -> Plain:
        """Answers one request, and writes it down."""
        try:
            asked = wire.understand(request, self.scenario.account)
        except CloudError as error:
            return wire.refusal(error, None)
        # Moto is not made for several callers at once.
        with self._lock:
            self.settle()
            try:
                self.journal.fault(CLOUD, asked.name, asked.target)
                found = self._perform(asked)
                self.journal.fault(CLOUD, asked.name, asked.target, after=True)
            except CloudError as error:
                return wire.refusal(error, asked)
        self.journal.record(CLOUD, asked.name, asked.target, found.status, wire.code_of(found))
        return found

    def settle(self) -> None:
        """Lets happen what is due by now: machines come up, schedules fire."""
        with self._lock:
            self.times.settle()
            schedules.fire(self)

    def backend(self, service: str, region: str) -> Any:
        """Moto's state of a service."""
        from moto.backends import get_backend

        return get_backend(service)[self.scenario.account][region]

    def regions(self, service: str) -> list[str]:
        """The regions in which moto was asked anything of a service."""
        from moto.backends import get_backend

        return list(get_backend(service)[self.scenario.account])

    def instances(self, region: str) -> list[Any]:
        """The instances of a region, as moto has them, whatever their state."""
        with self._lock:
            groups = self.backend("ec2", region).reservations.values()
            return [instance for group in groups for instance in group.instances]

    def remaining(self) -> list[str]:
        """What is there beside what an account has from the beginning."""
        return remains.found(self)

    def interrupt(self, region: str, instance_id: str) -> None:
        """Takes a spot instance back, after the notice that it gets."""
        with self._lock:
            compute.interrupt(self, region, instance_id)

    def _perform(self, asked: wire.Asked) -> Plain:
        wanted = asked
        try:
            shapes.judge(asked.service, asked.model.input_shape, asked.parameters)
            for hooks in HOOKS:
                if before := hooks.before.get(asked.name):
                    wanted = before(self, wanted)
            found = wire.dispatch(wanted)
        except CloudError as error:
            self.journal.record(CLOUD, asked.name, asked.target, error.status, error.code)
            raise
        if found.status < 400:
            for hooks in HOOKS:
                if after := hooks.after.get(asked.name):
                    after(self, wanted)
        return found
