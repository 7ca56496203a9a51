"""The settings of a stack: what a stack file may hold, section by section.

A section that is absent is a system that is not there. Keys are written in camelCase, as in Pulumi's own files.
"""

from pydantic import Field

from virtci.core.environments import Environment
from virtci.core.lifetimes import Lifetime
from virtci.core.readiness import WhenNotReady
from virtci.settings.runners import RunnerFleet, RunnerMachine
from virtci.settings.section import Agent, Section
from virtci.settings.types import (
    BranchPattern,
    Cidr,
    ClockTime,
    ClusterName,
    FirstOfMonth,
    GalleryImage,
    GateChoice,
    Guid,
    ImageByDigest,
    K3sVersion,
    KeyVaultName,
    KubernetesVersion,
    Label,
    Login,
    MachineName,
    Mail,
    MarketplaceImage,
    NetworkName,
    PoolName,
    Region,
    ResourceGroupName,
    Sha256,
    SizeName,
    Slug,
    StackReferenceName,
    Surge,
    TagWord,
    WorkspaceName,
)

RUNNERS_SUBNET = "runners"


class Quota(Section):
    """The stack's share of the subscription's vCPU quota in its region."""

    cores: int = Field(ge=1, description="Share of the regional total, in vCPU.")
    families: dict[str, int] = Field(description="Share of each VM family, in vCPU, by the platform's family name.")
    reserve: int = Field(default=0, ge=0, description="vCPU kept free in the total and in each family.")

    @property
    def limits(self) -> dict[str, int]:
        """All limits by the names that the platform uses."""
        return {**self.families, "cores": self.cores}


class Budget(Section):
    """What a month of the stack may cost, and who hears of it."""

    monthly_usd: int = Field(ge=1, description="Limit on the expected cost of a month, in USD.")
    start: FirstOfMonth = Field(description="First day of the month from which the budget counts.")
    contacts: tuple[Mail, ...] = Field(min_length=1, description="Who gets the alerts.")


class Protection(Section):
    """Who may deploy to a GitHub Environment, and from where."""

    reviewers: tuple[Login, ...] = Field(min_length=1, max_length=6, description="People of whom one must approve.")
    wait_minutes: int = Field(
        default=0, ge=0, le=43200, description="Minutes that a deployment waits before it begins."
    )
    branches: tuple[BranchPattern, ...] = Field(
        min_length=1, description="Branches that may deploy; `*` does not cross a slash."
    )


class NetworkSettings(Section):
    """The one address plan: a subnet for the runners and one per environment."""

    name: NetworkName = Field(description="Name of the virtual network.")
    address_space: Cidr = Field(description="Range of the whole network; apart from what k3s and AKS use inside.")
    subnets: dict[str, Cidr] = Field(description="Range of each subnet: `runners` and the names of environments.")


class KeyVaultSettings(Section):
    """The vault with SSH keys and kubeconfigs."""

    name: KeyVaultName = Field(description="Name of the vault; unique in all of Azure.")
    soft_delete_days: int = Field(default=90, ge=7, le=90, description="Days that deleted secrets can be recovered.")


class Runners(Section):
    """The long-lived machines that run GitHub Actions jobs."""

    names: tuple[MachineName, ...] = Field(min_length=1, description="A machine for each name.")
    size: SizeName = Field(description="Size of every runner.")
    image: MarketplaceImage = Field(description="Image of the marketplace.")
    os_disk_gib: int = Field(default=128, ge=30, le=512, description="GiB of the disk.")
    lifetime: Lifetime = Field(description="When the machines run, not `durable`; decides shutdown and cost.")
    labels: tuple[Label, ...] = Field(min_length=1, description="Labels of the runners beside `self-hosted`.")
    agent: Agent = Field(description="The agent that they run.")


class Hub(Section):
    """What all environments share."""

    resource_group: ResourceGroupName = Field(description="Resource group of everything in this section.")
    workspace: WorkspaceName = Field(description="Log Analytics workspace that takes the logs of vault and cluster.")
    log_retention_days: int = Field(default=30, ge=30, le=730, description="Days that logs are kept.")
    network: NetworkSettings = Field(description="The address plan.")
    key_vault: KeyVaultSettings = Field(description="The vault.")
    runners: Runners = Field(description="The machines that run jobs.")
    infrastructure_repository: Slug = Field(description="Repository that runs `pulumi`; deploy and preview trust it.")
    protection: Protection = Field(description="Protection of the GitHub Environment `deploy` of that repository.")


class K3s(Section):
    """The release of k3s that a machine installs."""

    version: K3sVersion = Field(description="Release of k3s-io/k3s, for example v1.34.1+k3s1.")
    binary_sha256: Sha256 = Field(description="Checksum of the release's binary `k3s`.")
    install_script_sha256: Sha256 = Field(description="Checksum of `install.sh` at the tag of the release.")


class Machine(Section):
    """A VM with a single-node k3s cluster."""

    resource_group: ResourceGroupName = Field(description="Resource group of the environment; of no other one.")
    name: MachineName = Field(description="Name of the machine.")
    size: SizeName = Field(description="Size; large enough for the environment's hypervisor.")
    image: GalleryImage = Field(description="The dom0qemu image of a Compute Gallery.")
    k3s: K3s = Field(alias="k3s", description="The Kubernetes that the machine installs at its first boot.")
    os_disk_gib: int = Field(default=128, ge=64, le=512, description="GiB of the disk.")
    lifetime: Lifetime = Field(description="When the machine runs, not `durable`; decides shutdown and cost.")
    shutdown_time: ClockTime = Field(default="1900", description="Local time of the daily shutdown.")
    time_zone: str = Field(default="UTC", description="Windows name of the time zone of the shutdown.")


