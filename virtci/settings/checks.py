"""Rules that span more than one value of a stack file; each check yields all the problems that it sees.

A value that has a fault of its own is not there: asking for it raises `UnreadableError`, which ends the check, but not
the checks of the other environments.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress

from virtci.core import sizes
from virtci.core.environments import ROWS, Environment, Gate
from virtci.core.hypervisors import require_fit
from virtci.core.lifetimes import COMPUTE, Lifetime
from virtci.core.names import kubeconfig_secret, ssh_key_secret
from virtci.core.networks import range_faults, usable_addresses
from virtci.core.problems import Problem, Refusal, nearest
from virtci.core.quota import REGIONAL, Demand, QuotaLine, held_against, machine_demand, pool_demand
from virtci.settings.models import (
    RUNNERS_SUBNET,
    Cluster,
    EnvironmentSettings,
    Hub,
    KubeVirt,
    Machine,
    Quota,
)
from virtci.settings.runner_checks import RUNNER_CHECKS
from virtci.settings.section import Parts, UnreadableError

SECTIONS = ("hub", "environments", "kubevirt", "runners", "runner")
"""Those that declare something."""
Check = Callable[[Parts], Iterator[Problem]]
EnvironmentCheck = Callable[[Parts, Environment, EnvironmentSettings], Iterator[Problem]]


def broken_rules(parts: Parts) -> Iterator[Problem]:
    """Every rule that is broken, as far as the parts can be read."""
    for check in CHECKS:
        yield from _seen(check(parts))
    for name, environment in _environments(parts):
        for environment_check in ENVIRONMENT_CHECKS:
            yield from _seen(environment_check(parts, name, environment))


def sections_present(parts: Parts) -> Iterator[Problem]:
    """A stack declares something, and environments know their hub."""
    environments = parts.get("environments", {})
    if not any(parts.get(section, True) for section in SECTIONS):
        yield Problem(
            "hub", None, "a stack declares a hub, environments, kubevirt or runners",
            "there is nothing to deploy", f"add one of the sections {', '.join(f'`{name}`' for name in SECTIONS)} to the stack file",
        )  # fmt: skip
    if environments and parts.get("hubStack") == "":
        yield Problem(
            "hubStack", None, "environments read network and vault from the stack of the hub",
            "their machines have no subnet", "set hubStack, for example organization/virt-ci/hub",
        )  # fmt: skip


def shares_are_declared(parts: Parts) -> Iterator[Problem]:
    """Whoever declares compute says what it may use and cost."""
    if not parts.get("hub") and not parts.get("environments"):
        return
    for section, what in (("quota", "how many vCPU it may use"), ("budget", "what a month may cost")):
        if section in parts and parts[section] is None:
            yield Problem(
                section, None, f"a stack with machines says {what}",
                "a deployment could take what other stacks need", f"add the section `{section}`",
            )  # fmt: skip


def gate_of_cluster(parts: Parts) -> Iterator[Problem]:
    """KubeVirt in a cluster has its gate on only where the environment's row allows one."""
    kubevirt: KubeVirt | None = parts.get("kubevirt")
    if kubevirt:
        yield from gate_fits("kubevirt.gate", kubevirt.environment, kubevirt.gate)


def address_plan(parts: Parts) -> Iterator[Problem]:
    """Subnets are inside the address space, apart from each other and known by name."""
    hub: Hub | None = parts.get("hub")
    if not hub:
        return
    plan = hub.network
    for fault in range_faults(plan.address_space, plan.subnets):
        key = "hub.network.addressSpace" if fault.name == "addressSpace" else f"hub.network.subnets.{fault.name}"
        yield Problem(
            key, str(fault.network), fault.rule, f"it {fault.reason}; traffic would go astray or the platform refuses it",
            "choose a range of its own inside the address space",
        )  # fmt: skip
    known = [RUNNERS_SUBNET, *Environment]
    for name in plan.subnets:
        if name not in known:
            yield Problem(
                f"hub.network.subnets.{name}", str(plan.subnets[name]), "a subnet is named after its environment",
                "nothing would use it", nearest(name, known),
            )  # fmt: skip


