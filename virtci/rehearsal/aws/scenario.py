"""The AWS account that stacks need, if any does; importing moto and its models takes seconds, so that is not done before."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from virtci.core.runners.clouds import Cloud
from virtci.rehearsal.clock import SimulatedClock
from virtci.rehearsal.journal import Journal
from virtci.settings.models import Settings

if TYPE_CHECKING:
    from virtci.rehearsal.aws.cloud import Aws
    from virtci.rehearsal.aws.provider import AwsProvider
    from virtci.rehearsal.aws.server import Endpoint

NEW_ACCOUNT_VCPUS = 5
"""What an account gets that never asked for more."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Scenario:
    """What the account is like. `vcpus`: its quota of On-Demand Standard instances, by region."""

    account: str = "000000000000"
    vcpus: Mapping[str, int] = field(default_factory=dict)

    def limit(self, region: str) -> int:
        """The vCPU quota of a region."""
        return self.vcpus.get(region, NEW_ACCOUNT_VCPUS)


@dataclass(frozen=True, slots=True)
class Attached:
    """The running cloud, where it listens, and Pulumi's provider for it."""

    cloud: "Aws"
    endpoint: "Endpoint"
    provider: "AwsProvider"


def scenario_of(stacks: Mapping[str, Settings]) -> Scenario | None:
    """The account of the stacks; nothing when none of them has anything in AWS."""
    places = [settings.runners.aws for settings in stacks.values() if settings.runners and settings.runners.aws]
    machines = [item.runner for item in stacks.values() if item.runner and item.runner.cloud is Cloud.EC2]
    if not places and not machines:
        return None
    vcpus = {region: place.vcpus for item in places for region, place in item.regions.items()}
    return Scenario(account=places[0].account, vcpus=vcpus) if places else Scenario()


@contextmanager
def aws_for(stacks: Mapping[str, Settings], clock: SimulatedClock, journal: Journal) -> Iterator[Attached | None]:
    """Starts the AWS that the stacks need, and stops it at the end."""
    scenario = scenario_of(stacks)
    if scenario is None:
        yield None
        return
    from virtci.rehearsal.aws.cloud import Aws
    from virtci.rehearsal.aws.provider import AwsProvider
    from virtci.rehearsal.aws.server import serve
    from virtci.rehearsal.aws.wire import warm_up

    cloud = Aws(clock, journal, scenario)
    threading.Thread(target=warm_up, daemon=True).start()
    with serve(cloud) as endpoint:
        yield Attached(cloud, endpoint, AwsProvider(endpoint.url, clock))
