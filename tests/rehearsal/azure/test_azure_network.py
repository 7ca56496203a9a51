"""Networks: what must fit, what must exist, what is in use."""

import pytest

from tests.rehearsal.azure.simulated import GROUP, NETWORK, SUBSCRIPTION, Cloud, refused

NET = f"{NETWORK}/virtualNetworks/net"


def subnets(*prefixes: str) -> list[dict[str, str]]:
    return [{"name": f"s{index}", "addressPrefix": prefix} for index, prefix in enumerate(prefixes)]


def test_inline_subnets_are_resources_that_others_can_refer_to(ready: Cloud) -> None:
    assert ready.get(f"{NET}/subnets/a")["properties"]["addressPrefix"] == "10.0.0.0/24"
    assert [item["name"] for item in ready.get(f"{NET}/subnets")["value"]] == ["a"]


def test_a_subnet_outside_its_network_is_refused(cloud: Cloud) -> None:
    cloud.group()
    with refused() as refusal:
        cloud.network(subnets=subnets("10.1.0.0/24"))
    assert refusal.said == (400, "NetcfgInvalidSubnet")


def test_overlapping_subnets_are_refused(cloud: Cloud) -> None:
    cloud.group()
    with refused() as refusal:
        cloud.network(subnets=subnets("10.0.0.0/24", "10.0.0.128/25"))
    assert refusal.said == (400, "NetcfgSubnetRangesOverlap")
    assert "'s1'" in refusal.error.message
    assert "'s0'" in refusal.error.message


def test_an_unreadable_prefix_is_refused(cloud: Cloud) -> None:
    cloud.group()
    with refused() as refusal:
        cloud.network(subnets=subnets("10.0.0.1/24"))
    assert refusal.said == (400, "InvalidAddressPrefixFormat")


def test_a_separate_subnet_obeys_the_same_rules(ready: Cloud) -> None:
    with refused() as refusal:
        ready.create("network:Subnet", virtualNetworkName="net", subnetName="b", addressPrefix="10.0.0.0/25")
    assert refusal.said == (400, "NetcfgSubnetRangesOverlap")
    made, _ = ready.create("network:Subnet", virtualNetworkName="net", subnetName="b", addressPrefix="10.0.1.0/24")
    assert ready.exists(made)


def test_the_first_four_addresses_of_a_subnet_are_kept_by_azure(ready: Cloud) -> None:
    ready.interface("second")
    addresses = [
        ready.get(f"{NETWORK}/networkInterfaces/{name}")["properties"]["ipConfigurations"][0]["properties"]
        for name in ("nic", "second")
    ]
    assert [item["privateIPAddress"] for item in addresses] == ["10.0.0.4", "10.0.0.5"]


def test_an_interface_keeps_its_address_over_an_update(ready: Cloud) -> None:
    made = ready.interface("second")
    configuration = {"name": "ip", "subnet": {"id": f"{NET}/subnets/a"}}
    ready.delete(f"{NETWORK}/networkInterfaces/nic")
    outputs = ready.update(
        "network:NetworkInterface", made, networkInterfaceName="second", ipConfigurations=[configuration]
    )
    assert outputs["ipConfigurations"][0]["privateIPAddress"] == "10.0.0.5"


def test_a_full_subnet_is_refused_and_leaves_no_address_behind(cloud: Cloud) -> None:
    cloud.group()
    cloud.network(subnets=[{"name": "a", "addressPrefix": "10.0.0.0/29"}])
    for name in ("one", "two", "three"):
        cloud.interface(name)
    response = cloud.request(
        "PUT",
        f"{NETWORK}/networkInterfaces/four",
        {
            "location": "westus",
            "properties": {"ipConfigurations": [{"name": "ip", "properties": {"subnet": {"id": f"{NET}/subnets/a"}}}]},
        },
    )
    assert (response.status, (response.body or {})["error"]["code"]) == (400, "SubnetIsFull")


def test_a_static_address_that_is_taken_is_refused(ready: Cloud) -> None:
    with refused() as refusal:
        ready.interface("second", privateIPAllocationMethod="Static", privateIPAddress="10.0.0.4")
    assert refusal.said == (400, "PrivateIPAddressInUse")


def test_a_static_address_outside_the_subnet_is_refused(ready: Cloud) -> None:
    with refused() as refusal:
        ready.interface("second", privateIPAllocationMethod="Static", privateIPAddress="10.0.9.9")
    assert refusal.said == (400, "PrivateIPAddressNotInSubnet")


def test_a_reference_to_nothing_is_refused_with_both_names(cloud: Cloud) -> None:
    cloud.group()
    with refused() as refusal:
        cloud.interface("nic")
    assert refusal.said == (400, "InvalidResourceReference")
    assert f"{NET}/subnets/a" in refusal.error.message
    assert f"{NETWORK}/networkInterfaces/nic" in refusal.error.message


def test_an_interface_in_another_region_than_its_network_is_refused(ready: Cloud) -> None:
    configuration = {"name": "ip", "subnet": {"id": f"{NET}/subnets/a"}}
    with refused() as refusal:
        ready.create(
            "network:NetworkInterface",
            networkInterfaceName="far",
            location="eastus",
            ipConfigurations=[configuration],
        )
    assert refusal.said == (400, "InvalidResourceReference")


