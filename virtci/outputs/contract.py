"""The output contract: what other tools may rely on, as a typed model.

The committed JSON Schema is generated from these models (`virtci.outputs.schema`). Removing a field, renaming it or
narrowing its values breaks consumers and needs a new `VERSION`; adding an optional one does not.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from virtci.core.environments import Environment, Gate, TestScope
from virtci.core.hypervisors import Hypervisor
from virtci.core.lifetimes import Lifetime
from virtci.core.runners.clouds import Serves
from virtci.core.runners.leases import Store

VERSION: Literal[1] = 1
VARIABLE = "VIRTCI_OUTPUTS"
"""The variable in which the repository under test has the outputs of all stacks, as a JSON list."""


class Part(BaseModel):
    """A part of the contract: immutable, written in camelCase."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel)


class NetworkPart(Part):
    """The network that environments join."""

    resource_id: str = Field(description="ARM id of the virtual network.")
    subnet_resource_ids: dict[str, str] = Field(description="ARM ids of the subnets by environment, and `runners`.")
    egress_address: str = Field(description="Public address from which all machines appear.")
    address_space: str | None = Field(default=None, description="IPv4 range of the whole network.")
    subnet_ranges: dict[str, str] = Field(default={}, description="IPv4 ranges of the subnets.")


class VaultPart(Part):
    """The vault with keys and kubeconfigs; never a value of it."""

    name: str
    resource_group: str
    resource_id: str
    uri: str


class IdentityPart(Part):
    """A cloud identity that workflows act as."""

    client_id: str
    principal_id: str
    subjects: dict[str, str] = Field(default={}, description="OIDC subjects that it trusts, by credential.")


class MachinePart(Part):
    """One virtual machine."""

    name: str
    role: Literal["environment", "runner"]
    environment: Environment | None = None
    resource_group: str
    resource_id: str
    size: str
    private_address: str
    user: str
    ssh_key_secret: str = Field(description="Vault secret with the private SSH key.")
    lifetime: Lifetime


class ClusterPart(Part):
    """One managed cluster."""

    name: str
    environment: Environment
    resource_group: str
    resource_id: str
    private_fqdn: str


class TestsPart(Part):
    """What the test step of an environment does."""

    enabled: bool
    reason: str = Field(description="Why the step is off; empty when it is on.")
    scope: TestScope
    focus: str = Field(min_length=1, description="Ginkgo label expression of the scope.")
    label_filter: str | None = Field(
        default=None, min_length=1, description="The whole label filter of the suite: scope and exclusions."
    )


class EnvironmentPart(Part):
    """One test environment."""

    purpose: str
    hypervisor: Hypervisor
    gate: Gate
    compute: str = Field(description="Name of the machine or cluster.")
    resource_group: str
    repository: str
    kubeconfig_secret: str = Field(description="Vault secret with the kubeconfig.")
    identity: IdentityPart
    tests: TestsPart


class ReadinessPart(Part):
    """What the nodes of a cluster had when they were measured."""

    ready: bool
    nodes: tuple[str, ...] = Field(description="Names of the schedulable nodes.")
    incapable: dict[str, tuple[str, ...]] = Field(description="Why nodes are not ready, by name; empty when all are.")
    measured_at: str = Field(description="UTC, ISO 8601.")


class KubeVirtPart(Part):
    """KubeVirt in the cluster of one environment."""

    environment: Environment
    namespace: str
    version: str
    registry: str
    release_digest: str = Field(description="The same in two environments that run the same bytes.")
    operator_image: str = Field(description="By digest.")
    gate: Gate = Field(description="The gate that is set.")
    gate_declared: Gate = Field(description="The gate that was asked for.")
    fallback: bool = Field(description="The declared gate is off because a node lacks its device.")
    reason: str = Field(description="Why the gate is as it is.")
    readiness: ReadinessPart | None = Field(default=None, description="Absent where the gate is declared off.")
    use_emulation: bool
    hypervisor: Hypervisor | None = Field(
        default=None, description="What virtual machines run on; absent when a node starts none."
    )
    test_service_account: str = Field(description="Namespace and name; its tokens are asked for at run time.")


class AgentPart(Part):
    """The release of GitHub's runner agent."""

    version: str
    sha256: str = Field(description="Checksum of the archive for linux-x64.")


class StatePart(Part):
    """Where the launcher keeps what several of its runs share."""

    account: str
    endpoint: str = Field(description="Address of the blobs.")
    stacks: str = Field(description="Container with the state of the machines' stacks.")
    records: str = Field(description="Container with leases, records and evidence.")