def runners(parts: Parts) -> Iterator[Problem]:
    """The runners have a subnet of their own, and fit in it."""
    hub: Hub | None = parts.get("hub")
    if not hub:
        return
    subnets = hub.network.subnets
    if RUNNERS_SUBNET not in subnets:
        yield Problem(
            f"hub.network.subnets.{RUNNERS_SUBNET}", None, "the runners have a subnet of their own",
            "nobody could reach the environments", "add a range for `runners`",
        )  # fmt: skip
    elif usable_addresses(subnets[RUNNERS_SUBNET]) < len(hub.runners.names):
        yield Problem(
            f"hub.network.subnets.{RUNNERS_SUBNET}", str(subnets[RUNNERS_SUBNET]),
            "a subnet holds its machines; the platform keeps five addresses",
            f"{len(hub.runners.names)} runners do not fit", "use a shorter prefix",
        )  # fmt: skip


def runner_size(parts: Parts) -> Iterator[Problem]:
    """The size of the runners is offered in the region."""
    if parts.get("hub"):
        yield from _offered(parts, "hub.runners.size", parts["hub"].runners.size)


def runner_lifetime(parts: Parts) -> Iterator[Problem]:
    """The runners have a lifetime class of compute."""
    if parts.get("hub"):
        yield from _lives_as_compute("hub.runners.lifetime", parts["hub"].runners.lifetime)


def gate_follows_row(_: Parts, name: Environment, environment: EnvironmentSettings) -> Iterator[Problem]:
    """The gate is on only where the environment's row allows one."""
    yield from gate_fits(f"environments.{name}.gate", name, environment.gate)


def gate_fits(key: str, name: Environment, gate: Gate) -> Iterator[Problem]:
    """A gate, held against the row of its environment."""
    if gate is not Gate.OFF and not ROWS[name].gate_allowed:
        yield Problem(
            key, gate.value, f"{name} ({ROWS[name].purpose}) runs with the gate off",
            "it would test the new hypervisor instead of the regression that it is there for", "set it to off",
        )  # fmt: skip


def compute_follows_row(_: Parts, name: Environment, environment: EnvironmentSettings) -> Iterator[Problem]:
    """The environment has the compute of its row, and no other."""
    key, expected = f"environments.{name}", ROWS[name].compute
    other = "cluster" if expected == "machine" else "machine"
    if getattr(environment, expected) is None:
        yield Problem(
            f"{key}.{expected}", None, f"{name} runs on a {expected}",
            "the environment has no compute", f"add the section `{expected}`",
        )  # fmt: skip
    if getattr(environment, other) is not None:
        yield Problem(
            f"{key}.{other}", "(a section)", f"{name} runs on a {expected}",
            f"the {other} would be paid for and never used", f"remove the section `{other}`",
        )  # fmt: skip


def tests_have_a_reason(_: Parts, name: Environment, environment: EnvironmentSettings) -> Iterator[Problem]:
    """A test step that is off has a reason."""
    if not environment.tests.enabled and not environment.tests.reason:
        yield Problem(
            f"environments.{name}.tests.reason", environment.tests.reason, "a switched-off test step says why",
            "the pipeline would show a green environment that tests nothing", "write the reason, or enable the tests",
        )  # fmt: skip


def sizes_are_offered(parts: Parts, name: Environment, environment: EnvironmentSettings) -> Iterator[Problem]:
    """Every size is offered in the region."""
    key = f"environments.{name}"
    if environment.machine:
        yield from _seen(_offered(parts, f"{key}.machine.size", environment.machine.size))
    if environment.cluster:
        yield from _offered(parts, f"{key}.cluster.systemPool.size", environment.cluster.system_pool.size)
        yield from _offered(parts, f"{key}.cluster.workerPool.size", environment.cluster.worker_pool.size)


