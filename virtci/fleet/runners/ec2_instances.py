"""Instances of EC2 as the launcher sees them: those that carry our tags, and how many vCPU others use."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from virtci.core.runners.aws_quota import COUNTED, is_standard
from virtci.core.tags import MANAGED_BY
from virtci.fleet.aws_clouds import AwsClouds
from virtci.fleet.runners.aws_troubles import answering

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_ec2.type_defs import FilterTypeDef, IamInstanceProfileSpecificationTypeDef, InstanceTypeDef

THERE = ("pending", "running", "stopping", "stopped")
TAKEN_BACK = "Server.SpotInstance"
"""How the state reasons of a spot instance begin that the platform terminated or stopped."""
PAGE = 1_000
TYPES_PER_CALL = 100
"""How many EC2 tells in one answer, at most."""


@dataclass(frozen=True, slots=True)
class Instance:
    """An instance, and where it is."""

    region: str
    raw: "InstanceTypeDef"

    @property
    def id(self) -> str:
        """AWS's name of it."""
        return self.raw["InstanceId"]

    @property
    def state(self) -> str:
        """As AWS has it."""
        return self.raw["State"]["Name"]

    @property
    def is_there(self) -> bool:
        """Whether it is not terminated, or about to be."""
        return self.state in THERE

    @property
    def holds_vcpus(self) -> bool:
        """Whether it counts towards the quota, and is paid."""
        return self.state in COUNTED

    @property
    def is_spot(self) -> bool:
        """Whether the platform may take it back."""
        return self.raw.get("InstanceLifecycle") == "spot"

    @property
    def was_taken_back(self) -> bool:
        """Whether the platform did."""
        return self.raw.get("StateReason", {}).get("Code", "").startswith(TAKEN_BACK)

    @property
    def tags(self) -> Mapping[str, str]:
        """Its tags."""
        return {tag["Key"]: tag["Value"] for tag in self.raw.get("Tags", ())}


@dataclass(frozen=True, slots=True)
class Instances:
    """All instances of an account."""

    clouds: AwsClouds
    system: str

    def ours(self, region: str, states: Sequence[str] = (), **tags: str) -> list[Instance]:
        """Those with our owner tags and these, in some states (default: all)."""
        wanted = {"managed-by": MANAGED_BY, "system": self.system, **tags}
        filters: list[FilterTypeDef] = [{"Name": f"tag:{name}", "Values": [value]} for name, value in wanted.items()]
        # A filter takes `*` and `?` for more than themselves.
        return [
            item
            for item in self._all(region, filters, states)
            if {name: item.tags.get(name) for name in wanted} == wanted
        ]

    def others_vcpus(self, region: str, ours: Iterable[str]) -> list[int]:
        """The vCPU of each instance that counts towards the quota and is not among ours."""
        known = set(ours)
        types = [
            item.raw["InstanceType"]
            for item in self._all(region, [], COUNTED)
            if item.id not in known and not item.is_spot and is_standard(item.raw["InstanceType"])
        ]
        vcpus = self._vcpus(region, sorted(set(types)))
        return [vcpus[name] for name in types]

    def _all(self, region: str, filters: "Sequence[FilterTypeDef]", states: Sequence[str]) -> list[Instance]:
        in_states: Sequence[FilterTypeDef] = [{"Name": "instance-state-name", "Values": states}] if states else []
        with answering("ec2", f"the instances in {region}"):
            pages = (
                self.clouds.ec2(region)
                .get_paginator("describe_instances")
                .paginate(Filters=[*filters, *in_states], PaginationConfig={"PageSize": PAGE})
            )
            return [
                Instance(region, item)
                for page in pages
                for group in page["Reservations"]
                for item in group.get("Instances", ())
            ]

    def _vcpus(self, region: str, types: Sequence[str]) -> dict[str, int]:
        found: dict[str, int] = {}
        for first in range(0, len(types), TYPES_PER_CALL):
            with answering("ec2", f"the instance types of others in {region}"):
                told = self.clouds.ec2(region).describe_instance_types(
                    InstanceTypes=types[first : first + TYPES_PER_CALL]  # type: ignore[arg-type]  # EC2 knows its own types
                )
            found |= {item["InstanceType"]: item["VCpuInfo"]["DefaultVCpus"] for item in told["InstanceTypes"]}
        return found


def move_into(client: "EC2Client", instance: str, slot: str) -> None:
    """Gives an instance the profile of another slot, called like it, in place of its own."""
    wanted: IamInstanceProfileSpecificationTypeDef = {"Name": slot}
    found = client.describe_iam_instance_profile_associations(
        Filters=[{"Name": "instance-id", "Values": [instance]}, {"Name": "state", "Values": ["associated"]}]
    )["IamInstanceProfileAssociations"]
    for association in found:
        if not association["IamInstanceProfile"]["Arn"].endswith(f"/{slot}"):
            client.replace_iam_instance_profile_association(
                AssociationId=association["AssociationId"], IamInstanceProfile=wanted
            )