class AzureSlotPart(Part):
    """A place for one machine in Azure."""

    resource_group: str
    identity_id: str = Field(description="ARM id of the identity that the machine acts as.")
    client_id: str
    secret: str = Field(description="Vault secret with the machine's registration; never its value.")


class AzureRunnersRegionPart(Part):
    """What on-demand runners have in one Azure region."""

    subnet_id: str
    egress_address: str = Field(description="Public address from which all machines appear.")
    entry: str = Field(default="", description="Range from which people log in by SSH; empty: nobody does.")
    cores: int = Field(description="vCPU quota of the region.")
    families: dict[str, int] = Field(description="vCPU quota by VM family.")
    reserve: int = Field(description="vCPU that are kept free.")
    zones: tuple[str, ...] = Field(default=(), description="In order of choice; empty: none.")
    slots: dict[str, AzureSlotPart]


class AzureRunnersPart(Part):
    """What on-demand runners stand on in Azure."""

    subscription: str
    resource_group: str
    kept_group: str = Field(description="Resource group with what is kept of failed runs.")
    launcher: IdentityPart
    gallery_image_id: str = Field(description="ARM id of the image definition.")
    vault: VaultPart
    state: StatePart
    sizes: tuple[str, ...] = Field(description="In order of choice.")
    regions: dict[str, AzureRunnersRegionPart] = Field(description="In order of choice.")


class AwsSlotPart(Part):
    """A place for one machine in AWS."""

    instance_profile: str
    registration_parameter: str = Field(description="Parameter with the machine's registration; never its value.")
    boot_parameter: str = Field(description="Parameter in which the machine tells of its boot.")


class AwsRunnersRegionPart(Part):
    """What on-demand runners have in one AWS region."""

    subnet_ids: dict[str, str] = Field(description="Private subnets by availability zone, in order of choice.")
    security_group_id: str
    launch_template_id: str
    schedule_group: str = Field(description="Group of the schedules that terminate machines after their deadline.")
    egress_address: str = Field(description="Public address from which all machines appear.")
    vcpus: int = Field(description="Quota of On-Demand Standard instances, in vCPU.")
    reserve: int = Field(description="vCPU that are kept free.")
    slots: dict[str, AwsSlotPart]


class AwsRunnersPart(Part):
    """What on-demand runners stand on in AWS."""

    account: str
    launcher_role_arn: str = Field(description="Role that workflows of the environment act as.")
    backstop_role_arn: str = Field(description="Role that schedules act as.")
    types: tuple[str, ...] = Field(description="Instance types, in order of choice.")
    regions: dict[str, AwsRunnersRegionPart] = Field(description="In order of choice.")


class LeasesPart(Part):
    """Where leases of units are kept."""

    store: Store = Field(default=Store.EMBEDDED, description="`embedded`: in the state account, with the records.")
    cluster: Environment | None = Field(default=None, description="Environment whose cluster has the lease server.")
    path: str = Field(
        default="", description="Path of the lease server behind the API server of its cluster; empty: none."
    )


class RunnersPart(Part):
    """What on-demand runners stand on, and the rules of their life."""

    repository: str = Field(description="Whose workflows may launch, and where the runners are registered.")
    image: str = Field(description="Name of the images in both clouds.")
    agent: AgentPart
    keys: str = Field(description="Folder of public SSH keys, in the repository.")
    serves: Serves
    labels: tuple[str, ...] = Field(default=(), description="Labels of every runner beside its own.")
    retention_days: int
    maximum_hours: int
    daily_budget_usd: int
    leases: LeasesPart = LeasesPart()
    azure: AzureRunnersPart | None = None
    aws: AwsRunnersPart | None = None


class Outputs(Part):
    """The outputs of a stack. Sections that the stack does not declare are absent."""

    contract_version: Literal[1] = Field(description="Version of this contract.")
    stack: str
    region: str
    network: NetworkPart | None = None
    vault: VaultPart | None = None
    workspace_id: str | None = None
    identities: dict[str, IdentityPart] = {}
    roles: dict[str, str] = Field(default={}, description="Ids of the fleet's own roles by name.")
    machines: tuple[MachinePart, ...] = ()
    clusters: tuple[ClusterPart, ...] = ()
    environments: dict[Environment, EnvironmentPart] = {}
    runner_labels: tuple[str, ...] = ()
    kubevirt: KubeVirtPart | None = None
    runners: RunnersPart | None = None
