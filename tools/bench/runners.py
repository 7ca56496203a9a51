"""What on-demand runners cost the launcher: a sweep over everything there is, and the planning of many requests at once."""

import time
from datetime import timedelta
from functools import partial

from tools.bench.figures import Figure, figure, itself
from tools.bench.lab import Lab, MeasurementError
from virtci.core.runners import requests, tickets
from virtci.core.runners.clouds import Capability, Cloud, Serves, pool
from virtci.core.runners.ladder import Rung, ladder
from virtci.core.runners.leases import Claim, Lease, slot_names
from virtci.core.runners.naming import Run, RunnerName
from virtci.core.runners.requests import Phase, Record, Request, key_of
from virtci.fleet.runners.embedded_leases import KEY
from virtci.fleet.runners.objects import Versioned
from virtci.fleet.runners.stop import tags_of
from virtci.fleet.runners.sweep import Swept, sweep
from virtci.rehearsal.clock import START
from virtci.rehearsal.runners.backend import Kept
from virtci.rehearsal.runners.hosting import Runner
from virtci.rehearsal.runners.platform import Evidence, Machine, State
from virtci.rehearsal.runners.town import Plan, Town, town
from virtci.rehearsal.runners.weather import CALM, Dice

SWEEP_SECONDS, PLAN_SECONDS = 10.0, 1.0
RESOURCES, REQUESTS = 10_000, 1_000
LIVE, ENDED = 250, 20
"""Machines that run, each with its stack, its runner and its lease; and those of them whose run is over."""
REGION, TYPE = "us-east-2", "m5.xlarge"


def measure(lab: Lab) -> list[Figure]:
    """Both, in this process: the clouds' own time is simulated and takes none."""
    found = lab.in_turn({"sweep": sweeping, "planning": planning})
    return [
        figure(
            ("f", f"sweep over {RESOURCES:,} resources, {ENDED} of them to take down", "s"),
            itself,
            found["sweep"],
            target=SWEEP_SECONDS,
        ),
        figure(
            ("f", f"planning of {REQUESTS:,} concurrent requests: ladder, and a place in the queue", "s"),
            itself,
            found["planning"],
            target=PLAN_SECONDS,
        ),
    ]


def sweeping() -> float:
    """Seconds of one sweep: look, plan, and what it does."""
    world = crowded(RESOURCES)
    process = world.stage.spawn("sweep", partial(sweep, world.launcher(), world.stage.together))
    started = time.perf_counter()
    world.stage.run(world.stage.now + timedelta(hours=6))
    seconds = time.perf_counter() - started
    swept = process.result
    if not isinstance(swept, Swept) or swept.failures or swept.plan.leaks.total() != ENDED:
        raise MeasurementError(f"the sweep did not do its work: {process.error or swept}")
    return seconds


def planning() -> float:
    """Seconds until every request knows its rungs, and has units or its place in the queue with a reason."""
    launcher = town(Dice(1, CALM)).launcher()
    places = [place for cloud in Cloud for place in launcher.rules.places[cloud]]
    slots, now, state = slot_names("westus", 12), START, tickets.State()
    asked = [_request(number, Cloud.AZURE) for number in range(1, REQUESTS + 1)]
    started = time.perf_counter()
    for request in asked:
        rung = ladder(request.capability, places, request.spot)[0]
        claim = Claim(holder=request.name.stack, pool=rung.pool, units=rung.machine.units)
        state, _ = tickets.acquire(state, claim, slots, now)
    seconds = time.perf_counter() - started
    if (len(state.leases), len(state.queue)) != (len(slots), REQUESTS - len(slots)):
        raise MeasurementError(f"{len(state.leases)} leases and {len(state.queue)} in the queue")
    return seconds


def crowded(resources: int) -> Town:
    """A town with that many things of ours: live machines, kept instances with their stacks, and snapshots."""
    world = town(Dice(1, CALM), Plan(ec2={REGION: (4 * LIVE, 0)}, daily_budget_usd=1e9))
    live = [_put_up(world, number, kept=False) for number in range(1, LIVE + 1)]
    now = world.stage.now
    for record in live[:ENDED]:
        world.github.runs[_name(record)] = now - timedelta(hours=1)
    leases = tuple(
        Lease(holder=record.stack, pool=pool(Cloud.EC2, REGION), slots=(record.slot,), since=now, heartbeat=now)
        for record in live
    )
    world.objects.found[KEY] = Versioned(tickets.to_document(tickets.State(leases)), "0")
    left, number = resources - 4 * LIVE, LIVE
    while left > 0:
        number += 1
        snapshot = number % 2 == 0 or left == 1
        record = _put_up(world, number, kept=True, snapshot=snapshot)
        left -= 1 if snapshot else 2
    return world


def _put_up(world: Town, number: int, kept: bool, snapshot: bool = False) -> Record:
    cloud, now = (Cloud.AZURE if snapshot else Cloud.EC2), world.stage.now
    created = now - timedelta(minutes=30)
    record = Record(
        request=_request(number, cloud),
        phase=Phase.KEPT if kept else Phase.ONLINE,
        at={Phase.ONLINE: created},
        rung=Rung(cloud=cloud, region=REGION, zone="", type=TYPE),
        slot=f"auto-runner-{REGION}-{number:02}",
        keep_until=now + timedelta(days=1) if kept else None,
    )
    tags = tags_of(record, now + timedelta(hours=1))
    world.objects.found[key_of(record.stack)] = Versioned(requests.to_document(record), "0")
    if snapshot:
        world.platforms[cloud].evidence[record.stack] = Evidence(f"{record.stack}-os", tags, now)
        return record
    machine = Machine(
        cloud=cloud, stack=record.stack, type=TYPE, region=REGION, slot=record.slot, created=created, spot=False,
        tags=tags, fate=None, silent=False, state=State.STOPPED if kept else State.RUNNING,
    )  # fmt: skip
    world.platforms[cloud].alive[record.stack] = machine
    world.backend.stacks[record.stack] = Kept(cloud, created)
    if not kept:
        label = record.request.name.label
        world.github.records[label] = Runner(number, label, Serves.RUN, machine)
        world.github.runs[_name(record)] = None
    return record


def _request(number: int, cloud: Cloud) -> Request:
    run = Run(repository="rehearsal-org/km", workflow="KM", run_number=number, run_id=number, attempt=1)
    return Request(name=RunnerName(run=run, cloud=cloud), capability=Capability.KVM_NESTED, serves=Serves.RUN)


def _name(record: Record) -> str:
    run = record.request.name.run
    return f"{run.repository}/{run.run_id}"
