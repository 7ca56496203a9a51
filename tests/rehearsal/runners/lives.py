"""One run in a calm town: what tests break on purpose, and what has to be true afterwards."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from functools import partial

from virtci.core.runners.clouds import Capability, Cloud, Serves
from virtci.core.runners.naming import Run, RunnerName
from virtci.core.runners.requests import Record, Request
from virtci.core.runners.retention import OnCancel, Result
from virtci.fleet.runners.revive import revive
from virtci.fleet.runners.start import Outcome, start_all
from virtci.fleet.runners.stop import stop_run
from virtci.fleet.runners.sweep import Swept, sweep
from virtci.rehearsal.runners.hosting import Job
from virtci.rehearsal.runners.stage import Process
from virtci.rehearsal.runners.town import Plan, Town, town
from virtci.rehearsal.runners.weather import CALM, Dice

RUN = Run(repository="rehearsal-org/km", workflow="KM CI Pipeline", run_number=1279, run_id=991, attempt=1)
NAME = "rehearsal-org/km/991"


def calm(plan: Plan | None = None, **weather: float) -> Town:
    """A town in which only that goes wrong which a test names, and always."""
    found = town(Dice(1, replace(CALM, **weather)), plan)
    found.github.runs[NAME] = None
    return found


def ask(cloud: Cloud = Cloud.AZURE, run: Run = RUN, **changes: object) -> Request:
    """A request for one machine."""
    request = Request(name=RunnerName(run=run, cloud=cloud), capability=Capability.NONE, serves=Serves.RUN)
    return replace(request, **changes)  # type: ignore[arg-type]  # the fields of a request are of several types


def starting(world: Town, asked: Iterable[Request], kill_at: int = 0) -> Process:
    """Somebody who starts runners."""
    work = partial(start_all, world.launcher(), list(asked), world.stage.together)
    return world.stage.spawn("start", work, kill_at=kill_at)


def stopping(world: Town, result: Result, kill_at: int = 0, run: Run = RUN) -> Process:
    """Somebody who stops them by the result of one job."""
    work = partial(stop_run, world.launcher(), run, {"tests": result}, OnCancel.IF_HANGING)
    return world.stage.spawn("stop", work, kill_at=kill_at)


def sweeping(world: Town, kill_at: int = 0) -> Process:
    """One sweep."""
    return world.stage.spawn("sweep", partial(sweep, world.launcher(), world.stage.together), kill_at=kill_at)


def reviving(world: Town, stack: str, hours: float = 4, kill_at: int = 0) -> Process:
    """Somebody who brings a kept machine back."""

    def work() -> Record:
        launcher = world.launcher()
        record = launcher.record(stack)
        assert record
        return revive(launcher, record, hours)

    return world.stage.spawn("revive", work, kill_at=kill_at)


def done(world: Town, process: Process, minutes: float = 30) -> object:
    """What a process came to, within some simulated minutes; what it raised is raised here."""
    world.stage.run(world.stage.now + timedelta(minutes=minutes))
    assert process.ended, f"{process.name} is at work after {minutes} minutes"
    if process.error and not process.dead:
        raise process.error
    return process.result


def started(world: Town, *asked: Request) -> list[Record]:
    """Runners that are online."""
    found = done(world, starting(world, asked or [ask()]))
    assert isinstance(found, list)
    records: list[Outcome] = found
    assert all(isinstance(item, Record) for item in records), records
    return [item for item in records if isinstance(item, Record)]


def swept(world: Town) -> Swept:
    """A whole sweep."""
    found = done(world, sweeping(world))
    assert isinstance(found, Swept)
    return found


def job(world: Town, record: Record, minutes: float = 20, fails: bool = False) -> Job:
    """A job that asks for the label of a machine."""
    found = Job(record.request.name.run.path, record.request.name.label, minutes * 60, fails, world.stage.now)
    world.github.queue(found)
    return found


def ended(world: Town) -> None:
    """The workflow run is over."""
    world.github.runs[NAME] = world.stage.now


def remains(world: Town) -> list[str]:
    """Everything of ours that is there, in words; nothing when nothing is."""
    found = [
        f"{item.state} machine {item.stack}"
        for platform in world.platforms.values()
        for item in platform.alive.values()
    ]
    found += [f"evidence {stack}" for platform in world.platforms.values() for stack in platform.evidence]
    found += [f"credential in {slot}" for platform in world.platforms.values() for slot in platform.secrets]
    found += [f"runner {label}" for label in world.github.records]
    found += [f"stack {name}" for name in world.backend.stacks]
    leases = world.objects.found.get("leases")
    found += [f"lease of {item['holder']}" for item in (leases.document["leases"] if leases else [])]
    return found + [f"record {key}" for key in world.objects.found if key.startswith("runners/")]
