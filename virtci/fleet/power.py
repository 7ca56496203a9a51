"""Waking and parking the compute of an environment.

An environment is awake when it says so itself: its machine has told of the end of *this* boot, and its cluster answers. That
a machine is running means nothing of the kind. The platform's own polling of an operation needs rights on the
subscription, so the state of the one machine or cluster is asked for instead.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from virtci.core.boot_tags import DEADLINE, Boot, Stage, read_boot
from virtci.core.problems import Refusal
from virtci.fleet import lease
from virtci.fleet.clouds import Clouds, kubernetes
from virtci.fleet.cluster_records import answers
from virtci.fleet.kubeconfigs import fetch
from virtci.fleet.troubles import asking
from virtci.fleet.waiting import Observe, Pace
from virtci.outputs.contract import MachinePart
from virtci.outputs.fleet import Target

POWER_DEADLINE = timedelta(minutes=20)
"""How long the platform may take to start or stop; a cluster takes minutes."""
ANSWER_DEADLINE = timedelta(minutes=10)
"""How long a cluster may take to answer after its machine said that it is ready."""


class Power(StrEnum):
    """Whether there is hardware behind a machine or cluster."""

    RUNNING = "running"
    STARTING = "starting"
    STOPPING = "stopping"
    PARKED = "parked"
    STOPPED = "stopped"  # off, but paid for: somebody shut it down from inside
    UNKNOWN = "unknown"


_MACHINE = {
    "running": Power.RUNNING,
    "starting": Power.STARTING,
    "stopping": Power.STOPPING,
    "deallocating": Power.STOPPING,
    "deallocated": Power.PARKED,
    "stopped": Power.STOPPED,
}
_CLUSTER = {"Starting": Power.STARTING, "Stopping": Power.STOPPING}


@dataclass(frozen=True, slots=True)
class Condition:
    """Power, and for a machine the boot that it told of."""

    power: Power
    boot: Boot | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """The cluster answers the kubeconfig of the vault."""

    version: str


def condition(clouds: Clouds, target: Target) -> Condition:
    """How a machine or cluster is. Raises `Refusal` when the cloud does not say."""
    group, name = target.compute.resource_group, target.compute.name
    with asking(f"{target.kind} {name}"):
        if isinstance(target.compute, MachinePart):
            machine = clouds.compute.virtual_machines.get(group, name, expand="instanceView")
            codes = [status.code or "" for status in machine.instance_view.statuses or []]
            word = next((code.partition("/")[2] for code in codes if code.startswith("PowerState/")), "")
            return Condition(_MACHINE.get(word, Power.UNKNOWN), read_boot(machine.tags or {}, name))
        cluster = clouds.clusters.managed_clusters.get(group, name)
    stopped = cluster.power_state is not None and cluster.power_state.code == "Stopped"
    return Condition(_CLUSTER.get(cluster.provisioning_state, Power.PARKED if stopped else Power.RUNNING))


def wake(clouds: Clouds, target: Target, pace: Pace, observe: Observe, deadline: timedelta = DEADLINE) -> bool:
    """Brings an environment to where tests can begin; whether it was this call that started it.

    Raises `Refusal` naming how far it came, the reason and the fix.
    """
    before = condition(clouds, target)
    if before.power is Power.STOPPING:
        observe(f"{target.compute.name} is being parked; waiting for the end of that")
        before = _reached(clouds, target, (Power.PARKED, Power.STOPPED), pace)
    woken = before.power in (Power.PARKED, Power.STOPPED)
    if woken:
        observe(f"{target.compute.name} is {before.power}; starting it")
        _start(clouds, target)
    if before.power is not Power.RUNNING:
        _reached(clouds, target, (Power.RUNNING,), pace)
    if isinstance(target.compute, MachinePart):
        _booted(clouds, target, before, pace, observe, deadline)
    _answering(clouds, target, pace, observe)
    return woken


def park(
    clouds: Clouds, target: Target, pace: Pace, observe: Observe, *, force: bool = False, holder: str = ""
) -> bool:
    """Gives the hardware of an environment back; whether it was this call that stopped it.

    Raises `Refusal` while somebody else than `holder` uses the environment, unless forced.
    """
    power = condition(clouds, target).power
    if power is Power.PARKED:
        return False
    if power is not Power.STOPPING:
        if not force and power is Power.RUNNING:
            _refuse_while_used(clouds, target, pace.now(), holder)
        observe(f"{target.compute.name} is {power}; parking it")
        _stop(clouds, target)
    _reached(clouds, target, (Power.PARKED,), pace)
    return power is not Power.STOPPING


def _start(clouds: Clouds, target: Target) -> None:
    group, name = target.compute.resource_group, target.compute.name
    with asking(f"starting {target.kind} {name}"):
        if isinstance(target.compute, MachinePart):
            clouds.compute.virtual_machines.begin_start(group, name, polling=False)
        else:
            clouds.clusters.managed_clusters.begin_start(group, name, polling=False)


def _stop(clouds: Clouds, target: Target) -> None:
    group, name = target.compute.resource_group, target.compute.name
    with asking(f"parking {target.kind} {name}"):
        if isinstance(target.compute, MachinePart):
            clouds.compute.virtual_machines.begin_deallocate(group, name, polling=False)
        else:
            clouds.clusters.managed_clusters.begin_stop(group, name, polling=False)


def _reached(clouds: Clouds, target: Target, wanted: tuple[Power, ...], pace: Pace) -> Condition:
    last = Condition(Power.UNKNOWN)

    def question() -> Condition | None:
        nonlocal last
        last = condition(clouds, target)
        return last if last.power in wanted else None

    found = pace.until(question, POWER_DEADLINE)
    if found is None:
        raise Refusal(
            f"{target.kind} {target.compute.name} is {wanted[0]} within {_minutes(POWER_DEADLINE)}",
            f"it is {last.power}",
            "look at its activity log in the portal, then run this again",
        )
    return found


def _booted(
    clouds: Clouds, target: Target, before: Condition, pace: Pace, observe: Observe, deadline: timedelta
) -> None:
    """Waits for the stage `ready` of this boot: the first word after `before` that is another one than then.

    A running machine without tags is new, or has lost them to a deployment; in the second case its cluster answers.
    """
    name, ran = target.compute.name, before.power is Power.RUNNING
    silent = ran and before.boot is None
    said: Boot | None = None

    def question() -> Boot | Answered | None:
        nonlocal said
        found = condition(clouds, target).boot
        if found is None and silent:
            return _opened(clouds, target, pace.now())
        if found is None or (not ran and found == before.boot):
            return None
        if found != said:
            observe(f"{name}: {found.stage}" + (f" ({found.reason})" if found.reason else ""))
        said = found
        return found if found.stage in (Stage.READY, Stage.FAILED) else None

    found = pace.until(question, deadline)
    if found is None:
        word = f"it came to `{said.stage}` at {said.at:%H:%M} UTC" if said else "this boot has not said a word"
        raise Refusal(f"machine {name} is ready within {_minutes(deadline)} of its start", word, _boot_log(target))
    if isinstance(found, Boot) and found.stage is Stage.FAILED:
        raise Refusal(f"machine {name} boots to its end", found.reason or "its boot failed", found.fix)


def _boot_log(target: Target) -> str:
    part = target.compute
    return (
        f"read its log: az vm boot-diagnostics get-boot-log --resource-group {part.resource_group} --name {part.name}"
    )


def _answering(clouds: Clouds, target: Target, pace: Pace, observe: Observe) -> None:
    """Waits until the kubeconfig in the vault opens the cluster."""
    found = pace.until(lambda: _opened(clouds, target, pace.now()), ANSWER_DEADLINE) or _open(
        clouds, target, pace.now()
    )
    observe(f"`{target.environment}` is awake: Kubernetes {found.version}")


def _opened(clouds: Clouds, target: Target, now: datetime) -> Answered | None:
    """The answer of the cluster, or nothing for whatever reason."""
    try:
        return _open(clouds, target, now)
    except Refusal:
        return None


def _open(clouds: Clouds, target: Target, now: datetime) -> Answered:
    kubeconfig = fetch(clouds, target, now)
    with asking(f"the cluster of `{target.environment}`"), kubernetes(kubeconfig.text) as api:
        return Answered(answers(api))


def _refuse_while_used(clouds: Clouds, target: Target, now: datetime, holder: str) -> None:
    try:
        kubeconfig = fetch(clouds, target, now)
        with asking(f"the cluster of `{target.environment}`"), kubernetes(kubeconfig.text) as api:
            found = lease.held(api, now)
    except Refusal as blind:
        raise Refusal(
            f"nobody uses `{target.environment}` when it is parked; that cannot be told: {blind.rule}",
            blind.consequence,
            f"if nobody does: virtci park {target.environment} --force; otherwise: {blind.fix}",
        ) from None
    if found and found.holder != holder:
        raise Refusal(
            f"nobody uses `{target.environment}` when it is parked; `{found.holder}` does since {found.since:%H:%M} UTC",
            "its tests would end in the middle",
            f"wait for it, or: virtci park {target.environment} --force",
        )


def _minutes(span: timedelta) -> str:
    return f"{span.total_seconds() / 60:g} minutes"
