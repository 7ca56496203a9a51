"""Starting a runner: units, a machine, the proof of its hypervisor, its registration, and the wait until it takes jobs.

What is made is written down before it is made, so that whoever dies half-way leaves nothing that a sweep does not find.
A failure of the platform costs a rung of the ladder, not the run.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from virtci.core.problems import Refusal
from virtci.core.runners import requests
from virtci.core.runners.clouds import Cloud
from virtci.core.runners.failures import Code
from virtci.core.runners.ladder import Place, Rung, ladder, remaining
from virtci.core.runners.leases import Claim, Lease, LeaseLost, Waiting
from virtci.core.runners.ledger import spent_on
from virtci.core.runners.requests import Attempt, Phase, Record, Request, key_of
from virtci.core.runners.tags import FORMAT
from virtci.fleet.runners import ledger
from virtci.fleet.runners.launcher import Launcher
from virtci.fleet.runners.objects import Document, update
from virtci.fleet.runners.ports import Credential, StartFailed, Together, Unanswered

LIVE = (Phase.ONLINE, Phase.KEPT, Phase.REVIVED)
"""What a second start of the same machine leaves as it is."""
Outcome = Record | StartFailed
Found = TypeVar("Found")
TRIES = 3
PAUSE_SECONDS = 15.0


def start_all(launcher: Launcher, asked: Sequence[Request], together: Together) -> list[Outcome]:
    """The runners of a run, each online and idle, or why it is not; those that are there when they were started before.

    First all units, one after another in the order of the clouds, which keeps two runs from waiting for each other; then
    all machines at once. So no machine is paid while another one waits, and what fails in one cloud fails there alone.
    Raises `Refusal` for what can never be, before anything is made.
    """
    ladders = [ladder(request.capability, _places(launcher, request), request.spot) for request in asked]
    begun = [_begin(launcher, request) for request in asked]
    leased: list[tuple[Rung, Lease] | Outcome] = []
    for request, record, rungs in zip(asked, begun, ladders, strict=True):
        held = [lease.holder for _, lease in (found for found in leased if isinstance(found, tuple))]
        leased.append(_caught(partial(_lease, launcher, request, rungs, held)) if record.phase not in LIVE else record)
    tasks = [
        partial(_caught, partial(_start, launcher, request, rungs, found))
        if isinstance(found, tuple)
        else partial(_same, found)
        for request, rungs, found in zip(asked, ladders, leased, strict=True)
    ]
    return together(*tasks)


def start(launcher: Launcher, request: Request) -> Record:
    """One runner alone. Raises `StartFailed` when no place did, with all that were tried in the record."""
    found = start_all(launcher, [request], lambda *tasks: [task() for task in tasks])[0]
    if isinstance(found, StartFailed):
        raise found
    return found


def _same(found: Outcome) -> Outcome:
    return found


def _caught(task: Callable[[], Found]) -> Found | StartFailed:
    try:
        return task()
    except StartFailed as failed:
        return failed


def _start(launcher: Launcher, request: Request, rungs: tuple[Rung, ...], first: tuple[Rung, Lease]) -> Record:
    """A runner on the first rung that does."""
    rung, lease = first
    while True:
        try:
            return _run_on(launcher, request, rung, lease)
        except StartFailed as failed:
            _clean(launcher, request, rung, lease)
            rungs = remaining(rungs, rung, failed.code)
            attempt = Attempt(rung=str(rung), code=failed.code, said=failed.said, at=launcher.pace.now())
            record = _note(launcher, request, attempt, left=bool(rungs))
            launcher.observe(record.stack, f"{attempt.code}: {attempt.rung}: {attempt.said}")
            if not rungs:
                raise StartFailed(failed.code, f"{rung}: {failed.said}; no other place is left to try") from failed
        rung, lease = _lease(launcher, request, rungs)


def _places(launcher: Launcher, request: Request) -> list[Place]:
    """The places of the cloud that was asked for, and those of the others behind them."""
    order = [request.name.cloud, *(cloud for cloud in Cloud if cloud is not request.name.cloud and request.overflow)]
    return [place for cloud in order for place in launcher.rules.places.get(cloud, ())]


def _begin(launcher: Launcher, request: Request) -> Record:
    """The record of the machine: a new one, or that of an earlier start of the same one."""

    def change(document: Document | None) -> tuple[Document | None, Record]:
        if document is not None:
            record = requests.from_document(document)
            if record.request.name != request.name:
                raise _number_taken(record, request)
            if record.phase in LIVE:
                return None, record
            record = replace(record, request=request)
        else:
            record = Record(request=request, phase=Phase.REQUESTED)
        record = record.reached(Phase.REQUESTED, launcher.pace.now(), why="")
        return requests.to_document(record), record

    return update(launcher.objects, key_of(request.name.stack), change)


def _number_taken(record: Record, request: Request) -> Refusal:
    return Refusal(
        f"run {request.name.run.run_id} is `{record.request.name.run.workflow}` of "
        f"{record.request.name.run.repository}, not `{request.name.run.workflow}` of {request.name.run.repository}",
        "two runs would share machines, and the end of one would take down the other's",
        "hand over github.run_id, which no two runs share, not a number of your own",
    )


@dataclass(slots=True)
class _Wait:
    """A wait for units, as far as it came."""

    since: datetime
    beat: datetime
    said: str = ""
    budget_asked: datetime | None = None
    over_budget: str = ""


def _lease(
    launcher: Launcher, request: Request, rungs: tuple[Rung, ...], held: Sequence[str] = ()
) -> tuple[Rung, Lease]:
    """The first rung whose pool gives units. Raises `StartFailed` with `QUOTA` when none did for hours.

    `held`: whoever of the same run has its units already; their leases are kept alive meanwhile.
    """
    wait = _Wait(launcher.pace.now(), launcher.pace.now())

    def question() -> tuple[Rung, Lease] | None:
        _keep_alive(launcher, wait, held)
        patient = launcher.pace.now() - wait.since < launcher.limits.patience
        told: list[str] = []
        if why := _over_budget(launcher, wait):
            told.append(why)
        else:
            for rung in _one_of_each_pool(rungs[:1] if patient else rungs):
                found = ask(launcher, _claim(request, rung), rung)
                if isinstance(found, Lease):
                    return rung, found
                told.append(f"{rung.pool}: {found.reason}")
        _tell_wait(launcher, request, wait, "; ".join(told))
        return None

    found = launcher.pace.until(_patient(question), launcher.limits.queue)
    if found is None:
        launcher.leases.release(request.name.stack)
        raise StartFailed(Code.QUOTA, f"no units became free within {launcher.limits.queue}: {wait.said}")
    rung, lease = found
    over = f" instead of {request.name.cloud}" if rung.cloud is not request.name.cloud else ""
    launcher.observe(request.name.stack, f"{rung}{over}, slot {lease.slots[0]}")
    launcher.reached(
        request.name.stack, Phase.LEASED, rung=rung, slot=lease.slots[0], why=wait.said and f"waited: {wait.said}"
    )
    return rung, lease


def _keep_alive(launcher: Launcher, wait: _Wait, held: Sequence[str]) -> None:
    if launcher.pace.now() - wait.beat >= launcher.limits.heartbeat:
        wait.beat = launcher.pace.now()
        for holder in held:
            with suppress(LeaseLost):  # its own start notices before it makes anything
                launcher.leases.heartbeat(holder)


def _one_of_each_pool(rungs: Iterable[Rung]) -> list[Rung]:
    """The best rung of each pool: within a pool the ladder goes on only after a failure.

    What is at the platform's mercy has a quota of its own, so it does not stand for the others.
    """
    found: dict[tuple[str, bool], Rung] = {}
    for rung in rungs:
        found.setdefault((rung.pool, rung.spot), rung)
    return list(found.values())


def _claim(request: Request, rung: Rung) -> Claim:
    return Claim(holder=request.name.stack, pool=rung.pool, units=rung.machine.units)


def ask(launcher: Launcher, claim: Claim, rung: Rung) -> Lease | Waiting:
    """Units of a rung's pool, unless others use so much of the platform's quota that ours would not fit.

    The store decides, because several launchers may see the same room.
    """
    return launcher.leases.acquire(claim, launcher.clouds[rung.cloud].room(rung))


def _over_budget(launcher: Launcher, wait: _Wait) -> str:
    """Why the day's budget lets nobody start; asked now and then, because it reads the whole day."""
    now, limit = launcher.pace.now(), launcher.rules.daily_budget_usd
    if wait.budget_asked is None or now - wait.budget_asked >= launcher.limits.budget:
        spent = spent_on(now.date(), ledger.entries(launcher), now)
        wait.budget_asked = now
        wait.over_budget = f"the day's budget of {limit:g} USD is spent ({spent:.2f})" if spent >= limit else ""
    return wait.over_budget