def hypervisor_fits(_: Parts, name: Environment, environment: EnvironmentSettings) -> Iterator[Problem]:
    """The machines on which the tests run are large enough for the environment's hypervisor."""
    compute = _hypervisor_size(environment)
    if compute:
        key, size_name = compute
        try:
            require_fit(ROWS[name].hypervisor, sizes.size(size_name))
        except Refusal as refusal:
            yield _problem(f"environments.{name}.{key}", size_name, refusal)


def lifetime_of_compute(_: Parts, name: Environment, environment: EnvironmentSettings) -> Iterator[Problem]:
    """Compute has a lifetime class of compute."""
    for kind, compute in _computes(environment):
        yield from _lives_as_compute(f"environments.{name}.{kind}.lifetime", compute.lifetime)


def pools(_: Parts, name: Environment, environment: EnvironmentSettings) -> Iterator[Problem]:
    """Pools: autoscaler bounds in order, system pool never empty, names apart."""
    if not (cluster := environment.cluster):
        return
    key = f"environments.{name}.cluster"
    for field, pool in (("systemPool", cluster.system_pool), ("workerPool", cluster.worker_pool)):
        low, high = pool.minimum, pool.maximum
        if (low is None) != (high is None) or (low is not None and high is not None and not low <= pool.count <= high):
            yield Problem(
                f"{key}.{field}", f"minimum {low}, count {pool.count}, maximum {high}",
                "minimum and maximum come together, with count between them",
                "the platform refuses the pool", "set both bounds in order, or neither",
            )  # fmt: skip
    if cluster.system_pool.count < 1 or cluster.system_pool.minimum == 0:
        yield Problem(
            f"{key}.systemPool.count", cluster.system_pool.count, "a system pool has at least one node",
            "the platform refuses the cluster", "set count (and minimum) to 1 or more",
        )  # fmt: skip
    if cluster.system_pool.name == cluster.worker_pool.name:
        yield Problem(
            f"{key}.workerPool.name", cluster.worker_pool.name, "the pools of a cluster have different names",
            "the second pool would overwrite the first", "rename one",
        )  # fmt: skip


def secret_names(_: Parts, name: Environment, environment: EnvironmentSettings) -> Iterator[Problem]:
    """The vault takes the names that are derived from machines and environments."""
    if environment.machine:
        try:
            ssh_key_secret(environment.machine.name)
            kubeconfig_secret(name)
        except Refusal as refusal:
            yield _problem(f"environments.{name}.machine.name", environment.machine.name, refusal)


def quota_suffices(parts: Parts) -> Iterator[Problem]:
    """The stack's share of the quota covers everything that can run at once."""
    quota: Quota | None = parts.get("quota")
    region = parts.get("region")
    if not quota or not region:
        return
    found = demands(parts, region)
    for line in held_against(found, quota.limits, quota.reserve):
        if line.exceeded:
            key = "quota.cores" if line.family == "cores" else f"quota.families.{line.family}"
            yield Problem(
                key, line.limit, f"{line.needed} vCPU can run at once in {line.region}, {line.reserve} are kept in reserve",
                f"the deployment stops half-way with QuotaExceeded; {line.missing} vCPU are missing for {asked_by(found, line)}",
                f"raise it to {line.needed + line.reserve} (after the subscription's quota allows it), or choose smaller sizes",
            )  # fmt: skip


def asked_by(found: list[Demand], line: QuotaLine) -> str:
    """Who needs the vCPU of a limit."""
    asking = [item for item in found if line.family in (REGIONAL, item.family)]
    return ", ".join(f"{item.what} ({item.vcpus})" for item in asking)


