"""Compute Galleries: definitions, versions, and which version a machine gets."""

from typing import Any

import pytest

from tests.rehearsal.azure.simulated import COMPUTE, GROUP, Cloud, refused

GALLERY = f"{COMPUTE}/galleries/runners"
DEFINITION = f"{GALLERY}/images/L0BaseImage"
SOURCE = f"{COMPUTE}/disks/build"


@pytest.fixture
def gallery(ready: Cloud) -> Cloud:
    """A group with a gallery and an image definition, and the disk of a build machine."""
    ready.create("compute:Gallery", galleryName="runners")
    define(ready)
    ready.manager.store.add(SOURCE, {"location": "westus", "properties": {"diskSizeGB": 32}})
    return ready


def define(cloud: Cloud, **more: object) -> None:
    fixed = {"galleryName": "runners", "galleryImageName": "L0BaseImage", "osType": "Linux", "osState": "Generalized"}
    identifier = {"publisher": "kontain", "offer": "runners", "sku": "L0BaseImage"}
    cloud.create("compute:GalleryImage", **(fixed | {"identifier": identifier, "hyperVGeneration": "V2"} | more))


def publish(cloud: Cloud, name: str, regions: tuple[str, ...] = ("westus",), **profile: object) -> str:
    names = {"galleryName": "runners", "galleryImageName": "L0BaseImage", "galleryImageVersionName": name}
    regions_asked = {"targetRegions": [{"name": region} for region in regions]}
    return cloud.create(
        "compute:GalleryImageVersion",
        **names,
        storageProfile={"source": {"id": SOURCE}},
        publishingProfile=regions_asked | profile,
    )[0]


def made_from(cloud: Cloud, image: str) -> str:
    """The version that a new machine says it was made from."""
    return str(
        cloud.machine(storageProfile={"imageReference": {"id": image}})[1]["storageProfile"]["imageReference"][
            "exactVersion"
        ]
    )


def test_a_version_is_in_its_own_region_and_part_of_the_latest_unless_told_otherwise(gallery: Cloud) -> None:
    publish(gallery, "2026.11.1", ())
    found = gallery.get(f"{DEFINITION}/versions/2026.11.1")["properties"]["publishingProfile"]
    assert found["excludeFromLatest"] is False
    assert found["publishedDate"]


def test_a_machine_gets_the_highest_version_that_is_not_excluded(gallery: Cloud) -> None:
    for name, excluded in (("2026.9.1", False), ("2026.11.1", False), ("2026.11.2", True)):
        publish(gallery, name, excludeFromLatest=excluded)
    assert made_from(gallery, DEFINITION) == "2026.11.1"


def test_an_excluded_version_can_be_named(gallery: Cloud) -> None:
    assert made_from(gallery, publish(gallery, "2026.11.2", excludeFromLatest=True)) == "2026.11.2"


def test_a_machine_keeps_the_version_that_it_was_made_from(gallery: Cloud) -> None:
    publish(gallery, "2026.11.1")
    image: dict[str, Any] = {"storageProfile": {"imageReference": {"id": DEFINITION}}}
    machine, _ = gallery.machine(**image)
    publish(gallery, "2026.11.2")
    nic = gallery.get(machine)["properties"]["networkProfile"]["networkInterfaces"][0]["id"]
    after = gallery.update(
        "compute:VirtualMachine", machine, **gallery.machine_inputs(nic=nic, tags={"a": "b"}, **image)
    )
    assert after["storageProfile"]["imageReference"]["exactVersion"] == "2026.11.1"


@pytest.mark.parametrize(
    "versions", [{}, {"2026.11.1": ("eastus",)}], ids=["without any version", "with none in the region"]
)
def test_no_machine_is_made_from_an_image(gallery: Cloud, versions: dict[str, tuple[str, ...]]) -> None:
    for name, regions in versions.items():
        publish(gallery, name, regions)
    with refused() as refusal:
        made_from(gallery, DEFINITION)
    assert refusal.said == (404, "GalleryImageNotFound")


def test_a_version_is_read_listed_changed_and_deleted(gallery: Cloud) -> None:
    made = publish(gallery, "2026.11.1", excludeFromLatest=True)
    body = gallery.get(made)
    body["properties"]["publishingProfile"]["excludeFromLatest"] = False
    assert gallery.request("PUT", made, body).status == 200
    listed = gallery.get(f"{DEFINITION}/versions")["value"]
    assert [item["properties"]["publishingProfile"]["excludeFromLatest"] for item in listed] == [False]
    assert gallery.request("DELETE", made).status == 200
    assert gallery.request("GET", made).status == 404


def test_what_is_in_a_version_cannot_be_exchanged(gallery: Cloud) -> None:
    body = gallery.get(publish(gallery, "2026.11.1"))
    other = gallery.manager.store.add(f"{COMPUTE}/disks/other", {"location": "westus", "properties": {}})
    body["properties"]["storageProfile"]["source"]["id"] = other.id
    answer = gallery.request("PUT", f"{DEFINITION}/versions/2026.11.1", body)
    assert (answer.status, (answer.body or {})["error"]["code"]) == (409, "PropertyChangeNotAllowed")


def test_what_a_definition_is_for_cannot_be_changed(gallery: Cloud) -> None:
    body = gallery.get(DEFINITION)
    body["properties"]["osState"] = "Specialized"
    answer = gallery.request("PUT", DEFINITION, body)
    assert (answer.status, (answer.body or {})["error"]["code"]) == (409, "PropertyChangeNotAllowed")


@pytest.mark.parametrize("target", [GALLERY, DEFINITION])
def test_nothing_is_deleted_while_something_is_inside(gallery: Cloud, target: str) -> None:
    publish(gallery, "2026.11.1")
    with refused() as refusal:
        gallery.delete(target)
    assert refusal.said == (409, "CannotDeleteResource")
    assert "galleries/runners/images/L0BaseImage/versions/2026.11.1" in refusal.error.message


def test_the_group_takes_its_gallery_with_it(gallery: Cloud) -> None:
    publish(gallery, "2026.11.1")
    gallery.delete(GROUP)
    assert not gallery.exists(GROUP)


@pytest.mark.parametrize("name", ["latest", "2026.11", "2026.11.1.1", "v1.0.0"])
def test_a_version_has_three_numbers(gallery: Cloud, name: str) -> None:
    with refused() as refusal:
        publish(gallery, name)
    assert refusal.said == (400, "InvalidParameter")


def test_a_gallery_has_no_hyphen_in_its_name(ready: Cloud) -> None:
    with refused() as refusal:
        ready.create("compute:Gallery", galleryName="auto-github-runner")
    assert refusal.said == (400, "InvalidParameter")


def test_what_is_missing_in_an_own_gallery_is_not_found_and_elsewhere_not_allowed(gallery: Cloud) -> None:
    missing = gallery.request("GET", f"{DEFINITION}/versions/2026.11.9")
    other = gallery.request("GET", f"{DEFINITION}/versions/2026.11.9".replace("/runners/", "/others/"))
    assert (missing.status, other.status) == (404, 403)