def _tell_wait(launcher: Launcher, request: Request, wait: _Wait, said: str) -> None:
    if said != wait.said:
        wait.said = said
        launcher.observe(request.name.stack, f"waits: {said}")
        launcher.reached(request.name.stack, Phase.REQUESTED, why=said)


def _run_on(launcher: Launcher, request: Request, rung: Rung, lease: Lease) -> Record:
    """A runner on one rung. Raises `StartFailed`."""
    cloud, stack, slot = launcher.clouds[rung.cloud], request.name.stack, lease.slots[0]
    _beat(launcher, request)
    _insist(launcher, partial(cloud.withdraw, slot))
    ledger.opened(launcher, stack, request.name.run.path, rung)
    end = launcher.pace.now() + launcher.rules.maximum
    launcher.stacks.up(stack, {**declared(launcher, request, rung, slot, end), "image": cloud.image(rung.region)})
    record = launcher.reached(stack, Phase.CREATED)
    deadline = record.at[Phase.CREATED] + launcher.limits.boot
    _wait_for_proof(launcher, request, rung, slot, deadline)
    launcher.reached(stack, Phase.PROBED)
    if _takes_jobs(launcher, request.name.label):  # an earlier start of it died after its registration
        return launcher.reached(stack, Phase.ONLINE)
    credential = _insist(launcher, partial(_register, launcher, request))
    _insist(launcher, partial(cloud.deliver, slot, credential))
    try:
        _wait_for_runner(launcher, request, rung, slot, deadline)
    finally:
        _insist(launcher, partial(cloud.withdraw, slot))
    return launcher.reached(stack, Phase.ONLINE)