def own_resource_groups(parts: Parts) -> Iterator[Problem]:
    """Environments do not share a resource group: each makes and removes its own."""
    seen: dict[str, str] = {}
    for name, environment in _environments(parts):
        with suppress(UnreadableError):
            for kind, compute in _computes(environment):
                group = (compute.resource_group or "").lower()
                if seen.get(group, name) != name:
                    yield Problem(
                        f"environments.{name}.{kind}.resourceGroup", compute.resource_group,
                        "every environment has a resource group of its own",
                        f"removing {name} would remove {seen[group]} as well", "choose another name",
                    )  # fmt: skip
                if group:
                    seen.setdefault(group, name)


def one_owner(parts: Parts) -> Iterator[Problem]:
    """Both repositories belong to one owner, because a stack has one GitHub provider."""
    hub: Hub | None = parts.get("hub")
    repository = parts.get("repository")
    if hub and repository and hub.infrastructure_repository.split("/")[0] != repository.split("/")[0]:
        yield Problem(
            "hub.infrastructureRepository", hub.infrastructure_repository,
            f"it has the same owner as repository ({repository})",
            "one of the two cannot be reached by the stack's GitHub provider", "move or mirror one of them",
        )  # fmt: skip


CHECKS: tuple[Check, ...] = (
    sections_present,
    shares_are_declared,
    gate_of_cluster,
    address_plan,
    runners,
    runner_size,
    runner_lifetime,
    quota_suffices,
    own_resource_groups,
    one_owner,
    *RUNNER_CHECKS,
)
ENVIRONMENT_CHECKS: tuple[EnvironmentCheck, ...] = (
    gate_follows_row,
    compute_follows_row,
    tests_have_a_reason,
    sizes_are_offered,
    hypervisor_fits,
    lifetime_of_compute,
    pools,
    secret_names,
)


def demands(parts: Parts, region: str) -> list[Demand]:
    """The vCPU of everything that a stack file declares, at its worst."""
    found: list[Demand] = []
    hub: Hub | None = parts.get("hub")
    if hub:
        found += [machine_demand(name, region, hub.runners.size) for name in hub.runners.names]
    for _, environment in _environments(parts):
        if environment.machine:
            found.append(machine_demand(environment.machine.name, region, environment.machine.size))
        if environment.cluster:
            for pool in (environment.cluster.system_pool, environment.cluster.worker_pool):
                what = f"{environment.cluster.name}/{pool.name}"
                found.append(pool_demand(what, region, pool.size, pool.count, pool.maximum, pool.surge))
    return found


def _environments(parts: Parts) -> Iterator[tuple[Environment, EnvironmentSettings]]:
    yield from parts.get("environments", {}).items()


def _seen(found: Iterator[Problem]) -> Iterator[Problem]:
    """What a check finds before it comes to a value that cannot be read."""
    with suppress(UnreadableError):
        yield from found


def _offered(parts: Parts, key: str, size_name: str) -> Iterator[Problem]:
    region = parts.get("region")
    if region and not sizes.is_offered(size_name, region):
        yield Problem(
            key, size_name, f"a size with a price in {region}", "the platform answers SkuNotAvailable",
            f"{size_name} is offered in: {', '.join(sizes.regions_of(size_name)) or 'no region of the table'}",
        )  # fmt: skip


def _lives_as_compute(key: str, lifetime: Lifetime) -> Iterator[Problem]:
    if lifetime not in COMPUTE:
        yield Problem(
            key, lifetime.value, "compute has one of: " + ", ".join(COMPUTE),
            "its cost would be counted as that of a network", "choose how long it runs",
        )  # fmt: skip


def _computes(environment: EnvironmentSettings) -> Iterator[tuple[str, Machine | Cluster]]:
    if environment.machine:
        yield "machine", environment.machine
    if environment.cluster:
        yield "cluster", environment.cluster


def _hypervisor_size(environment: EnvironmentSettings) -> tuple[str, str] | None:
    if environment.machine:
        return "machine.size", environment.machine.size
    if environment.cluster:
        return "cluster.workerPool.size", environment.cluster.worker_pool.size
    return None


def _problem(key: str, value: object, refusal: Refusal) -> Problem:
    return Problem(key, value, refusal.rule, refusal.consequence, refusal.fix)
