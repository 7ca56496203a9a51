"""What state the environments are in, asked of the clouds and of the clusters themselves.

What cannot be asked is shown as unknown with the reason; a parked environment is asked for what it can tell asleep.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar

from virtci.core.boot_tags import Boot, Stage
from virtci.core.environments import Gate
from virtci.core.hypervisors import Hypervisor
from virtci.core.inventory import CLUSTER, MACHINE, POOL, Resource, bill
from virtci.core.problems import Refusal
from virtci.core.readiness import Record, judge
from virtci.fleet.clouds import Clouds, kubernetes
from virtci.fleet.cluster_records import KubeVirtState, answers, kubevirt, last_test, readiness
from virtci.fleet.kubeconfigs import SOON, Kubeconfig, expired_fix, look, unpublished_fix
from virtci.fleet.power import Condition, Power, condition
from virtci.fleet.troubles import asking
from virtci.outputs.contract import MachinePart
from virtci.outputs.fleet import Fleet, Target
from virtci.outputs.last_test import LastTest

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

Found = TypeVar("Found")
BUDGETS_API = "2024-08-01"
HYPERVISOR_ABSENT = "docs/runbooks/hypervisor-absent.md"
CLUSTER_FACTS = ("cluster", "readiness", "gate", "kubevirt", "last test")


class Level(StrEnum):
    """How a fact is to be taken."""

    GOOD = "good"
    ATTENTION = "attention"
    UNKNOWN = "unknown"
    ASLEEP = "asleep"


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that is known, or not known, about an environment or a stack."""

    name: str
    text: str
    level: Level = Level.GOOD
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Subject:
    """What the facts are about: an environment, or the budget of a stack."""

    name: str
    compute: str
    facts: tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class Status:
    """Everything that was asked for."""

    at: datetime
    environments: tuple[Subject, ...]
    stacks: tuple[Subject, ...]

    @property
    def worst(self) -> Level:
        """Attention before unknown, unknown before good."""
        found = {fact.level for subject in (*self.environments, *self.stacks) for fact in subject.facts}
        return next((level for level in (Level.ATTENTION, Level.UNKNOWN) if level in found), Level.GOOD)


def look_at(clouds: Clouds, fleet: Fleet, targets: Sequence[Target], now: datetime) -> Status:
    """The status of environments, and of the budgets of their stacks."""
    stacks = list(dict.fromkeys(target.stack for target in targets))
    with ThreadPoolExecutor(max_workers=max(len(targets), 1)) as pool:
        environments = pool.map(lambda target: _environment(clouds, target, now), targets)
        budgets = pool.map(lambda stack: _budget(clouds, fleet.subscription, stack), stacks)
        return Status(now, tuple(environments), tuple(budgets))


def _environment(clouds: Clouds, target: Target, now: datetime) -> Subject:
    found = _guarded("power", lambda: _power(clouds, target, now))
    state, facts = (None, [found]) if isinstance(found, Fact) else found
    asleep = state is not None and state.power in (Power.PARKED, Power.STOPPED)
    kubeconfig = _guarded("kubeconfig", lambda: look(clouds, target))
    if isinstance(kubeconfig, Fact):
        facts += [*_not_asked(Level.UNKNOWN, "there is no kubeconfig to ask with"), kubeconfig]
    else:
        facts += _cluster_facts(target, kubeconfig, now, asleep)
        facts.append(kubeconfig_fact(target, kubeconfig, now, asleep))
    facts.append(_fact("cost", lambda: _cost(clouds, target, now)))
    return Subject(target.environment.value, f"{target.kind} {target.compute.name}", tuple(facts))


def _power(clouds: Clouds, target: Target, now: datetime) -> tuple[Condition, list[Fact]]:
    found = condition(clouds, target)
    facts = [power_fact(found.power, target)]
    if isinstance(target.compute, MachinePart):
        facts.append(boot_fact(found, target.part.hypervisor, now))
    return found, facts


def power_fact(power: Power, target: Target) -> Fact:
    """Whether there is hardware, and whether it is paid for without being used."""
    if power is Power.STOPPED:
        fix = f"virtci park {target.environment} --force"
        return Fact("power", "shut down from inside: off, and paid for", Level.ATTENTION, fix)
    return Fact("power", power.value, Level.UNKNOWN if power is Power.UNKNOWN else Level.GOOD)


