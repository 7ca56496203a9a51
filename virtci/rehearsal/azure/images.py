"""Which images machines can be made from."""

import copy

from virtci.rehearsal.azure import errors, galleries, ids
from virtci.rehearsal.azure.store import Store
from virtci.rehearsal.bridge import Values
from virtci.rehearsal.journal import CloudError


def check(store: Store, reference: Values, region: str) -> None:
    """Refuses an image that is neither in a gallery of the subscription nor named by the scenario."""
    if reference.get("id"):
        _check_gallery(store, str(reference["id"]), region)
    elif reference:
        _check_marketplace(store, reference)


def _check_gallery(store: Store, image: str, region: str) -> None:
    low = image.lower()
    known = {item.lower() for item in store.scenario.images}
    has_versions = any(item.startswith(f"{low}/versions/") for item in known)
    if low not in known and not has_versions and galleries.version_for(store, image, region) is None:
        raise galleries.image_not_found(image, region)


def shown(store: Store, image: str) -> Values:
    """An image of a gallery of the subscription, or of one that it may read."""
    record = store.get(image)
    if record is not None:
        return copy.deepcopy(record.body)
    if store.get(image.lower().split("/images/", 1)[0]):
        raise errors.resource_not_found(ids.parse(image))
    names = {item.lower(): item for item in store.scenario.images}
    found = names.get(image.lower()) or next(
        (item for item in names if item.startswith(f"{image.lower()}/versions/")), ""
    )
    if not found:
        # Resource Manager does not tell what does not exist from what somebody else does not share.
        text = f"The client does not have authorization to perform action 'read' over scope '{image}'."
        raise CloudError(403, "AuthorizationFailed", text)
    kind = "Microsoft.Compute/galleries/images" + ("/versions" if "/versions/" in image.lower() else "")
    properties = {"provisioningState": "Succeeded"}
    return {"id": image, "name": image.rsplit("/", 1)[-1], "type": kind, "location": "", "properties": properties}


def _check_marketplace(store: Store, reference: Values) -> None:
    parts = [str(reference.get(name)) for name in ("publisher", "offer", "sku")]
    missing = [name for name in ("publisher", "offer", "sku", "version") if not reference.get(name)]
    if missing:
        raise errors.bad("InvalidParameter", f"Required parameter 'imageReference.{missing[0]}' is missing (null).")
    version, known = str(reference["version"]), {item.lower() for item in store.scenario.marketplace}
    family = ":".join(parts).lower()
    any_version = family in known or any(item.startswith(f"{family}:") for item in known)
    if f"{family}:{version}".lower() not in known and not (version == "latest" and any_version):
        text = (
            f"The platform image '{':'.join(parts)}:{version}' is not available. Verify that all fields in the storage "
            "profile are correct. For more details about storage profile information, please refer to "
            "https://aka.ms/storageprofile"
        )
        raise CloudError(404, "PlatformImageNotFound", text)
