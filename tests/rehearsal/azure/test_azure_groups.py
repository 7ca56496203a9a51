"""Resource groups and parents: nothing hangs in the air, and all falls together."""

from tests.rehearsal.azure.simulated import COMPUTE, GROUP, NETWORK, SUBSCRIPTION, Cloud, refused


def test_a_resource_needs_its_group(cloud: Cloud) -> None:
    with refused() as refusal:
        cloud.network()
    assert refusal.said == (404, "ResourceGroupNotFound")
    assert refusal.error.message == "Resource group 'rg' could not be found."


def test_a_nested_resource_needs_its_parent(cloud: Cloud) -> None:
    cloud.group()
    with refused() as refusal:
        cloud.create("network:Subnet", virtualNetworkName="net", subnetName="a", addressPrefix="10.0.0.0/24")
    assert refusal.said == (404, "ParentResourceNotFound")
    assert f"{NETWORK}/virtualNetworks/net" in refusal.error.message


def test_a_read_of_nothing_names_type_and_group(cloud: Cloud) -> None:
    cloud.group()
    response = cloud.request("GET", f"{COMPUTE}/virtualMachines/vm")
    assert response.status == 404
    assert "'Microsoft.Compute/virtualMachines/vm' under resource group 'rg'" in str(response.body)


def test_a_group_in_an_unknown_region_is_refused(cloud: Cloud) -> None:
    with refused() as refusal:
        cloud.create("resources:ResourceGroup", resourceGroupName="rg", location="moonbase")
    assert refusal.said == (400, "LocationNotAvailableForResourceGroup")


def test_a_group_name_that_breaks_the_rule_is_refused(cloud: Cloud) -> None:
    with refused() as refusal:
        cloud.group("ends-with-a-period.")
    assert refusal.said == (400, "InvalidResourceGroup")


def test_deleting_a_group_deletes_all_that_is_inside(cloud: Cloud) -> None:
    cloud.machine()
    cloud.vault("kv-gone")
    cloud.delete(GROUP)
    assert cloud.manager.remaining() == []
    assert "kv-gone" in cloud.manager.store.tombstones


def test_a_group_whose_network_is_used_from_outside_stays(cloud: Cloud) -> None:
    cloud.group()
    cloud.network()
    cloud.group("other")
    cloud.create(
        "network:NetworkInterface",
        resourceGroupName="other",
        networkInterfaceName="nic",
        ipConfigurations=[{"name": "ip", "subnet": {"id": f"{NETWORK}/virtualNetworks/net/subnets/a"}}],
    )
    with refused() as refusal:
        cloud.delete(GROUP)
    assert refusal.said == (409, "ResourceGroupDeletionBlocked")


def test_a_group_on_its_way_out_takes_nothing_new(cloud: Cloud) -> None:
    cloud.group()
    record = cloud.manager.store.get(GROUP)
    assert record
    record.state = "Deleting"
    with refused() as refusal:
        cloud.network()
    assert refusal.said == (409, "ResourceGroupBeingDeleted")


def test_groups_and_their_contents_can_be_listed(ready: Cloud) -> None:
    assert [item["name"] for item in ready.get(f"{SUBSCRIPTION}/resourceGroups")["value"]] == ["rg"]
    names = {item["name"] for item in ready.get(f"{GROUP}/resources")["value"]}
    assert {"net", "nic"} <= names
    assert "a" not in names


def test_a_type_that_is_not_simulated_is_refused(cloud: Cloud) -> None:
    cloud.group()
    response = cloud.request("PUT", f"{GROUP}/providers/Microsoft.Sql/servers/s", {})
    assert (response.status, (response.body or {})["error"]["code"]) == (404, "InvalidResourceType")


def test_an_ill_typed_body_is_refused_by_the_service_as_well(cloud: Cloud) -> None:
    response = cloud.request("PUT", GROUP, {"location": 7})
    assert (response.status, (response.body or {})["error"]["code"]) == (400, "InvalidRequestContent")


def test_head_asks_whether_a_resource_exists(cloud: Cloud) -> None:
    assert cloud.request("HEAD", GROUP).status == 404
    cloud.group()
    assert cloud.request("HEAD", GROUP).status == 204
