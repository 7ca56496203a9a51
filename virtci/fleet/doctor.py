"""What is missing before the first deployment, found by asking those who will be asked then.

Every question is read-only but one: a registration token is minted on GitHub, because no other answer shows the right to
administer a repository. Nobody uses it and it ends after an hour.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Any

from virtci.core.lifetimes import SCHEDULES
from virtci.core.problems import Refusal
from virtci.core.quota import REGIONAL, Demand, held_against, machine_demand
from virtci.fleet.clouds import Clouds
from virtci.fleet.preflight import vault_problems
from virtci.fleet.troubles import Denied, asking
from virtci.settings.checks import demands
from virtci.settings.models import EnvironmentSettings, Settings

if TYPE_CHECKING:
    import httpx

MANAGEMENT = "https://management.azure.com"
SUBSCRIPTIONS_API = "2022-12-01"
IMAGES_API = "2024-03-03"
HUB_PROVIDERS = (
    "Microsoft.Compute", "Microsoft.Consumption", "Microsoft.Insights", "Microsoft.KeyVault", "Microsoft.ManagedIdentity",
    "Microsoft.Network", "Microsoft.OperationalInsights",
)  # fmt: skip
MACHINE_PROVIDERS = ("Microsoft.Compute", "Microsoft.ManagedIdentity", "Microsoft.Network")
CLUSTER_PROVIDERS = (
    "Microsoft.ContainerService",
    "Microsoft.Insights",
    "Microsoft.ManagedIdentity",
    "Microsoft.Network",
)
SHUTDOWN_PROVIDER = "Microsoft.DevTestLab"


class State(StrEnum):
    """Whether something is there."""

    OK = "ok"
    MISSING = "missing"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a deployment needs; `fix` is empty when it is there."""

    what: str
    state: State
    text: str
    fix: str = ""


def azure_findings(clouds: Clouds, stacks: Mapping[str, Settings]) -> Iterator[Finding]:
    """What Azure says about stacks of one subscription. After a failed login nothing else is asked."""
    login = _one("Azure login", partial(_login, clouds))
    yield login
    if login.state is not State.OK:
        return
    settings = list(stacks.values())
    yield from _guarded("subscription", partial(_subscription, clouds, settings))
    yield from _guarded("resource providers", partial(_providers, clouds, settings))
    yield from _guarded("quota", partial(_quota, clouds, stacks))
    for image in dict.fromkeys(_images(settings)):
        yield _one("image", partial(_gallery_image, clouds, image))
    for stack in settings:
        yield from _guarded("sizes", partial(_sizes, clouds, stack))
        if stack.hub:
            yield _one("runner image", partial(_marketplace_image, clouds, stack))
            yield from _guarded("vault name", partial(_vault, clouds, stack))


def github_findings(github: "httpx.Client", stacks: Mapping[str, Settings]) -> Iterator[Finding]:
    """What GitHub says about the repositories and people that stacks name."""
    for repository in dict.fromkeys(_repositories(stacks.values())):
        yield from _guarded(f"GitHub {repository}", partial(_repository, github, repository))
    for login in dict.fromkeys(_reviewers(stacks.values())):
        yield _one("GitHub reviewer", partial(_reviewer, github, login))


def _login(clouds: Clouds) -> Finding:
    with asking("Entra"):
        clouds.credential.get_token(f"{MANAGEMENT}/.default")
    return Finding("Azure login", State.OK, "Entra gives a token")


def _subscription(clouds: Clouds, stacks: Sequence[Settings]) -> Iterator[Finding]:
    path = f"/subscriptions/{clouds.subscription}"
    found = _read(clouds, path, SUBSCRIPTIONS_API, f"subscription {clouds.subscription}")
    tenant = str(found.get("tenantId"))
    wrong = [stack for stack in stacks if stack.tenant.lower() != tenant.lower()]
    if wrong:
        text = f"it belongs to tenant {tenant}, the stack file says {wrong[0].tenant}"
        yield Finding("subscription", State.MISSING, text, "az login --tenant; or correct `tenant` in the stack file")
    elif found.get("state") != "Enabled":
        yield Finding("subscription", State.MISSING, f"it is {found.get('state')}", "enable it, or name another one")
    else:
        yield Finding("subscription", State.OK, f"visible, in tenant {tenant}")


def _providers(clouds: Clouds, stacks: Sequence[Settings]) -> Iterator[Finding]:
    with asking("the list of resource providers"):
        states = {item.namespace.lower(): item.registration_state for item in clouds.resources.providers.list()}
    needed = sorted({name for stack in stacks for name in needed_providers(stack)})
    missing = [name for name in needed if states.get(name.lower()) != "Registered"]
    for name in missing:
        fix = f"az provider register --namespace {name} --wait"
        yield Finding("resource provider", State.MISSING, f"{name} is {states.get(name.lower()) or 'not known'}", fix)
    if not missing:
        yield Finding("resource providers", State.OK, f"all {len(needed)} are registered")


