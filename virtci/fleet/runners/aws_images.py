"""Runner images as AMIs: one for each region, with the same name and the same tags."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from virtci.core.runners.clouds import Cloud
from virtci.core.runners.images import IMAGE_TAG, STATE_TAG, VERSION_TAG, ImageVersion, State, Version, parts_of
from virtci.fleet.troubles import asking

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_ec2.type_defs import ImageTypeDef

BROKEN = ("failed", "invalid", "error")
OFF = ("shutting-down", "terminated")
GENERATIONS = ("$Latest", "$Default")
Guard = Callable[[str], AbstractContextManager[None]]
"""Turns what a client raises into errors of this project; it is told what is asked for."""


@dataclass(frozen=True, slots=True)
class _Found:
    """An AMI, and where it is."""

    region: str
    ami: "ImageTypeDef"

    @property
    def id(self) -> str:
        return self.ami.get("ImageId", "")

    @property
    def tags(self) -> dict[str, str]:
        return {tag.get("Key", ""): tag.get("Value", "") for tag in self.ami.get("Tags", ())}


@dataclass(frozen=True, kw_only=True, slots=True)
class AwsImages:
    """The AMIs of an image, as the account owns them."""

    clients: Mapping[str, "EC2Client"]
    """By region."""
    name: str
    guard: Guard = asking

    @property
    def cloud(self) -> Cloud:
        """AWS."""
        return Cloud.EC2

    def versions(self) -> list[ImageVersion]:
        """All versions of all regions."""
        by_version: dict[Version, list[_Found]] = defaultdict(list)
        for item in self._amis():
            by_version[Version.parse(item.tags[VERSION_TAG])].append(item)
        return [self._read(version, found) for version, found in sorted(by_version.items())]

    def used(self) -> set[Version]:
        """The versions of instances that are there, stopped ones included, and of launch templates."""
        version_of = {item.id: Version.parse(item.tags[VERSION_TAG]) for item in self._amis()}
        used = {ami for region in self.clients for ami in (*self._of_instances(region), *self._of_templates(region))}
        return {version for ami, version in version_of.items() if ami in used}

    def mark(self, item: ImageVersion, state: State, tags: Mapping[str, str]) -> None:
        """Tags the AMI of every region."""
        wanted = {**tags, STATE_TAG: state.value}
        for region, ami in self._by_region(item):
            with self.guard(f"AMI {ami} in {region}"):
                self.clients[region].create_tags(
                    Resources=[ami], Tags=[{"Key": key, "Value": value} for key, value in wanted.items()]
                )

    def remove(self, item: ImageVersion) -> None:
        """Deregisters the AMI of every region, with its snapshots."""
        for region, ami in self._by_region(item):
            with self.guard(f"AMI {ami} in {region}"):
                self.clients[region].deregister_image(ImageId=ami, DeleteAssociatedSnapshots=True)

    def _amis(self) -> Iterable[_Found]:
        for region, client in self.clients.items():
            with self.guard(f"the AMIs in {region}"):
                pages = client.get_paginator("describe_images").paginate(
                    Owners=["self"], Filters=[{"Name": f"tag:{IMAGE_TAG}", "Values": [self.name]}]
                )
                found = [_Found(region, ami) for page in pages for ami in page["Images"]]
            yield from (item for item in found if VERSION_TAG in item.tags)

    def _read(self, version: Version, found: Sequence[_Found]) -> ImageVersion:
        states = {str(item.ami.get("State")) for item in found}
        return ImageVersion(
            version=version,
            state=_state(found),
            made=min(datetime.fromisoformat(item.ami.get("CreationDate", "")) for item in found),
            ready=states == {"available"} and {item.region for item in found} == {*self.clients},
            ids=tuple(f"{item.region}/{item.id}" for item in found),
            parts=parts_of(found[0].tags),
        )

    def _of_instances(self, region: str) -> Iterable[str]:
        with self.guard(f"the instances in {region}"):
            pages = self.clients[region].get_paginator("describe_instances").paginate()
            found = [item for page in pages for group in page["Reservations"] for item in group.get("Instances", ())]
        return [item.get("ImageId", "") for item in found if item.get("State", {}).get("Name") not in OFF]

    def _of_templates(self, region: str) -> Iterable[str]:
        with self.guard(f"the launch templates in {region}"):
            pages = (
                self.clients[region]
                .get_paginator("describe_launch_template_versions")
                .paginate(Versions=list(GENERATIONS))
            )
            found = [item for page in pages for item in page["LaunchTemplateVersions"]]
        return [item.get("LaunchTemplateData", {}).get("ImageId", "") for item in found]

    def _by_region(self, item: ImageVersion) -> Iterable[tuple[str, str]]:
        return [(region, ami) for region, _, ami in (text.partition("/") for text in item.ids)]


def ec2_clients(regions: Iterable[str]) -> dict[str, "EC2Client"]:
    """The clients of the login of this shell, by region."""
    import boto3

    return {region: boto3.client("ec2", region_name=region) for region in regions}


def _state(found: Sequence[_Found]) -> State:
    """That of all regions: offered only where it is offered in each, withdrawn where it is in one."""
    if any(item.ami.get("State") in BROKEN for item in found):
        return State.FAILED
    tags = {item.tags.get(STATE_TAG, "") for item in found}
    if tags == {State.OFFERED.value}:
        return State.OFFERED
    return State.WITHDRAWN if State.WITHDRAWN.value in tags else State.CANDIDATE
