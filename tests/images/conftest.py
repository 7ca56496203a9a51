"""Both clouds with an image, behind the interface that the commands use: a simulated Azure, and moto for AWS."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from moto import mock_aws

from tests.rehearsal.azure.simulated import REGION, SUBSCRIPTION, build, default_scenario
from virtci.core.runners.clouds import Cloud as Where
from virtci.fleet.clouds import Clouds, RehearsedClouds
from virtci.fleet.runners.aws_images import AwsImages, ec2_clients
from virtci.fleet.runners.azure_images import AzureImages
from virtci.fleet.runners.images import Images, Schedules, agent_schedules
from virtci.rehearsal import clock
from virtci.rehearsal.azure.server import serve as serve_azure
from virtci.rehearsal.clock import SimulatedClock
from virtci.rehearsal.github.api import GitHubScenario
from virtci.rehearsal.github.api import serve as serve_github
from virtci.rehearsal.journal import Journal

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

IMAGE, GALLERY, REPOSITORY = "L0BaseImage", "auto_github_runner", "rehearsal-org/km"
AWS_REGIONS = ("us-east-2", "us-west-2")


@dataclass
class Place:
    """One cloud: the interface, and the hands of Packer and of the launcher."""

    images: Images
    publish: Callable[..., None]
    use: Callable[[str], None]
    """Makes a machine from a version."""


@dataclass
class AzurePlace(Place):
    """A simulated subscription, behind Resource Manager at `manager_url`."""

    manager_url: str


@dataclass
class AwsPlace(Place):
    """A simulated account, with the clients of its regions."""

    clients: Mapping[str, "EC2Client"]


@pytest.fixture(autouse=True)
def _hurried_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "QUIET_SECONDS", 0.0005)


@contextmanager
def azure_place(subscription: str, group: str) -> Iterator[AzurePlace]:
    """A simulated subscription with a gallery that has the image, and the clients of the commands."""
    cloud = build(default_scenario(subscription=subscription, limits={REGION: {"cores": 64}}))
    names = {"resourceGroupName": group, "galleryName": GALLERY}
    cloud.group(group)
    if group == "rg":
        cloud.network()
    cloud.create("compute:Gallery", **names)
    identifier = {"publisher": "kontain", "offer": GALLERY, "sku": IMAGE}
    kind = {"osType": "Linux", "osState": "Generalized", "hyperVGeneration": "V2", "identifier": identifier}
    cloud.create("compute:GalleryImage", **names, galleryImageName=IMAGE, **kind)
    scope = f"/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Compute"
    disk = cloud.manager.store.add(f"{scope}/disks/build", {"location": REGION, "properties": {"diskSizeGB": 32}})

    def publish(version: str, state: str = "candidate", **parts: str) -> None:
        tags = {"state": state} | {f"part-{name}": value for name, value in parts.items()}
        cloud.create(
            "compute:GalleryImageVersion",
            **names,
            galleryImageName=IMAGE,
            galleryImageVersionName=version,
            tags=tags,
            storageProfile={"source": {"id": disk.id}},
            publishingProfile={"targetRegions": [{"name": REGION}], "excludeFromLatest": state != "offered"},
        )

    def use(version: str) -> None:
        reference = {"imageReference": {"id": f"{scope}/galleries/{GALLERY}/images/{IMAGE}/versions/{version}"}}
        cloud.machine(f"vm-{version.replace('.', '-')}", storageProfile=reference)

    with serve_azure(cloud.manager) as endpoint:
        clouds = Clouds(subscription, RehearsedClouds.model_validate({"resourceManager": endpoint.url}))
        images = AzureImages(clouds=clouds, resource_group=group, gallery=GALLERY, name=IMAGE)
        yield AzurePlace(images, publish, use, endpoint.url)


@pytest.fixture
def azure() -> Iterator[AzurePlace]:
    with azure_place(SUBSCRIPTION.rsplit("/", 1)[-1], "rg") as found:
        yield found


@contextmanager
def aws_place(regions: Iterable[str]) -> Iterator[AwsPlace]:
    """A simulated account; its login is in the environment."""
    with mock_aws():
        clients = ec2_clients(regions)
        images = AwsImages(clients=clients, name=IMAGE)

        def publish(version: str, state: str = "candidate", **parts: str) -> None:
            tags = {"image": IMAGE, "version": version, "state": state}
            tags |= {f"part-{name}": value for name, value in parts.items()}
            for client in clients.values():
                client.register_image(
                    Name=f"{IMAGE}-{version}",
                    RootDeviceName="/dev/sda1",
                    BlockDeviceMappings=[{"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 32}}],
                )
                made = next(
                    ami
                    for ami in client.describe_images(Owners=["self"])["Images"]
                    if ami.get("Name") == f"{IMAGE}-{version}"
                )
                client.create_tags(
                    Resources=[made["ImageId"]], Tags=[{"Key": key, "Value": value} for key, value in tags.items()]
                )

        def use(version: str) -> None:
            item = next(item for item in images.versions() if str(item.version) == version)
            region, _, ami = item.ids[-1].partition("/")
            clients[region].run_instances(ImageId=ami, MinCount=1, MaxCount=1)

        yield AwsPlace(images, publish, use, clients)


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[AwsPlace]:
    log_in_to_aws(monkeypatch)
    with aws_place(AWS_REGIONS) as found:
        yield found


def log_in_to_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "rehearsal")


@pytest.fixture(params=list(Where))
def place(request: pytest.FixtureRequest) -> Place:
    """Each cloud in turn."""
    found: Place = request.getfixturevalue("azure" if request.param is Where.AZURE else "aws")
    return found


@pytest.fixture
def scenario() -> dict[str, Any]:
    """What GitHub knows of agents; tests that need something else change it before they ask for `github`."""
    return {}


@pytest.fixture
def github_url(scenario: dict[str, Any]) -> Iterator[str]:
    owner, _, name = REPOSITORY.partition("/")
    fixed = {"owner": {"login": owner, "id": 100}, "repositories": [{"name": name, "id": 201}]}
    moving = SimulatedClock()
    with serve_github(GitHubScenario.model_validate(fixed | scenario), moving, Journal(moving)) as server:
        yield server.url


@pytest.fixture
def github(github_url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=github_url, headers={"Authorization": "Bearer x"}, trust_env=False) as client:
        yield client


@pytest.fixture
def schedules(github: httpx.Client) -> Schedules:
    return agent_schedules(github, REPOSITORY)