def needed_providers(stack: Settings) -> Iterator[str]:
    """The resource providers of everything that a stack declares."""
    if stack.hub:
        yield from HUB_PROVIDERS
        if SCHEDULES[stack.hub.runners.lifetime].daily_shutdown:
            yield SHUTDOWN_PROVIDER
    for environment in stack.environments.values():
        if environment.machine:
            yield from MACHINE_PROVIDERS
            if SCHEDULES[environment.machine.lifetime].daily_shutdown:
                yield SHUTDOWN_PROVIDER
        if environment.cluster:
            yield from CLUSTER_PROVIDERS


def _quota(clouds: Clouds, stacks: Mapping[str, Settings]) -> Iterator[Finding]:
    """What all stacks together need at worst against what others leave of the real limits."""
    own = _own_demands(clouds, stacks.values())
    for region in sorted({stack.region for stack in stacks.values()}):
        needed = needed_quota(stack for stack in stacks.values() if stack.region == region)
        if not needed:
            continue
        with asking(f"the vCPU usage in {region}"):
            usages = list(clouds.compute.usage.list(region))
        ours = {line.family.lower(): line.needed for line in held_against(own, {}) if line.region == region}
        left = {item.name.value.lower(): item.limit - item.current_value for item in usages}
        for family, vcpus in needed.items():
            key = family.lower()
            yield _quota_finding(region, family, vcpus, left[key] + ours.get(key, 0) if key in left else None)


def needed_quota(stacks: Iterable[Settings]) -> Counter[str]:
    """The vCPU that stacks of one region need together, by family and in total, their reserves included."""
    needed: Counter[str] = Counter()
    for stack in stacks:
        reserve = stack.quota.reserve if stack.quota else 0
        for line in held_against(declared_demands(stack), {}, reserve):
            needed[line.family] += line.needed + line.reserve
    return needed


def _quota_finding(region: str, family: str, needed: int, left: int | None) -> Finding:
    what = "the regional total" if family == REGIONAL else family
    text = f"{what} in {region}: {needed} vCPU needed at worst, reserve included"
    if left is None:
        return Finding(
            "quota", State.UNKNOWN, f"{text}; Azure names no such limit", f"az vm list-usage --location {region}"
        )
    text += f"; {left} can be had"
    if needed <= left:
        return Finding("quota", State.OK, text)
    return Finding("quota", State.MISSING, text, f"ask for {needed - left} more; docs/runbooks/quota-hit.md")


def declared_demands(stack: Settings) -> list[Demand]:
    """The vCPU that a stack can need at once."""
    return demands({"hub": stack.hub, "environments": stack.environments}, stack.region)


def _own_demands(clouds: Clouds, stacks: Iterable[Settings]) -> list[Demand]:
    """What is already there of the stacks: it counts in Azure's usage, and not against them."""
    names = {item.what.partition("/")[0].lower() for stack in stacks for item in declared_demands(stack)}
    found: list[Demand] = []
    with asking("the list of machines and clusters"):
        for machine in clouds.compute.virtual_machines.list_all():
            if machine.name.lower() in names:
                found.append(machine_demand(machine.name, machine.location, machine.hardware_profile.vm_size))
        for cluster in clouds.clusters.managed_clusters.list():
            pools = cluster.agent_pool_profiles or [] if cluster.name.lower() in names else []
            found += [machine_demand(cluster.name, cluster.location, pool.vm_size, pool.count or 0) for pool in pools]
    return found


def _images(stacks: Sequence[Settings]) -> Iterator[str]:
    yield from (item.machine.image for stack in stacks for item in stack.environments.values() if item.machine)


def _gallery_image(clouds: Clouds, image: str) -> Finding:
    try:
        _read(clouds, image, IMAGES_API, f"image {image}")
    except Denied as denied:
        fix = "its owner gives this login, and virt-ci-deploy, the role Compute Gallery Image Reader; or correct the id"
        return Finding("image", State.MISSING, f"{image}: {denied.consequence}", fix)
    return Finding("image", State.OK, f"{image} can be read")


def _marketplace_image(clouds: Clouds, stack: Settings) -> Finding:
    image = stack.hub.runners.image if stack.hub else ""
    publisher, offer, sku, version = image.split(":")
    with asking(f"image {image}"):
        found = [item.name for item in clouds.compute.virtual_machine_images.list(stack.region, publisher, offer, sku)]
    if found and version in ("latest", *found):
        return Finding("runner image", State.OK, f"{image} is offered in {stack.region}")
    fix = f"az vm image list --location {stack.region} --publisher {publisher} --offer {offer} --sku {sku} --all"
    return Finding("runner image", State.MISSING, f"{image} is not offered in {stack.region}", fix)


