"""Refusals that every service words alike."""

from virtci.rehearsal.azure import ids
from virtci.rehearsal.journal import CloudError

# Role definitions and images are judged by the services that use them, with refusals of their own.
CHECKED_ELSEWHERE = (
    "/providers/microsoft.authorization/roledefinitions/",
    "/providers/microsoft.compute/galleries/",
)


def resource_not_found(address: ids.Address) -> CloudError:
    """The answer to a read of something that is not there."""
    if address.arm.lower() == "microsoft.resources/resourcegroups":
        return group_not_found(address.name)
    group = ids.group_of(address.id)
    where = f" under resource group '{group}'" if group else ""
    short = "/".join(part for pair in zip(address.types, address.names, strict=True) for part in pair)
    return CloudError(
        404,
        "ResourceNotFound",
        f"The Resource '{address.namespace}/{short}'{where} was not found. For more details please go to "
        "https://aka.ms/ARMResourceNotFoundFix",
    )


def group_not_found(name: str) -> CloudError:
    """A resource group that is not there."""
    return CloudError(404, "ResourceGroupNotFound", f"Resource group '{name}' could not be found.")


def parent_not_found(parent: str) -> CloudError:
    """A nested resource without the one above it."""
    name = parent.rsplit("/", 1)[-1]
    return CloudError(
        404,
        "ParentResourceNotFound",
        "Failed to perform the requested operation on a nested resource, because the parent resource "
        f"'{name}' ({parent}) was not found.",
    )


def reference_not_found(namespace: str, target: str, source: str) -> CloudError:
    """A body that refers to something that is not there."""
    if namespace.lower() == "microsoft.network":
        text = (
            f"Resource {target} referenced by resource {source} was not found. Please make sure that the referenced "
            "resource exists, and that both resources are in the same region."
        )
        return CloudError(400, "InvalidResourceReference", text)
    return CloudError(404, "NotFound", f"The entity {target}, referenced by {source}, was not found in this location.")


def another_operation(resource_id: str) -> CloudError:
    """A write while another one is under way."""
    return CloudError(
        409,
        "AnotherOperationInProgress",
        f"Another operation on this or dependent resource is in progress: {resource_id}.",
    )


def bad(code: str, message: str) -> CloudError:
    """A plain 400."""
    return CloudError(400, code, message)


def conflict(code: str, message: str) -> CloudError:
    """A plain 409."""
    return CloudError(409, code, message)
