"""An image version that is offered in each cloud, as a build and `virtci images promote` leave one behind."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from virtci.core.runners.images import IMAGE_TAG, STATE_TAG, VERSION_TAG, State
from virtci.outputs.contract import AzureRunnersPart, RunnersPart
from virtci.rehearsal.aws.calls import client
from virtci.rehearsal.aws.scenario import Attached
from virtci.rehearsal.azure.arm import ResourceManager
from virtci.rehearsal.bridge import Values
from virtci.rehearsal.world import World

VERSION = "2026.11.1"
DISK_GIB = 30


@contextmanager
def offered_images(world: World, part: RunnersPart) -> Iterator[None]:
    """Images from which machines can be made in every region, until the block ends."""
    with ExitStack() as made:
        if part.azure:
            made.enter_context(_in_gallery(world.azure, part.azure))
        if part.aws and world.aws:
            for region in part.aws.regions:
                made.enter_context(_in_region(world.aws, region, part.image))
        yield


@contextmanager
def _in_gallery(azure: ResourceManager, part: AzureRunnersPart) -> Iterator[None]:
    region = next(iter(part.regions))
    group = f"/subscriptions/{part.subscription}/resourceGroups/{part.resource_group}"
    disk, version = (
        f"{group}/providers/Microsoft.Compute/disks/build",
        f"{part.gallery_image_id}/versions/{VERSION}",
    )
    empty = {"creationData": {"createOption": "Empty"}, "diskSizeGB": DISK_GIB}
    content = {
        "storageProfile": {"osDiskImage": {"source": {"id": disk}}},
        "publishingProfile": {"targetRegions": [{"name": name} for name in part.regions], "excludeFromLatest": False},
    }
    _done(azure, "PUT", disk, {"location": region, "properties": empty})
    _done(azure, "PUT", version, {"location": region, "properties": content, "tags": {STATE_TAG: State.OFFERED.value}})
    try:
        yield
    finally:
        for made in (version, disk):
            _done(azure, "DELETE", made)


def _done(azure: ResourceManager, method: str, target: str, body: Values | None = None) -> None:
    answer = azure.request(method, target, body)
    if answer.status >= 300:
        raise RuntimeError(f"{method} {target}: {answer.body}")


@contextmanager
def _in_region(aws: Attached, region: str, image: str) -> Iterator[None]:
    ec2 = client(aws.endpoint.url, "ec2", region)
    disk = {"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": DISK_GIB}}
    name = f"{image}-{VERSION}"
    made = ec2.register_image(Name=name, RootDeviceName="/dev/sda1", Architecture="x86_64", BlockDeviceMappings=[disk])[
        "ImageId"
    ]
    tags = {"Name": name, IMAGE_TAG: image, VERSION_TAG: VERSION, STATE_TAG: State.OFFERED.value}
    ec2.create_tags(Resources=[made], Tags=[{"Key": key, "Value": value} for key, value in tags.items()])
    try:
        yield
    finally:
        ec2.deregister_image(ImageId=made, DeleteAssociatedSnapshots=True)