def boot_fact(found: Condition, declared: Hypervisor, now: datetime) -> Fact:
    """How far the machine's last boot came, and which hypervisor it found."""
    boot = found.boot
    if boot is None:
        return Fact("boot", "the machine has not told of any", Level.UNKNOWN, "restart it: it tells at every boot")
    text = f"{boot.stage} ({boot.at:%Y-%m-%d %H:%M} UTC), hypervisor {boot.hypervisor or 'not known yet'}"
    text += f": {boot.reason}" if boot.reason else ""
    if found.power in (Power.PARKED, Power.STOPPED):
        return Fact("boot", f"the last one was {text}", Level.ASLEEP)
    if boot.stage is Stage.FAILED:
        return Fact("boot", text, Level.ATTENTION, boot.fix)
    if boot.is_overdue(now):
        return Fact("boot", f"{text}; it should have ended long ago", Level.ATTENTION, "read its boot diagnostics")
    return Fact("boot", text, *_hypervisor(boot, declared))


def _hypervisor(boot: Boot, declared: Hypervisor) -> tuple[Level, str]:
    """Whether the machine has what its environment promises; emulation needs nothing."""
    met = declared is Hypervisor.EMULATION or boot.hypervisor in (declared, None)
    return (Level.GOOD, "") if met else (Level.ATTENTION, HYPERVISOR_ABSENT)


def _cluster_facts(target: Target, kubeconfig: Kubeconfig, now: datetime, asleep: bool) -> list[Fact]:
    if asleep:
        return _not_asked(Level.ASLEEP, f"parked; virtci wake {target.environment}")
    if not kubeconfig.published or kubeconfig.expired(now):
        return _not_asked(Level.UNKNOWN, "the kubeconfig opens nothing")
    try:
        with asking(f"the cluster of `{target.environment}`"), kubernetes(kubeconfig.text) as api:
            return list(_asked(api, target, now))
    except Refusal as refusal:
        first, *rest = _not_asked(Level.UNKNOWN, "the cluster was not reached")
        return [Fact(first.name, _reason(refusal), Level.UNKNOWN, refusal.fix), *rest]


def _not_asked(level: Level, why: str) -> list[Fact]:
    return [Fact(name, why, level) for name in CLUSTER_FACTS]


def _asked(api: "ApiClient", target: Target, now: datetime) -> Iterator[Fact]:
    yield Fact("cluster", f"Kubernetes {answers(api)}")
    yield _fact("readiness", lambda: readiness_fact(readiness(api), target))
    state = _guarded("kubevirt", lambda: kubevirt(api))
    if isinstance(state, Fact):
        yield Fact("gate", state.text, Level.UNKNOWN, state.fix)
        yield state
    else:
        yield gate_fact(state, target)
        yield kubevirt_fact(state, target)
    yield _fact("last test", lambda: last_test_fact(last_test(api), target, now))


def readiness_fact(record: Record | None, target: Target) -> Fact:
    """Whether every node has what the environment's hypervisor needs."""
    if record is None:
        wanted = target.part.gate is not Gate.OFF
        text = "the nodes were never measured"
        return Fact("readiness", text, *((Level.ATTENTION, f"virtci readiness {target.environment}") if wanted else ()))
    judged = judge(record, target.part.hypervisor)
    text = f"{judged.message} ({judged.measured_at:%Y-%m-%d %H:%M} UTC)"
    return Fact("readiness", text, *(() if judged.ready else (Level.ATTENTION, HYPERVISOR_ABSENT)))


def gate_fact(state: KubeVirtState | None, target: Target) -> Fact:
    """The gate that is in the cluster against the one that is declared."""
    declared, effective = target.part.gate, state.gate if state else Gate.OFF
    if effective is declared:
        return Fact("gate", effective.value)
    why = f": {target.kubevirt.reason}" if target.kubevirt and target.kubevirt.gate is effective else ""
    fix = f"see why: pulumi preview --stack {target.environment}-kubevirt"
    return Fact("gate", f"{effective}, declared {declared}{why}", Level.ATTENTION, fix)


def kubevirt_fact(state: KubeVirtState | None, target: Target) -> Fact:
    """The version of KubeVirt, and whether it is all there."""
    deploy = f"pulumi up --stack {target.environment}-kubevirt"
    if state is None:
        return Fact("kubevirt", "not deployed", Level.ATTENTION, deploy)
    text = f"{state.version or 'version not known yet'}, {state.phase or 'no phase yet'}"
    good = state.phase == "Deployed"
    return Fact("kubevirt", text, *(() if good else (Level.ATTENTION, "kubectl -n kubevirt describe kubevirt")))


def last_test_fact(record: LastTest | None, target: Target, now: datetime) -> Fact:
    """How the last test run ended."""
    if record is None:
        text = "none yet" if target.part.tests.enabled else f"off: {target.part.tests.reason}"
        return Fact("last test", text)
    counts = f"{record.passed} passed, {record.failed} failed, {record.skipped} skipped"
    text = f"{record.result} {_span(now - record.at)} ago: {counts}"
    bad = record.result in ("failed", "cancelled")
    return Fact("last test", text, *((Level.ATTENTION, record.url) if bad else ()))


