"""The simulated world of a rehearsal, made to fit the stack files: what they name exists, and nothing else."""

import json
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Network
from pathlib import Path
from tempfile import TemporaryDirectory

from azure.core.credentials import AccessToken
from azure.core.pipeline.policies import HeadersPolicy
from azure.mgmt.keyvault import KeyVaultManagementClient

from virtci.core.environments import ROWS
from virtci.core.hypervisors import Hypervisor
from virtci.core.kubeconfigs import VARIABLE
from virtci.core.problems import Problem, ProblemsError
from virtci.core.quota import REGIONAL
from virtci.core.readiness import Readiness, judge, parse_record
from virtci.fleet.clouds import kubernetes
from virtci.fleet.cluster_api import ClusterApi
from virtci.fleet.preflight import vault_problems
from virtci.fleet.readiness import measure
from virtci.places import ROOT
from virtci.rehearsal.aws.scenario import Attached, aws_for
from virtci.rehearsal.azure.arm import ResourceManager, Scenario
from virtci.rehearsal.azure.catalogue import warm_up
from virtci.rehearsal.azure.network import FIRST_HOST
from virtci.rehearsal.azure.provider import AzureNative
from virtci.rehearsal.azure.server import serve as serve_azure
from virtci.rehearsal.bridge import Provider, Servers
from virtci.rehearsal.clock import SimulatedClock
from virtci.rehearsal.github.api import GitHubScenario, serve
from virtci.rehearsal.github.api import Server as GitHubServer
from virtci.rehearsal.github.provider import GitHub
from virtci.rehearsal.journal import FaultPlan, Journal
from virtci.rehearsal.kubernetes.provider import MANAGER, Kubernetes
from virtci.rehearsal.kubernetes.scenario import cluster_of
from virtci.rehearsal.kubernetes.server import Cluster, ControlPlane, clusters
from virtci.rehearsal.pipeline.virtual_machines import STAGES as VIRTUAL_MACHINES
from virtci.rehearsal.programs import CLUSTER, Missing, missing
from virtci.rehearsal.tls import Tls
from virtci.settings.load import from_file
from virtci.settings.models import KubeVirt, Settings


@dataclass(frozen=True)
class World:
    """The running clouds: one clock, one call log, one fault plan."""

    clock: SimulatedClock
    journal: Journal
    azure: ResourceManager
    github: GitHubServer
    servers: Servers
    clusters: Mapping[str, ControlPlane] = field(default_factory=dict)
    """The cluster of each stack that declares the contents of one."""
    no_clusters: tuple[Missing, ...] = ()
    """The programs without which there are none."""
    aws: Attached | None = None
    """Where a stack has anything in AWS."""

    @property
    def github_url(self) -> str:
        """Where the simulated GitHub listens."""
        return self.github.url

    def preflight(self, settings: Settings) -> list[Problem]:
        """What the simulated Azure says before a deployment, through the real client."""
        with serve_azure(self.azure) as endpoint:
            return vault_problems(settings, vault_client(endpoint.url, settings.subscription))

    @property
    def own_environments(self) -> dict[str, dict[str, str]]:
        """What is different in the environment of a stack: the provider of its cluster, and the kubeconfig."""
        return {
            stack: {**attach, VARIABLE: str(self.clusters[stack].kubeconfig_file)}
            for stack, attach in self.servers.own_environments.items()
        }

    def measure(self, stack: str, settings: KubeVirt) -> Readiness:
        """Measures the nodes of a stack's cluster, as the pipeline does before it deploys."""
        environment = settings.environment
        with kubernetes(self.clusters[stack].kubeconfig) as client:
            record = measure(client, environment, settings.probe_image)
        return judge(parse_record(json.dumps(record)), ROWS[environment].hypervisor)

    def remaining(self) -> list[str]:
        """What the stacks brought anywhere and did not take away."""
        aws = self.aws.cloud.remaining() if self.aws else []
        return [*self.azure.remaining(), *aws, *self.remaining_in_clusters()]

    def remaining_in_clusters(self) -> list[str]:
        """What the stacks brought into clusters and did not take away."""
        found = []
        for stack, plane in self.clusters.items():
            with kubernetes(plane.kubeconfig) as client:
                api = ClusterApi(client)
                found += [
                    f"{stack}: {kind} {item['metadata']['name']}"
                    for api_version, kind in DECLARED_KINDS
                    for item in api.items(api_version, kind)
                    if any(
                        entry["manager"] == MANAGER and not entry.get("subresource")
                        for entry in item["metadata"].get("managedFields", ())
                    )
                ]
        return found