def test_a_subnet_in_use_keeps_its_network_alive(ready: Cloud) -> None:
    for target in (NET, f"{NET}/subnets/a"):
        with refused() as refusal:
            ready.delete(target)
        assert refusal.said == (400, "InUseSubnetCannotBeDeleted")
        assert "networkInterfaces/nic" in refusal.error.message


def test_a_subnet_in_use_cannot_be_taken_out_of_its_network(ready: Cloud) -> None:
    with refused() as refusal:
        ready.update(
            "network:VirtualNetwork",
            NET,
            virtualNetworkName="net",
            addressSpace={"addressPrefixes": ["10.0.0.0/16"]},
            subnets=subnets("10.0.0.0/24"),
        )
    assert refusal.said == (400, "InUseSubnetCannotBeDeleted")


def test_a_subnet_that_nobody_uses_goes_with_an_update(cloud: Cloud) -> None:
    cloud.group()
    cloud.network()
    space = {"addressPrefixes": ["10.0.0.0/16"]}
    outputs = cloud.update("network:VirtualNetwork", NET, virtualNetworkName="net", addressSpace=space, subnets=[])
    assert outputs["subnets"] == []
    assert not cloud.exists(f"{NET}/subnets/a")


def test_a_security_group_in_use_cannot_be_deleted(cloud: Cloud) -> None:
    cloud.group()
    group, _ = cloud.create("network:NetworkSecurityGroup", networkSecurityGroupName="nsg")
    cloud.network(subnets=[{"name": "a", "addressPrefix": "10.0.0.0/24", "networkSecurityGroup": {"id": group}}])
    with refused() as refusal:
        cloud.delete(group)
    assert refusal.said == (400, "InUseNetworkSecurityGroupCannotBeDeleted")


def rule(name: str, priority: int) -> dict[str, object]:
    return {
        "name": name,
        "priority": priority,
        "direction": "Inbound",
        "access": "Deny",
        "protocol": "*",
        "sourceAddressPrefix": "*",
        "sourcePortRange": "*",
        "destinationAddressPrefix": "*",
        "destinationPortRange": "*",
    }


@pytest.mark.parametrize(
    ("rules", "code"),
    [
        ([rule("a", 100), rule("b", 100)], "SecurityRuleConflict"),
        ([rule("a", 99)], "SecurityRuleInvalidPriority"),
    ],
)
def test_security_rules_have_priorities_of_their_own(cloud: Cloud, rules: list[object], code: str) -> None:
    cloud.group()
    with refused() as refusal:
        cloud.create("network:NetworkSecurityGroup", networkSecurityGroupName="nsg", securityRules=rules)
    assert refusal.said == (400, code)


def public_ip(cloud: Cloud, **more: object) -> str:
    inputs = {"sku": {"name": "Standard"}, "publicIPAllocationMethod": "Static"} | more
    return cloud.create("network:PublicIPAddress", publicIpAddressName="ip", **inputs)[0]


def test_public_addresses_come_from_the_documentation_range(cloud: Cloud) -> None:
    cloud.group()
    assert cloud.get(public_ip(cloud))["properties"]["ipAddress"] == "203.0.113.1"


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"sku": {"name": "Basic"}}, "BasicSkuPublicIpRetired"),
        ({"publicIPAllocationMethod": "Dynamic"}, "PublicIPAndLBSkuDoNotMatch"),
    ],
)
def test_retired_kinds_of_public_addresses_are_refused(cloud: Cloud, more: dict[str, object], code: str) -> None:
    cloud.group()
    with refused() as refusal:
        public_ip(cloud, **more)
    assert refusal.said == (400, code)


def test_egress_can_only_be_taken_down_from_the_subnet_upwards(cloud: Cloud) -> None:
    cloud.group()
    address = public_ip(cloud)
    gateway, _ = cloud.create(
        "network:NatGateway", natGatewayName="nat", sku={"name": "Standard"}, publicIpAddresses=[{"id": address}]
    )
    network = cloud.network(subnets=[{"name": "a", "addressPrefix": "10.0.0.0/24", "natGateway": {"id": gateway}}])
    for target, code in (
        (address, "PublicIPAddressCannotBeDeleted"),
        (gateway, "CannotDeleteNatGatewayAssociatedToSubnet"),
    ):
        with refused() as refusal:
            cloud.delete(target)
        assert refusal.said == (400, code)
    for target in (network, gateway, address):
        cloud.delete(target)
    assert not cloud.exists(address)


@pytest.mark.parametrize("name", ["-net", "net!", "n" * 65, "n"])
def test_a_name_that_breaks_the_rule_is_refused(cloud: Cloud, name: str) -> None:
    cloud.group()
    with refused() as refusal:
        cloud.network(virtualNetworkName=name)
    assert refusal.said == (400, "InvalidResourceName")


def test_two_writes_to_one_resource_do_not_overlap(ready: Cloud) -> None:
    ready.manager.store.busy.add(NET.lower())
    response = ready.request("DELETE", NET)
    assert (response.status, (response.body or {})["error"]["code"]) == (409, "AnotherOperationInProgress")


def test_a_foreign_subscription_is_not_found(cloud: Cloud) -> None:
    response = cloud.request("GET", GROUP.replace(SUBSCRIPTION[-2:], "99"))
    assert (response.status, (response.body or {})["error"]["code"]) == (404, "SubscriptionNotFound")