def kubeconfig_fact(target: Target, kubeconfig: Kubeconfig, now: datetime, asleep: bool) -> Fact:
    """Whether the kubeconfig in the vault is good, and for how long; waking a machine renews it."""
    name = "kubeconfig"
    if not kubeconfig.published:
        return Fact(name, "never published", Level.ASLEEP if asleep else Level.ATTENTION, unpublished_fix(target))
    if kubeconfig.expires is None:
        return Fact(name, "holds no credential; Entra is asked" if target.kind == "cluster" else "has no expiry")
    left = kubeconfig.expires - now
    if left > SOON:
        return Fact(name, f"good for {_span(left)}")
    text = f"expires in {_span(left)}" if left > timedelta(0) else f"expired {_span(-left)} ago"
    if asleep:
        return Fact(name, f"{text}; waking renews it", Level.ASLEEP)
    fix = f"virtci rotate kubeconfig {target.environment}" if left > timedelta(0) else expired_fix(target)
    return Fact(name, text, Level.ATTENTION, fix)


def _cost(clouds: Clouds, target: Target, now: datetime) -> Fact:
    """An estimate, and called one: list prices and the hours that the lifetime class expects."""
    group, name = target.compute.resource_group, target.compute.name
    with asking(f"{target.kind} {name}"):
        if isinstance(target.compute, MachinePart):
            found = [_resource(MACHINE, name, clouds.compute.virtual_machines.get(group, name).as_dict())]
        else:
            found = _with_pools(name, clouds.clusters.managed_clusters.get(group, name).as_dict())
    priced = bill(found)
    month = sum(cost.expected for cost in priced.costs)
    text = f"about {month * share_of_month(now):.0f} of {month:.0f} USD this month, by list prices and lifetime class"
    missing = f"; without {', '.join(priced.unpriced)}" if priced.unpriced else ""
    return Fact("cost", text + missing, Level.UNKNOWN if missing else Level.GOOD)


def _resource(kind: str, name: str, live: Mapping[str, Any]) -> Resource:
    """A live resource in the form in which declared ones are priced."""
    own = {key: live[key] for key in ("location", "tags", "sku") if key in live}
    return Resource(name, kind, {**(live.get("properties") or {}), **own})


def _with_pools(name: str, live: Mapping[str, Any]) -> list[Resource]:
    """A cluster with the pools that always run, and its other pools each by itself."""
    cluster = _resource(CLUSTER, name, live)
    pools = list(cluster.properties.get("agentPoolProfiles") or [])
    inline = [pool for pool in pools if pool.get("mode") == "System"]
    own = Resource(name, CLUSTER, {**cluster.properties, "agentPoolProfiles": inline, "resourceName": name})
    others = [pool for pool in pools if pool.get("mode") != "System"]
    return [own, *(Resource(str(pool["name"]), POOL, {**pool, "resourceName": name}) for pool in others)]


def share_of_month(now: datetime) -> float:
    """How much of the month is over."""
    first = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    following = (first + timedelta(days=32)).replace(day=1)
    return (now - first) / (following - first)


def _budget(clouds: Clouds, subscription: str, stack: str) -> Subject:
    return Subject(stack, "stack", (_fact("budget", lambda: _spent(clouds, subscription, stack)),))


def _spent(clouds: Clouds, subscription: str, stack: str) -> Fact:
    """What Azure itself has counted against the stack's budget; it counts with a day of delay."""
    from azure.core.rest import HttpRequest

    name = f"virt-ci-{stack}"
    path = f"/subscriptions/{subscription}/providers/Microsoft.Consumption/budgets/{name}"
    with asking(f"budget {name}"):
        answer = clouds.resources.send_request(HttpRequest("GET", path, params={"api-version": BUDGETS_API}))
        answer.raise_for_status()
    properties = answer.json()["properties"]
    spent, limit = float((properties.get("currentSpend") or {}).get("amount") or 0), float(properties["amount"])
    text = f"{spent:.0f} of {limit:.0f} USD spent this month, as Azure counts, a day late"
    return Fact("budget", text, *((Level.ATTENTION, "docs/architecture.md, cost") if spent > limit else ()))


def _fact(name: str, ask: Callable[[], Fact]) -> Fact:
    return _guarded(name, ask)


def _guarded(name: str, ask: Callable[[], Found]) -> Found | Fact:
    """What was asked for, or the fact that it is unknown and why."""
    try:
        return ask()
    except Refusal as refusal:
        return Fact(name, _reason(refusal), Level.UNKNOWN, refusal.fix)


def _reason(refusal: Refusal) -> str:
    return f"{refusal.rule}: {refusal.consequence}"


def _span(span: timedelta) -> str:
    """A span of time in its two largest units."""
    minutes = int(span.total_seconds() // 60)
    days, hours = minutes // 1440, minutes % 1440 // 60
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes % 60} min" if hours else f"{minutes} min"
