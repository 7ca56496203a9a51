"""The sections of a stack file about on-demand runners: what they stand on, and one machine of a workflow run.

The first is written by people (stack `kontain`), the second by the launcher, one stack for each machine.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, Field

from virtci.core.environments import Environment
from virtci.core.problems import Refusal
from virtci.core.runners.clouds import UNIT_VCPUS, Capability, Cloud, Serves, pool
from virtci.core.runners.leases import Store, slot_names
from virtci.settings.section import Agent, Section
from virtci.settings.types import (
    BranchPattern,
    Cidr,
    Form,
    GalleryName,
    ImageByDigest,
    KeyVaultName,
    Label,
    NetworkName,
    Region,
    ResourceGroupName,
    SizeName,
    StorageAccountName,
)

AWS_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")
AWS_ZONE = re.compile(r"[a-z]{2}(-[a-z]+)+-\d[a-z]")


def _shaped(shape: re.Pattern[str], rule: str, consequence: str, fix: str) -> AfterValidator:
    def check(value: str) -> str:
        if not shape.fullmatch(value):
            raise Refusal(rule, consequence, fix)
        return value

    return AfterValidator(check)


Account = Annotated[
    str,
    _shaped(
        re.compile(r"\d{12}"),
        "an AWS account is 12 digits, in quotes",
        "no role of it can be named",
        "copy it from `aws sts get-caller-identity`",
    ),
    Form("12 digits, in quotes"),
]
AwsRegion = Annotated[
    str,
    _shaped(
        AWS_REGION,
        "an AWS region such as us-east-2",
        "nothing can be made there",
        "choose one of `aws ec2 describe-regions`",
    ),
    Form("AWS region"),
]
AwsZone = Annotated[
    str,
    _shaped(
        AWS_ZONE,
        "an availability zone such as us-east-2a",
        "its subnet cannot be made",
        "choose one of `aws ec2 describe-availability-zones`",
    ),
    Form("availability zone"),
]


class AzurePlace(Section):
    """What on-demand runners have in one Azure region."""

    network: NetworkName = Field(description="Name of the virtual network.")
    address_space: Cidr = Field(description="Range of the network.")
    subnet: Cidr = Field(description="Range of the subnet of the machines.")
    entry: Cidr | None = Field(
        default=None, description="Range of a VPN or a peered network, from which people log in; absent: nobody does."
    )
    cores: int = Field(ge=UNIT_VCPUS, description="The region's vCPU quota.")
    families: dict[str, int] = Field(min_length=1, description="vCPU quota of each VM family, by the platform's name.")
    reserve: int = Field(
        default=UNIT_VCPUS, ge=0, description="vCPU kept free in the total and in each family: an image build takes 4."
    )
    zones: tuple[int, ...] = Field(default=(), description="Availability zones, in order of choice; empty: none.")

    @property
    def units(self) -> int:
        """How many units can be out at once."""
        return (self.cores - self.reserve) // UNIT_VCPUS


class AzureRunners(Section):
    """On-demand runners in Azure."""

    resource_group: ResourceGroupName = Field(description="Resource group of all that stays: images, network, state.")
    gallery: GalleryName = Field(description="Compute Gallery with the image definition L0BaseImage.")
    vault: KeyVaultName = Field(description="Vault through which machines get their registration.")
    state_account: StorageAccountName = Field(description="Storage account of the state of run stacks and of leases.")
    sizes: tuple[SizeName, ...] = Field(min_length=1, description="Sizes that may be used, in order of choice.")
    regions: dict[Region, AzurePlace] = Field(min_length=1, description="Places by region, in order of choice.")


class AwsPlace(Section):
    """What on-demand runners have in one AWS region."""

    network: NetworkName = Field(description="Name of the VPC.")
    address_space: Cidr = Field(description="Range of the VPC.")
    zones: dict[AwsZone, Cidr] = Field(min_length=1, description="Subnet of each zone, in order of choice.")
    vcpus: int = Field(ge=UNIT_VCPUS, description="The region's On-Demand Standard quota, in vCPU.")
    reserve: int = Field(default=UNIT_VCPUS, ge=0, description="vCPU kept free; an image build takes 4.")

    @property
    def units(self) -> int:
        """How many units can be out at once."""
        return (self.vcpus - self.reserve) // UNIT_VCPUS


class AwsRunners(Section):
    """On-demand runners in AWS."""

    account: Account = Field(description="AWS account id.")
    types: tuple[str, ...] = Field(min_length=1, description="Instance types that may be used, in order of choice.")
    regions: dict[AwsRegion, AwsPlace] = Field(min_length=1, description="Places by region, in order of choice.")


class LeaseServer(Section):
    """The lease server Boskos with its reaper, in the cluster of an environment."""

    cluster: Environment = Field(description="Environment whose cluster has it; KUBECONFIG leads there.")
    image: ImageByDigest = Field(description="The server.")
    reaper_image: ImageByDigest = Field(description="The reaper of the same release.")


class Leases(Section):
    """Where it is written down which machine holds which units of the quota."""

    store: Store = Field(
        default=Store.EMBEDDED,
        description="`embedded`: in the state account, for a launcher or a few; `boskos`: by a lease server, for many.",
    )
    server: LeaseServer | None = Field(default=None, description="The lease server; with `boskos` only.")


class RunnerFleet(Section):
    """What on-demand runners stand on, and the rules of their life."""

    branches: tuple[BranchPattern, ...] = Field(
        min_length=1, description="Branches whose workflows may launch; pull requests: refs/pull/*/merge."
    )
    image: GalleryName = Field(default="L0BaseImage", description="Name of the images, in both clouds.")
    agent: Agent = Field(description="The agent that the machines run.")
    keys: str = Field(
        default="cloud/azure/ssh", description="Folder of public SSH keys of the people who look at machines."
    )
    serves: Serves = Field(default=Serves.RUN, description="Whether a runner takes all jobs of its run, or one.")
    labels: tuple[Label, ...] = Field(default=(), description="Labels of every runner beside its own.")
    retention_days: int = Field(
        default=7, ge=1, le=30, description="Days that a failed machine is kept, from its failure."
    )
    maximum_hours: int = Field(default=6, ge=1, le=24, description="Hours after which a running machine is taken down.")
    daily_budget_usd: int = Field(ge=1, description="What machines may cost in a day; above it, starts wait.")
    leases: Leases = Field(default=Leases(), description="Where leases of units are kept; absent: embedded.")
    azure: AzureRunners | None = Field(default=None, description="In Azure; absent: not there.")
    aws: AwsRunners | None = Field(default=None, description="In AWS; absent: not there.")

    @property
    def pools(self) -> Mapping[str, tuple[str, ...]]:
        """The slots of each pool that machines are leased from."""
        found: dict[str, tuple[str, ...]] = {}
        for cloud, there in ((Cloud.AZURE, self.azure), (Cloud.EC2, self.aws)):
            if there:
                found |= {
                    pool(cloud, region): slot_names(region, place.units) for region, place in there.regions.items()
                }
        return found


class Revival(Section):
    """What a kept machine in Azure comes back from, for people."""

    snapshot: str = Field(description="Id of the snapshot of its disk.")
    keep_until: datetime = Field(description="When the snapshot is deleted, whatever happens.")


class RunnerMachine(Section):
    """One machine of a workflow run."""

    cloud: Cloud = Field(description="Where it is.")
    name: str = Field(
        min_length=1, max_length=256, description="Name that people see, e.g. azure-runner-KM-CI-Pipeline-1279."
    )
    label: Label = Field(description="The label that its jobs ask for, unique.")
    labels: tuple[Label, ...] = Field(default=(), description="Labels beside its own.")
    capability: Capability = Field(description="What its jobs need.")
    serves: Serves = Field(description="All jobs of its run, or one.")
    size: str = Field(description="Size or instance type.")
    region: str = Field(description="Region.")
    zone: str = Field(default="", description="Zone; empty: the platform's choice.")
    slot: Label = Field(description="The slot whose identity it has and through whose secret it is registered.")
    image: str = Field(default="", description="Id of the image version; empty with `revive`.")
    revive: Revival | None = Field(
        default=None, description="Brings a kept machine back, which takes no jobs; absent: a new machine."
    )
    subnet: str = Field(description="Id of its subnet.")
    vault: str = Field(default="", description="Address of the vault with its registration; in EC2 there is none.")
    spot: bool = Field(default=False, description="Whether the platform may take it back.")
    run: str = Field(description="The workflow run: OWNER/NAME, id and attempt, as in `owner/name/123/1`.")
    deadline: datetime = Field(description="When it is taken down, whatever happens.")
    agent: Agent = Field(description="The agent that it runs.")
    keys: tuple[str, ...] = Field(default=(), description="Public SSH keys of the user `kontain`.")