def _register(launcher: Launcher, request: Request) -> Credential:
    """A credential, after what an earlier try left on GitHub is gone: it would refuse another runner of the same name."""
    _forget(launcher, request.name.label)
    labels = ("self-hosted", "linux", "x64", *launcher.rules.labels, request.name.label)
    return launcher.github.register(request.name.label, labels, request.serves)


def _insist(launcher: Launcher, task: Callable[[], Found]) -> Found:
    """Tries again what a service did not do at first. Raises `StartFailed` in the end."""
    for _ in range(TRIES - 1):
        try:
            return task()
        except StartFailed as failed:
            if not isinstance(failed, Unanswered) and failed.code is not Code.GITHUB:
                raise
            launcher.pace.sleep(PAUSE_SECONDS)
    return task()


def _patient(question: Callable[[], Found | None]) -> Callable[[], Found | None]:
    """A question whose answer may fail to come, now and then, while there is time."""

    def ask() -> Found | None:
        try:
            return question()
        except Unanswered:
            return None

    return ask


def declared(launcher: Launcher, request: Request, rung: Rung, slot: str, deadline: datetime) -> dict[str, object]:
    """The section `runner` of the machine's stack, without what its disk is made of."""
    name = request.name
    return {
        "cloud": rung.cloud.value,
        "name": name.shown,
        "label": name.label,
        "labels": list(launcher.rules.labels),
        "capability": request.capability.value,
        "serves": request.serves.value,
        "size": rung.type,
        "region": rung.region,
        "zone": rung.zone,
        "spot": rung.spot,
        "slot": slot,
        "run": name.run.path,
        "deadline": deadline.strftime(FORMAT),
        "agent": dict(launcher.rules.agent),
        "keys": list(launcher.rules.keys),
        **launcher.clouds[rung.cloud].place(rung),
    }


