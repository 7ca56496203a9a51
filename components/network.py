"""The network of the fleet."""

from collections.abc import Mapping
from ipaddress import IPv4Network
from typing import NotRequired, TypedDict

import pulumi
from pulumi_azure_native import network

from components.base import Component
from virtci.core.firewall import Rule, rules


class NetworkArgs(TypedDict):
    """Arguments of `Network`."""

    network_name: str
    """Name in Azure; the names of its parts begin with it. Must not be an Output."""
    resource_group_name: pulumi.Input[str]
    location: pulumi.Input[str]
    tags: Mapping[str, str]
    address_space: IPv4Network
    """Must not be an Output."""
    subnets: Mapping[str, IPv4Network]
    """Ranges by name. Must not be an Output."""
    runners: str
    """Name of the subnet whose machines may reach the environments. Must not be an Output."""
    entry: NotRequired[IPv4Network | None]
    """Range outside of the network from which people log in to runners by SSH; default: none. Must not be an Output."""


class Network(Component):
    """One virtual network with a subnet per environment and one for the runners.

    Resources: a `VirtualNetwork` with its subnets inside, because a subnet of its own would be lost when the network
    is written again; a `NetworkSecurityGroup` per subnet; one `NatGateway` with one `PublicIPAddress` as the only
    way out.

    Refuses: any rule that the address plan does not give (`virtci.core.firewall`); a subnet without security group,
    or with the platform's own outbound access; a way in from the Internet.
    """

    TYPE = "virt-ci:network:Network"
    ARGUMENTS = NetworkArgs

    resource_id: pulumi.Output[str]
    """ARM id of the virtual network."""
    subnet_resource_ids: pulumi.Output[dict[str, str]]
    """ARM ids of the subnets by name."""
    egress_address: pulumi.Output[str]
    """The public address from which all machines appear."""

    def __init__(self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)
        gateway, address = self._egress(args)
        groups = {subnet: self._security_group(subnet, args) for subnet in args["subnets"]}
        virtual_network = network.VirtualNetwork(
            self.child_name(),
            virtual_network_name=args["network_name"],
            resource_group_name=args["resource_group_name"],
            location=args["location"],
            tags=args["tags"],
            address_space={"address_prefixes": [str(args["address_space"])]},
            subnets=[
                {
                    "name": subnet,
                    "address_prefix": str(args["subnets"][subnet]),
                    "default_outbound_access": False,
                    "nat_gateway": {"id": gateway.id},
                    "network_security_group": {"id": group.id},
                    "private_endpoint_network_policies": "Enabled",
                    "service_endpoints": [{"service": "Microsoft.KeyVault", "locations": ["*"]}],
                }
                for subnet, group in groups.items()
            ],
            opts=self.options(),
        )
        names = list(args["subnets"])
        self.resource_id = virtual_network.id
        self.subnet_resource_ids = virtual_network.id.apply(
            lambda id_: {item: f"{id_}/subnets/{item}" for item in names}
        )
        self.egress_address = address.ip_address.apply(lambda value: value or "")
        self.register_outputs(
            {
                "resource_id": self.resource_id,
                "subnet_resource_ids": self.subnet_resource_ids,
                "egress_address": self.egress_address,
            }
        )

    def _egress(self, args: NetworkArgs) -> tuple[network.NatGateway, network.PublicIPAddress]:
        address = network.PublicIPAddress(
            self.child_name("egress-ip"),
            public_ip_address_name=f"{args['network_name']}-egress-ip",
            resource_group_name=args["resource_group_name"],
            location=args["location"],
            tags=args["tags"],
            sku={"name": "Standard"},
            public_ip_allocation_method="Static",
            opts=self.options(),
        )
        gateway = network.NatGateway(
            self.child_name("egress"),
            nat_gateway_name=f"{args['network_name']}-egress",
            resource_group_name=args["resource_group_name"],
            location=args["location"],
            tags=args["tags"],
            sku={"name": "Standard"},
            idle_timeout_in_minutes=10,
            public_ip_addresses=[{"id": address.id}],
            opts=self.options(),
        )
        return gateway, address

    def _security_group(self, subnet: str, args: NetworkArgs) -> network.NetworkSecurityGroup:
        return network.NetworkSecurityGroup(
            self.child_name(f"{subnet}-nsg"),
            network_security_group_name=f"{args['network_name']}-{subnet}-nsg",
            resource_group_name=args["resource_group_name"],
            location=args["location"],
            tags=args["tags"],
            security_rules=[
                security_rule(rule) for rule in rules(subnet, args["subnets"], args["runners"], args.get("entry"))
            ],
            opts=self.options(),
        )


def security_rule(rule: Rule) -> network.SecurityRuleArgsDict:
    """A rule in the provider's words, which has different keys for one value and for several."""
    arguments: network.SecurityRuleArgsDict = {
        "name": rule.name,
        "description": rule.why,
        "priority": rule.priority,
        "direction": rule.direction,
        "access": rule.access,
        "protocol": rule.protocol,
        "source_port_range": "*",
    }
    for key, plural, values in (
        ("source_address_prefix", "source_address_prefixes", rule.sources),
        ("destination_address_prefix", "destination_address_prefixes", rule.destinations),
        ("destination_port_range", "destination_port_ranges", rule.ports),
    ):
        arguments.update({key: values[0]} if len(values) == 1 else {plural: list(values)})
    return arguments
