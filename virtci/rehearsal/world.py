"""The simulated world of a rehearsal, made to fit the stack files: what they name exists, and nothing else."""

import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from azure.core.credentials import AccessToken
from azure.core.pipeline.policies import HeadersPolicy
from azure.mgmt.keyvault import KeyVaultManagementClient

from virtci.core.problems import Problem, ProblemsError
from virtci.core.quota import REGIONAL
from virtci.fleet.preflight import vault_problems
from virtci.places import ROOT
from virtci.rehearsal.azure.arm import ResourceManager, Scenario
from virtci.rehearsal.azure.catalogue import warm_up
from virtci.rehearsal.azure.provider import AzureNative
from virtci.rehearsal.azure.server import serve as serve_azure
from virtci.rehearsal.bridge import Provider, Servers
from virtci.rehearsal.clock import SimulatedClock
from virtci.rehearsal.github.api import GitHubScenario, serve
from virtci.rehearsal.github.provider import GitHub
from virtci.rehearsal.journal import FaultPlan, Journal
from virtci.rehearsal.tls import Tls
from virtci.settings.load import from_file
from virtci.settings.models import Settings


@dataclass(frozen=True)
class World:
    """The running clouds: one clock, one call log, one fault plan."""

    clock: SimulatedClock
    journal: Journal
    azure: ResourceManager
    github_url: str
    servers: Servers

    def preflight(self, settings: Settings) -> list[Problem]:
        """What the simulated Azure says before a deployment, through the real client."""
        with serve_azure(self.azure) as endpoint:
            return vault_problems(settings, vault_client(endpoint.url, settings.subscription))


@contextmanager
def world(stacks: Mapping[str, Settings], plan: FaultPlan, scenario: Scenario | None = None) -> Iterator[World]:
    """Starts the clouds that the settings of the stacks (or a scenario of Azure) describe, and stops them at the end."""
    # Microsoft's models take two seconds to import; the engine needs longer than that before it asks for them.
    threading.Thread(target=warm_up, daemon=True).start()
    clock = SimulatedClock()
    journal = Journal(clock, plan)
    azure = ResourceManager(clock, journal, scenario or azure_scenario(stacks))
    with serve(github_scenario(stacks), clock, journal) as github:
        providers: list[Provider] = [AzureNative(azure), GitHub(github.url, clock, journal), Tls()]
        with Servers(providers) as servers:
            yield World(clock, journal, azure, github.url, servers)


class NoCredential:
    """A credential for a cloud that nobody needs to log in to."""

    def get_token(self, *_: str, **__: object) -> AccessToken:
        """A token that says nothing."""
        return AccessToken("rehearsal", 2**31)


def vault_client(url: str, subscription: str) -> KeyVaultManagementClient:
    """The real client; its own policy would refuse to send a token over plain HTTP."""
    return KeyVaultManagementClient(
        NoCredential(),
        subscription,
        base_url=url,
        authentication_policy=HeadersPolicy({"Authorization": "Bearer rehearsal"}),
        retry_total=0,
    )


def read_stacks(names: tuple[str, ...], folder: Path = ROOT) -> dict[str, Settings]:
    """The settings of stacks by name. Raises `ProblemsError` with the problems of all of them."""
    found: dict[str, Settings] = {}
    problems: list[Problem] = []
    for name in names:
        path = folder / f"Pulumi.{name}.yaml"
        try:
            found[name] = from_file(path, rehearsal=True)
        except ProblemsError as error:
            problems += [replace(problem, key=f"{path.name}: {problem.key}") for problem in error.problems]
    if problems:
        raise ProblemsError("stack files", problems)
    return found


def azure_scenario(stacks: Mapping[str, Settings]) -> Scenario:
    """A subscription whose quota is what the stacks' shares add up to, and that sees the images they name."""
    any_stack = next(iter(stacks.values()))
    limits: dict[str, Counter[str]] = {}
    images = set()
    marketplace = set()
    for settings in stacks.values():
        limits.setdefault(settings.region, Counter()).update(
            {REGIONAL: settings.quota.cores, **settings.quota.families}
        )
        images |= {item.machine.image for item in settings.environments.values() if item.machine}
        if settings.hub:
            marketplace.add(settings.hub.runners.image)
    return Scenario(
        subscription=any_stack.subscription,
        tenant=any_stack.tenant,
        limits={region: dict(families) for region, families in limits.items()},
        images=frozenset(images),
        marketplace=frozenset(marketplace),
    )


def github_scenario(stacks: Mapping[str, Settings]) -> GitHubScenario:
    """An organization with the repositories and reviewers that the stacks name."""
    slugs: dict[str, None] = {}
    logins: dict[str, None] = {}
    for settings in stacks.values():
        slugs[settings.repository] = None
        protections = [item.protection for item in settings.environments.values()]
        if settings.hub:
            slugs[settings.hub.infrastructure_repository] = None
            protections.append(settings.hub.protection)
        logins |= {login: None for protection in protections for login in protection.reviewers}
    owner = next(iter(slugs)).split("/")[0]
    return GitHubScenario.model_validate(
        {
            "owner": {"login": owner, "id": 9001, "type": "Organization"},
            "repositories": [{"name": slug.split("/")[1], "id": 7001 + index} for index, slug in enumerate(slugs)],
            "users": [{"login": login, "id": 5001 + index} for index, login in enumerate(logins)],
        }
    )
