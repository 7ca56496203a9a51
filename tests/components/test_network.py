"""The network: closed by default, one way out, no way between environments."""

import pytest

from tests.committed import fleet

NSG = "azure-native:network:NetworkSecurityGroup"
NETWORK = "azure-native:network:VirtualNetwork"
SUBNETS = ("runners", "dev", "test-mshv", "test-emulation", "test-kvm")


def subnets() -> dict[str, dict[str, object]]:
    return {str(subnet["name"]): subnet for subnet in fleet("hub").one(NETWORK).inputs["subnets"]}


def test_there_is_a_subnet_for_the_runners_and_for_every_environment() -> None:
    assert sorted(subnets()) == sorted(SUBNETS)


@pytest.mark.parametrize("name", SUBNETS)
def test_a_subnet_has_no_outbound_access_of_its_own_and_goes_out_through_the_gateway(name: str) -> None:
    subnet = subnets()[name]

    assert subnet["defaultOutboundAccess"] is False
    assert subnet["natGateway"] == {"id": "/ids/hub-network-egress"}


@pytest.mark.parametrize("name", SUBNETS)
def test_a_subnet_has_a_security_group_of_its_own(name: str) -> None:
    assert subnets()[name]["networkSecurityGroup"] == {"id": f"/ids/hub-network-{name}-nsg"}


@pytest.mark.parametrize("name", SUBNETS)
def test_whatever_is_not_allowed_is_denied_on_the_way_in(name: str) -> None:
    rules = fleet("hub").one(NSG, f"hub-network-{name}-nsg").inputs["securityRules"]
    last = max((rule for rule in rules if rule["direction"] == "Inbound"), key=lambda rule: rule["priority"])

    assert (last["access"], last["sourceAddressPrefix"], last["destinationPortRange"]) == ("Deny", "*", "*")


def test_no_rule_lets_anybody_in_from_anywhere() -> None:
    opened = [
        (group.name, rule["name"])
        for group in fleet("hub").all(NSG)
        for rule in group.inputs["securityRules"]
        if (rule["direction"], rule["access"], rule.get("sourceAddressPrefix")) == ("Inbound", "Allow", "*")
    ]

    assert opened == []


def test_only_the_gateway_has_a_public_address() -> None:
    addresses = [
        item.name
        for stack in ("hub", "dev", "test")
        for item in fleet(stack).all("azure-native:network:PublicIPAddress")
    ]

    assert addresses == ["hub-network-egress-ip"]
    assert fleet("hub").one("azure-native:network:NatGateway").inputs["publicIpAddresses"] == [
        {"id": "/ids/hub-network-egress-ip"}
    ]