DECLARED_KINDS = (
    ("v1", "Namespace"),
    ("v1", "ConfigMap"),
    ("v1", "Service"),
    ("v1", "ServiceAccount"),
    ("apps/v1", "Deployment"),
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
    ("rbac.authorization.k8s.io/v1", "ClusterRole"),
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"),
    ("scheduling.k8s.io/v1", "PriorityClass"),
    ("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy"),
    ("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicyBinding"),
)


@contextmanager
def world(
    stacks: Mapping[str, Settings],
    plan: FaultPlan,
    scenario: Scenario | None = None,
    wanted: Mapping[str, Cluster] | None = None,
) -> Iterator[World]:
    """Starts the clouds that the settings of the stacks (or a scenario of Azure) describe, and stops them at the end.

    `wanted`: clusters by stack where they are to be other than the settings say.
    """
    # Microsoft's models take two seconds to import; the engine needs longer than that before it asks for them.
    threading.Thread(target=warm_up, daemon=True).start()
    clock = SimulatedClock()
    journal = Journal(clock, plan)
    azure = ResourceManager(clock, journal, scenario or azure_scenario(stacks))
    with serve(github_scenario(stacks), clock, journal) as github:
        providers: list[Provider] = [AzureNative(azure), GitHub(github.url, clock, journal), Tls()]
        found = {**wanted_clusters(stacks), **(wanted or {})}
        absent = missing(CLUSTER) if found else ()
        with ExitStack() as running:
            folder = Path(running.enter_context(TemporaryDirectory(prefix="virt-ci-")))
            planes: dict[str, ControlPlane] = {}
            if found and not absent:
                planes = running.enter_context(clusters(list(found.values()), folder))
            aws = running.enter_context(aws_for(stacks, clock, journal))
            if aws:
                providers.append(aws.provider)
            own: dict[str, Provider] = {name: Kubernetes(it.kubeconfig_file, journal) for name, it in planes.items()}
            servers = running.enter_context(Servers(providers, own))
            for stack, plane in planes.items():
                if (kubevirt := stacks[stack].kubevirt) and ROWS[kubevirt.environment].compute == "cluster":
                    azure.store.cluster_authority = plane.ca
            yield World(clock, journal, azure, github, servers, planes, absent, aws)


def wanted_clusters(stacks: Mapping[str, Settings]) -> dict[str, Cluster]:
    """The cluster of each stack that declares what is inside one; it is named after the stack."""
    subnets = next((settings.hub.network.subnets for settings in stacks.values() if settings.hub), {})
    found = {stack: cluster_of(settings.cluster, stack) for stack, settings in stacks.items() if settings.cluster}
    return found | {
        stack: cluster_with(settings.kubevirt, stack, address=machine_address(subnets, settings.kubevirt))
        for stack, settings in stacks.items()
        if settings.kubevirt
    }


def cluster_with(kubevirt: KubeVirt, stack: str, hypervisors: Sequence[Hypervisor] = (), address: str = "") -> Cluster:
    """A cluster in which KubeVirt's resource and virtual machines get states."""
    found = cluster_of(kubevirt.environment, stack, hypervisors, address)
    return replace(found, stages=f"{found.stages}\n---\n{VIRTUAL_MACHINES}")


def machine_address(subnets: Mapping[str, IPv4Network], kubevirt: KubeVirt) -> str:
    """The address that the platform gives to the only machine of a subnet; empty for a managed cluster."""
    subnet = subnets.get(kubevirt.environment)
    if ROWS[kubevirt.environment].compute == "cluster" or subnet is None:
        return ""
    return str(subnet[FIRST_HOST])


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
    zones: dict[str, tuple[str, ...]] = {}
    images = set()
    marketplace = set()
    for settings in stacks.values():
        if settings.quota:
            limits.setdefault(settings.region, Counter()).update(
                {REGIONAL: settings.quota.cores, **settings.quota.families}
            )
        if settings.runners and settings.runners.azure:
            for region, place in settings.runners.azure.regions.items():
                limits.setdefault(region, Counter()).update({REGIONAL: place.cores, **place.families})
                zones[region] = tuple(map(str, place.zones))
        images |= {item.machine.image for item in settings.environments.values() if item.machine}
        if settings.hub:
            marketplace.add(settings.hub.runners.image)
    return Scenario(
        subscription=any_stack.subscription,
        tenant=any_stack.tenant,
        limits={region: dict(families) for region, families in limits.items()},
        zones=zones,
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
