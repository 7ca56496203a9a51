"""Compute Galleries: what their parts may become, and which version of an image a machine gets.

Rules: azure-docs, virtual-machines/shared-image-galleries.md (the latest version is the highest that is not excluded from
it and is in the region) and the refusals that the service is seen to give (azure-rest-api-specs#11559, jenkins-infra/azure
PR#1544: nothing is deleted while something is inside).
"""

from virtci.rehearsal.azure import errors, ids
from virtci.rehearsal.azure.store import Hooks, Record, Store, Write, at
from virtci.rehearsal.bridge import Values
from virtci.rehearsal.journal import CloudError

VERSIONS = "Microsoft.Compute/galleries/images/versions"
SHOWN = 5
FIXED_DEFINITION = ("osType", "osState", "hyperVGeneration", "architecture", "identifier")
FIXED_VERSION = ("storageProfile",)


def image_not_found(image: str, region: str) -> CloudError:
    """The refusal of a machine whose image is not there, or not in its region."""
    text = (
        f"The gallery image {image} is not available in {region} region. Please contact image owner to replicate "
        "to this region, or change your requested region."
    )
    return CloudError(404, "GalleryImageNotFound", text)


def version_for(store: Store, image: str, region: str) -> Record | None:
    """The version that a machine gets from an image that is in the store; nothing when there is none for it."""
    record = store.get(image)
    if record is None:
        return None
    if record.row.arm == VERSIONS:
        return record if _is_ready(record, region) else None
    fitting = [item for item in store.of_type(VERSIONS, record.id) if _is_ready(item, region) and not _excluded(item)]
    return max(fitting, key=_number, default=None)


def _is_ready(record: Record, region: str) -> bool:
    regions = {_plain(str(item["name"])) for item in at(record.properties, "publishingProfile.targetRegions") or []}
    return record.state == "Succeeded" and _plain(region) in regions


def _excluded(record: Record) -> bool:
    return bool(at(record.properties, "publishingProfile.excludeFromLatest"))


def _number(record: Record) -> tuple[int, ...]:
    return tuple(map(int, record.name.split(".")))


def _plain(region: str) -> str:
    return region.replace(" ", "").lower()


def _check_definition(write: Write) -> None:
    _check_fixed(write, FIXED_DEFINITION)


def _check_version(write: Write) -> None:
    _check_fixed(write, FIXED_VERSION)


def _check_fixed(write: Write, paths: tuple[str, ...]) -> None:
    for path in paths:
        after = at(write.properties, path)
        if write.old and after is not None and after != at(write.old.asked.get("properties"), path):
            raise errors.conflict("PropertyChangeNotAllowed", f"Changing property 'properties.{path}' is not allowed.")


def _complete_version(write: Write, record: Record) -> None:
    """The version is in its own region, whatever else is asked for, and part of the latest unless told otherwise."""
    profile: Values = record.properties.setdefault("publishingProfile", {})
    profile.setdefault("excludeFromLatest", False)
    profile.setdefault("storageAccountType", "Standard_LRS")
    profile.setdefault("targetRegions", [{"name": record.location}])
    profile["publishedDate"] = write.first_made


def _refuse_while_full(store: Store, record: Record) -> None:
    inside = store.below(record.id)
    if inside:
        group = f"{ids.group_id(record.id)}/providers/"
        listed = ", ".join(sorted(item.id.removeprefix(group) for item in inside)[:SHOWN])
        text = (
            f"Cannot delete resource while nested resources exist. Some existing nested resource IDs include: '{listed}'. "
            "Please delete all nested resources before deleting this resource."
        )
        raise errors.conflict("CannotDeleteResource", text)


HOOKS = {
    "gallery": Hooks(before_delete=_refuse_while_full),
    "gallery_image": Hooks(check=_check_definition, before_delete=_refuse_while_full),
    "gallery_image_version": Hooks(check=_check_version, complete=_complete_version),
}