def _wait_for_proof(launcher: Launcher, request: Request, rung: Rung, slot: str, deadline: datetime) -> None:
    """Waits until the machine says that it has the hypervisor it was asked for."""

    def question() -> bool | None:
        probed = _report(launcher, request, rung, slot) == "probed"
        return True if probed or _takes_jobs(launcher, request.name.label) else None

    _until(launcher, request, question, deadline, Code.NETWORK, "the machine did not say a word of its boot")


def _wait_for_runner(launcher: Launcher, request: Request, rung: Rung, slot: str, deadline: datetime) -> None:
    """Waits until GitHub shows the runner online and idle."""

    def question() -> bool | None:
        if _takes_jobs(launcher, request.name.label):
            return True
        _report(launcher, request, rung, slot)
        return None

    _until(launcher, request, question, deadline, Code.AGENT, "its agent did not come online")


def _report(launcher: Launcher, request: Request, rung: Rung, slot: str) -> str:
    """How far the machine is: `probed`, or less. Raises `StartFailed` when it says why it cannot, or is gone."""
    cloud, stack = launcher.clouds[rung.cloud], request.name.stack
    report = cloud.boot(stack, slot)
    if report and report.failure:
        raise StartFailed(report.failure, report.reason)
    if (state := cloud.state(stack, slot)) in ("evicted", "absent"):
        code = Code.SPOT_EVICTED if state == "evicted" or rung.spot else Code.CAPACITY
        raise StartFailed(code, f"the machine is {state}")
    return "probed" if report and report.probed else ""


def _until(
    launcher: Launcher, request: Request, question: Callable[[], bool | None], deadline: datetime, code: Code, what: str
) -> None:
    """Asks until it is so, and tells the leases now and then that somebody is here."""
    beat = launcher.pace.now()

    def ask() -> bool | None:
        nonlocal beat
        if launcher.pace.now() - beat >= launcher.limits.heartbeat:
            beat = launcher.pace.now()
            _beat(launcher, request)
        return question()

    left = max(deadline - launcher.pace.now(), timedelta())
    if launcher.pace.until(_patient(ask), left) is None:
        raise StartFailed(code, f"{what} within {launcher.limits.boot}")


def _beat(launcher: Launcher, request: Request) -> None:
    try:
        launcher.leases.heartbeat(request.name.stack)
    except LeaseLost as lost:
        raise StartFailed(Code.INTERNAL, str(lost)) from None


def _takes_jobs(launcher: Launcher, label: str) -> bool:
    runner = launcher.github.runner(label)
    return runner is not None and runner.online


def _forget(launcher: Launcher, label: str) -> None:
    if runner := launcher.github.runner(label):
        launcher.github.forget(runner.id)


def _clean(launcher: Launcher, request: Request, rung: Rung, lease: Lease) -> None:
    """Takes away what a failed try left, the units last: nobody else gets them while its machine may be there."""
    launcher.clouds[rung.cloud].withdraw(lease.slots[0])
    _forget(launcher, request.name.label)
    launcher.stacks.destroy(request.name.stack)
    ledger.closed(launcher, request.name.stack)
    launcher.leases.release(request.name.stack)


def _note(launcher: Launcher, request: Request, attempt: Attempt, left: bool) -> Record:
    record = launcher.record(request.name.stack)
    attempts = (*(record.attempts if record else ()), attempt)
    phase = Phase.REQUESTED if left else Phase.FAILED
    return launcher.reached(request.name.stack, phase, attempts=attempts, why=f"{attempt.code}: {attempt.said}")
