"""Rows of Compute Galleries: galleries, image definitions, image versions.

Names: azure-docs, resource-name-rules.md; the three numbers of a version are 32-bit integers (azure-docs,
virtual-machines/shared-image-galleries.md). Durations are typical ones, in simulated seconds; what cannot change is refused
by the service (`galleries`).
"""

from virtci.rehearsal.azure.resource_types import GROUP, NameRule, ResourceType, Seconds

GALLERY = f"{GROUP}/providers/Microsoft.Compute/galleries/{{galleryName}}"
DEFINITION = f"{GALLERY}/images/{{galleryImageName}}"
MODELS = "azure.mgmt.compute.models"

ROWS: tuple[ResourceType, ...] = (
    ResourceType(
        kind="azure-native:compute:Gallery",
        path=GALLERY,
        module=MODELS,
        model="Gallery",
        name=NameRule(
            r"[A-Za-z0-9]([A-Za-z0-9_.]{0,78}[A-Za-z0-9])?",
            "It must be 1-80 letters, digits, '.' and '_', and begin and end with a letter or digit.",
            "InvalidParameter",
        ),
        seconds=Seconds(10, 5, 10),
        hooks="gallery",
    ),
    ResourceType(
        kind="azure-native:compute:GalleryImage",
        path=DEFINITION,
        module=MODELS,
        model="GalleryImage",
        name=NameRule(
            r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,78}[A-Za-z0-9])?",
            "It must be 1-80 letters, digits, '.', '_' and '-', and begin and end with a letter or digit.",
            "InvalidParameter",
        ),
        seconds=Seconds(5, 5, 10),
        hooks="gallery_image",
    ),
    ResourceType(
        kind="azure-native:compute:GalleryImageVersion",
        path=f"{DEFINITION}/versions/{{galleryImageVersionName}}",
        module=MODELS,
        model="GalleryImageVersion",
        name=NameRule(
            r"\d{1,10}\.\d{1,10}\.\d{1,10}",
            "It must be three numbers, as in 1.0.0.",
            "InvalidParameter",
        ),
        seconds=Seconds(420, 20, 60),
        hooks="gallery_image_version",
    ),
)