def _sizes(clouds: Clouds, stack: Settings) -> Iterator[Finding]:
    wanted = sorted(set(_wanted_sizes(stack)))
    if not wanted:
        return
    with asking(f"the sizes of {stack.region}"):
        found = list(clouds.compute.resource_skus.list(filter=f"location eq '{stack.region}'"))
    offered = {item.name for item in found if stack.region in (item.locations or []) and not item.restrictions}
    missing = [size for size in wanted if size not in offered]
    for size in missing:
        fix = f"az vm list-skus --location {stack.region} --size {size}: ask for it, or choose another size"
        yield Finding("size", State.MISSING, f"{size} is not offered to this subscription in {stack.region}", fix)
    if not missing:
        yield Finding("sizes", State.OK, f"{', '.join(wanted)} in {stack.region}")


def _wanted_sizes(stack: Settings) -> Iterator[str]:
    if stack.hub:
        yield stack.hub.runners.size
    for environment in stack.environments.values():
        yield from _sizes_of(environment)


def _sizes_of(environment: EnvironmentSettings) -> Iterator[str]:
    if environment.machine:
        yield environment.machine.size
    if environment.cluster:
        yield from (environment.cluster.system_pool.size, environment.cluster.worker_pool.size)


def _vault(clouds: Clouds, stack: Settings) -> Iterator[Finding]:
    with asking("the check of the vault's name"):
        problems = vault_problems(stack, clouds.vaults)
    for problem in problems:
        yield Finding("vault name", State.MISSING, f"{problem.value}: {problem.consequence}", problem.fix)
    if not problems and stack.hub:
        yield Finding("vault name", State.OK, f"{stack.hub.key_vault.name} can be had, or is ours")


def _read(clouds: Clouds, path: str, version: str, what: str) -> Mapping[str, Any]:
    from azure.core.rest import HttpRequest

    with asking(what):
        answer = clouds.resources.send_request(HttpRequest("GET", path, params={"api-version": version}))
        answer.raise_for_status()
        content: Mapping[str, Any] = answer.json()
    return content


def _repositories(stacks: Iterable[Settings]) -> Iterator[str]:
    for stack in stacks:
        yield stack.repository
        if stack.hub:
            yield stack.hub.infrastructure_repository


def _reviewers(stacks: Iterable[Settings]) -> Iterator[str]:
    for stack in stacks:
        protections = [item.protection for item in stack.environments.values()]
        for protection in [*protections, *([stack.hub.protection] if stack.hub else [])]:
            yield from protection.reviewers


def _repository(github: "httpx.Client", repository: str) -> Iterator[Finding]:
    """Sees it, reads its environments, and administers it: what the deployment will do."""
    what = f"GitHub {repository}"
    for title, method, path in (
        ("visible", "GET", f"/repos/{repository}"),
        ("its environments can be read", "GET", f"/repos/{repository}/environments"),
        ("can be administered", "POST", f"/repos/{repository}/actions/runners/registration-token"),
    ):
        with asking(what):
            answer = github.request(method, path)
        if not answer.is_success:
            yield _refused(what, title, answer)
            return
        yield Finding(what, State.OK, title)


def _refused(what: str, title: str, answer: "httpx.Response") -> Finding:
    """GitHub names the permission that a request needs; a repository that a token may not see is not there for it."""
    needed = answer.headers.get("X-Accepted-GitHub-Permissions", "")
    text = f"`{title}` is not so: GitHub says {answer.status_code}"
    if answer.status_code == 401:
        return Finding(what, State.MISSING, text, "GITHUB_TOKEN is not good; make a new one")
    fix = f"give the token the permission {needed}" if needed else (
        "give the token access to the repository with Administration, Environments, Secrets and Variables: write; "
        "or correct the repository's name"
    )  # fmt: skip
    return Finding(what, State.MISSING if answer.status_code in (403, 404) else State.UNKNOWN, text, fix)


def _reviewer(github: "httpx.Client", login: str) -> Finding:
    with asking("GitHub"):
        answer = github.get(f"/users/{login}")
    if answer.status_code == 404:
        return Finding(
            "GitHub reviewer", State.MISSING, f"{login} is not on GitHub", "correct the login in `reviewers`"
        )
    if not answer.is_success:
        return Finding("GitHub reviewer", State.UNKNOWN, f"{login}: GitHub says {answer.status_code}", "run this again")
    return Finding("GitHub reviewer", State.OK, f"{login} exists")


def _one(what: str, ask: Callable[[], Finding]) -> Finding:
    return next(iter(_guarded(what, lambda: iter([ask()]))))


def _guarded(what: str, ask: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """What a question finds: a no is something missing, no answer at all is unknown."""
    try:
        yield from ask()
    except Refusal as refusal:
        state = State.MISSING if isinstance(refusal, Denied) else State.UNKNOWN
        yield Finding(what, state, f"{refusal.rule}: {refusal.consequence}", refusal.fix)
