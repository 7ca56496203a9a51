"""Where the images of machines are kept, version by version."""

from collections.abc import Mapping
from typing import TypedDict

import pulumi
from pulumi_azure_native import compute

from components.base import Component
from virtci.core.names import named


class ImageGalleryArgs(TypedDict):
    """Arguments of `ImageGallery`."""

    gallery_name: str
    """Name in Azure. Must not be an Output."""
    image_name: str
    """Name of the image definition. Must not be an Output."""
    publisher: str
    """Who makes the image; with the name it identifies the definition. Must not be an Output."""
    resource_group_name: pulumi.Input[str]
    location: pulumi.Input[str]
    tags: Mapping[str, str]


class ImageGallery(Component):
    """A Compute Gallery with the definition of one image; its versions are built by Packer, not declared.

    Resources: a `Gallery`; a `GalleryImage` for generalized Linux of generation 2.

    Refuses: a security type. Trusted Launch would take `/dev/mshv` away from the machines, and the service takes a
    definition that names none for the standard one; only portal and command line add another by themselves
    (azure-cli#28557).
    """

    TYPE = "virt-ci:image:ImageGallery"
    ARGUMENTS = ImageGalleryArgs

    image_id: pulumi.Output[str]
    """ARM id of the image definition; versions are below it."""

    def __init__(self, name: str, args: ImageGalleryArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)
        gallery = compute.Gallery(
            self.child_name(),
            gallery_name=named("gallery", args["gallery_name"]),
            resource_group_name=args["resource_group_name"],
            location=args["location"],
            tags=args["tags"],
            description="Images of on-demand runners",
            opts=self.options(),
        )
        image = compute.GalleryImage(
            self.child_name("image"),
            gallery_image_name=named("gallery_image", args["image_name"]),
            gallery_name=gallery.name,
            resource_group_name=args["resource_group_name"],
            location=args["location"],
            tags=args["tags"],
            os_type=compute.OperatingSystemTypes.LINUX,
            os_state=compute.OperatingSystemStateTypes.GENERALIZED,
            hyper_v_generation="V2",
            architecture="x64",
            identifier={"publisher": args["publisher"], "offer": args["gallery_name"], "sku": args["image_name"]},
            opts=self.options(),
        )
        self.image_id = image.id
        self.register_outputs({"image_id": self.image_id})
