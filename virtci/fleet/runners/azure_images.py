"""Runner images in a Compute Gallery.

What Azure itself takes for the latest is the newest version that is not excluded from it, so a version is offered by no
longer being excluded; everything else is in tags.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from virtci.core.runners.clouds import Cloud
from virtci.core.runners.images import STATE_TAG, ImageVersion, State, Version, parts_of
from virtci.fleet.clouds import Clouds
from virtci.fleet.troubles import asking

if TYPE_CHECKING:
    from azure.mgmt.compute.models import GalleryImageVersion, ImageReference


@dataclass(frozen=True, kw_only=True, slots=True)
class AzureImages:
    """The versions of an image definition."""

    clouds: Clouds
    resource_group: str
    gallery: str
    name: str

    @property
    def cloud(self) -> Cloud:
        """Azure."""
        return Cloud.AZURE

    @property
    def definition(self) -> str:
        """The id of the image definition."""
        group = f"/subscriptions/{self.clouds.subscription}/resourceGroups/{self.resource_group}"
        return f"{group}/providers/Microsoft.Compute/galleries/{self.gallery}/images/{self.name}"

    def versions(self) -> list[ImageVersion]:
        """All versions; those with another form of number are somebody else's."""
        with asking(f"gallery {self.gallery}"):
            listed = list(self.clouds.compute.gallery_image_versions.list_by_gallery_image(*self._place))
        own = [item for item in listed if _is_version(str(item.name))]
        return sorted((_read(item) for item in own), key=lambda item: item.version)

    def used(self) -> set[Version]:
        """The versions that machines of the subscription were made from."""
        with asking("the machines of the subscription"):
            machines = list(self.clouds.compute.virtual_machines.list_all())
        references = [machine.storage_profile.image_reference for machine in machines if machine.storage_profile]
        found = [self._version_of(reference) for reference in references if reference]
        return {Version.parse(text) for text in found if _is_version(text)}

    def mark(self, item: ImageVersion, state: State, tags: Mapping[str, str]) -> None:
        """Sets state and tags with the version's own body, as it was read."""
        with asking(f"version {item.version} of {self.gallery}"):
            place = (*self._place, _name(item))
            body = self.clouds.compute.gallery_image_versions.get(*place)
            body.publishing_profile.exclude_from_latest = state is not State.OFFERED
            body.tags = {**(body.tags or {}), **tags, STATE_TAG: state.value}
            self.clouds.compute.gallery_image_versions.begin_create_or_update(*place, body).result()

    def remove(self, item: ImageVersion) -> None:
        """Deletes the version in every region."""
        with asking(f"version {item.version} of {self.gallery}"):
            self.clouds.compute.gallery_image_versions.begin_delete(*self._place, _name(item)).result()

    @property
    def _place(self) -> tuple[str, str, str]:
        return self.resource_group, self.gallery, self.name

    def _version_of(self, reference: "ImageReference") -> str:
        """The version in a reference to it, or the one that a reference to the definition came to."""
        text, definition = str(reference.id or "").lower(), self.definition.lower()
        if text == definition:
            return str(reference.exact_version or "")
        return text.removeprefix(f"{definition}/versions/") if text.startswith(f"{definition}/") else ""


def _is_version(text: str) -> bool:
    try:
        Version.parse(text)
    except ValueError:
        return False
    return True


def _name(item: ImageVersion) -> str:
    """The name as the gallery has it: nobody promises that it keeps the zero of a month."""
    return item.ids[0].rsplit("/", 1)[-1]


def _read(found: "GalleryImageVersion") -> ImageVersion:
    tags, profile = dict(found.tags or {}), found.publishing_profile
    return ImageVersion(
        version=Version.parse(str(found.name)),
        state=_state(found, tags),
        made=(profile.published_date if profile else None) or datetime.fromtimestamp(0, UTC),
        ready=found.provisioning_state == "Succeeded",
        ids=(str(found.id),),
        parts=parts_of(tags),
    )


def _state(found: "GalleryImageVersion", tags: Mapping[str, str]) -> State:
    if found.provisioning_state == "Failed":
        return State.FAILED
    if found.publishing_profile and not found.publishing_profile.exclude_from_latest:
        return State.OFFERED
    return State.WITHDRAWN if tags.get(STATE_TAG) == State.WITHDRAWN else State.CANDIDATE