class Pool(Section):
    """A node pool of a managed cluster."""

    name: PoolName = Field(description="Name of the pool; another one than its neighbour's.")
    size: SizeName = Field(description="Size of the nodes.")
    count: int = Field(ge=0, le=100, description="Nodes to begin with.")
    minimum: int | None = Field(
        default=None, ge=0, le=100, description="Least nodes of the autoscaler; absent: fixed size."
    )
    maximum: int | None = Field(default=None, ge=1, le=100, description="Most nodes of the autoscaler.")
    surge: Surge = Field(default="1", description="Extra nodes during an upgrade, for example 1 or 33%.")
    os_disk_gib: int = Field(default=128, ge=64, le=512, description="GiB of a node's disk.")


class Cluster(Section):
    """An AKS cluster with a system pool and a worker pool."""

    name: ClusterName = Field(description="Name of the cluster.")
    resource_group: ResourceGroupName | None = Field(
        default=None, description="Resource group of the environment; absent: that of the hub."
    )
    kubernetes_version: KubernetesVersion = Field(description="Kubernetes version, for example 1.34.")
    system_pool: Pool = Field(description="Nodes of the cluster's own services; never empty.")
    worker_pool: Pool = Field(description="Nodes of the tests.")
    lifetime: Lifetime = Field(description="When the workers run, not `durable`; decides the expected cost.")


class Tests(Section):
    """Whether the test step of an environment runs; a step that is off says why."""

    enabled: bool = Field(default=True, description="Whether the step runs.")
    reason: str = Field(default="", description="Why the step is off; shown in the pipeline.")

    __test__ = False


class EnvironmentSettings(Section):
    """One test environment: its compute, its gate, its tests, its protection."""

    gate: GateChoice = Field(description="KubeVirt feature gate; only where the environment's row allows one.")
    machine: Machine | None = Field(default=None, description="The VM; for every environment but `test-kvm`.")
    cluster: Cluster | None = Field(default=None, description="The cluster; only for `test-kvm`.")
    tests: Tests = Field(default=Tests(), description="The test step; absent: on.")
    protection: Protection = Field(description="Protection of the GitHub Environment.")

    @property
    def compute(self) -> Machine | Cluster:
        """What the environment runs on. Raises `ValueError` where the settings were not checked."""
        found = self.machine or self.cluster
        if found is None:
            raise ValueError("an environment has a machine or a cluster")
        return found


class KubeVirt(Section):
    """KubeVirt in the cluster of one environment."""

    environment: Environment = Field(description="Environment whose cluster it is.")
    release: str = Field(
        min_length=1, description="Folder with the release.json of a build; from the project's folder or absolute."
    )
    gate: GateChoice = Field(description="KubeVirt feature gate; only where the environment's row allows one.")
    when_not_ready: WhenNotReady = Field(
        default=WhenNotReady.FAIL,
        description="With the gate on and a node without its device: stop, or go on without the gate.",
    )
    probe_image: ImageByDigest = Field(description="Small image with a shell, for the probe of the nodes.")
    prometheus_image: ImageByDigest | None = Field(
        default=None, description="Prometheus that scrapes KubeVirt; absent: rules and dashboard only."
    )


class Settings(Section):
    """Everything that a stack file declares."""

    subscription: Guid = Field(description="Azure subscription id.")
    tenant: Guid = Field(description="Microsoft Entra tenant id.")
    region: Region = Field(description="Azure region of everything in the stack.")
    owner: TagWord = Field(description="Team that answers for the stack; a tag.")
    system: TagWord = Field(description="System that the stack belongs to; a tag.")
    repository: Slug = Field(description="Repository whose pipelines use the environments.")
    quota: Quota | None = Field(default=None, description="The stack's share of the vCPU quota.")
    budget: Budget | None = Field(default=None, description="What a month may cost.")
    protect: bool = Field(default=True, description="Refuse to delete what cannot be made again: vault and cluster.")
    hub: Hub | None = Field(default=None, description="What all environments share; absent: not in this stack.")
    hub_stack: StackReferenceName = Field(default="", description="Stack whose outputs the environments read.")
    environments: dict[Environment, EnvironmentSettings] = Field(
        default={}, description="Test environments by name; absent: not in this stack."
    )
    kubevirt: KubeVirt | None = Field(default=None, description="KubeVirt in a cluster; absent: not in this stack.")
    runners: RunnerFleet | None = Field(
        default=None, description="What on-demand runners stand on; absent: not in this stack."
    )
    runner: RunnerMachine | None = Field(
        default=None, description="One on-demand runner; `virtci runners start` writes it. Absent: not in this stack."
    )

    @property
    def cluster(self) -> Environment | None:
        """The environment whose cluster has something of the stack."""
        if self.kubevirt:
            return self.kubevirt.environment
        return self.runners.leases.server.cluster if self.runners and self.runners.leases.server else None
