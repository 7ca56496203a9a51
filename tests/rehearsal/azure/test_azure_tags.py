"""Tags as a resource of their own, and what the commands of day two ask beside resources."""

from collections.abc import Iterator

import pytest
from azure.core.exceptions import HttpResponseError

from tests.rehearsal.azure.simulated import GROUP, IMAGE, SUBSCRIPTION, Cloud, build, default_scenario
from virtci.fleet.clouds import Clouds, RehearsedClouds
from virtci.rehearsal.azure.server import serve

SHARED = "/subscriptions/00000000-0000-0000-0000-0000000000c1/resourceGroups/l1vh/providers/Microsoft.Compute"
GALLERY_IMAGE = f"{SHARED}/galleries/images/images/dom0qemu"


@pytest.fixture
def clouds(cloud: Cloud) -> Iterator[Clouds]:
    with serve(cloud.manager) as endpoint:
        yield clients(endpoint.url)


def clients(url: str) -> Clouds:
    return Clouds(SUBSCRIPTION.rsplit("/", 1)[-1], RehearsedClouds.model_validate({"resourceManager": url}))


def tag(clouds: Clouds, scope: str, operation: str, **tags: str) -> dict[str, str]:
    body = {"operation": operation, "properties": {"tags": tags}}
    return dict(clouds.resources.tags.begin_update_at_scope(scope, body).result().properties.tags)


def test_merged_tags_stand_beside_those_of_the_machine(cloud: Cloud, clouds: Clouds) -> None:
    machine, _ = cloud.machine(tags={"owner": "team"})

    assert tag(clouds, machine, "Merge", bootstage="ready") == {"owner": "team", "bootstage": "ready"}
    assert clouds.compute.virtual_machines.get("rg", "vm").tags == {"owner": "team", "bootstage": "ready"}
    assert clouds.resources.tags.get_at_scope(machine).properties.tags["bootstage"] == "ready"


def test_a_tag_name_is_the_same_in_any_case_and_keeps_its_first_one(cloud: Cloud, clouds: Clouds) -> None:
    machine, _ = cloud.machine(tags={"Owner": "team"})

    assert tag(clouds, machine, "Merge", owner="other") == {"Owner": "other"}


def test_tags_are_replaced_and_deleted_by_name(cloud: Cloud, clouds: Clouds) -> None:
    machine, _ = cloud.machine(tags={"owner": "team", "system": "l1vh"})

    assert tag(clouds, machine, "Delete", OWNER="") == {"system": "l1vh"}
    assert tag(clouds, machine, "Replace", stack="dev") == {"stack": "dev"}


@pytest.mark.parametrize(
    ("operation", "tags", "code"),
    [
        ("Merge", {"a<b": "x"}, "InvalidTagName"),
        ("Merge", {"reason": "x" * 257}, "TagValueTooLong"),
        ("Merge", {f"t{number}": "x" for number in range(51)}, "TooManyTags"),
        ("Add", {"a": "x"}, "InvalidRequestContent"),
    ],
)
def test_tags_that_the_platform_does_not_take_are_refused(
    cloud: Cloud, clouds: Clouds, operation: str, tags: dict[str, str], code: str
) -> None:
    machine, _ = cloud.machine()

    with pytest.raises(HttpResponseError, match=code):
        tag(clouds, machine, operation, **tags)


def test_tags_of_nothing_are_refused(cloud: Cloud, clouds: Clouds) -> None:
    cloud.group()

    with pytest.raises(HttpResponseError, match="ResourceNotFound"):
        tag(clouds, f"{GROUP}/providers/Microsoft.Compute/virtualMachines/none", "Merge", a="b")


def test_a_provider_that_is_not_registered_says_so() -> None:
    cloud = build(default_scenario(unregistered={"Microsoft.DevTestLab"}))
    with serve(cloud.manager) as endpoint:
        providers = clients(endpoint.url).resources.providers

        assert providers.get("Microsoft.DevTestLab").registration_state == "NotRegistered"
        states = {item.namespace: item.registration_state for item in providers.list()}
        assert states["Microsoft.Compute"] == "Registered"
        with pytest.raises(HttpResponseError, match="InvalidResourceNamespace"):
            providers.get("Microsoft.Nonsense")


def test_an_image_of_a_gallery_is_read_where_it_is_shared_and_nowhere_else() -> None:
    cloud = build(default_scenario(images={IMAGE, GALLERY_IMAGE}))

    assert cloud.get(GALLERY_IMAGE)["name"] == "dom0qemu"
    assert cloud.get(IMAGE.rsplit("/versions/")[0])["type"] == "Microsoft.Compute/galleries/images"
    assert cloud.request("GET", f"{GALLERY_IMAGE}-other").status == 403
    assert cloud.request("GET", f"{SHARED}/disks/other").status == 404


def test_a_cluster_is_stopped_and_started_and_takes_no_change_in_between(cloud: Cloud, clouds: Clouds) -> None:
    cloud.group()
    cluster, _ = cloud.cluster()

    clouds.clusters.managed_clusters.begin_stop("rg", "aks").result()
    stopped = clouds.clusters.managed_clusters.get("rg", "aks")
    assert stopped.power_state.code == "Stopped"
    assert stopped.agent_pool_profiles[0].power_state.code == "Stopped"
    refused = cloud.request("PUT", cluster, {"location": "westus", "properties": {"kubernetesVersion": "1.35"}})
    assert (refused.status, (refused.body or {})["error"]["code"]) == (409, "OperationNotAllowed")

    clouds.clusters.managed_clusters.begin_start("rg", "aks").result()
    assert clouds.clusters.managed_clusters.get("rg", "aks").power_state.code == "Running"


def test_a_machine_that_runs_already_does_not_boot_again(cloud: Cloud, clouds: Clouds) -> None:
    cloud.machine()
    boots: list[str] = []
    cloud.manager.store.booted = lambda record: boots.append(record.name)

    clouds.compute.virtual_machines.begin_start("rg", "vm").result()
    assert boots == []
    clouds.compute.virtual_machines.begin_deallocate("rg", "vm").result()
    clouds.compute.virtual_machines.begin_start("rg", "vm").result()
    assert boots == ["vm"]
