"""The network of on-demand runners in one region of AWS."""

from collections.abc import Mapping
from ipaddress import IPv4Network
from typing import TypedDict

import pulumi
from pulumi_aws import ec2

from components.base import Component
from virtci.core.networks import last_free
from virtci.core.runners.aws import EGRESS_PREFIX

ANYWHERE = "0.0.0.0/0"


class AwsNetworkArgs(TypedDict):
    """Arguments of `AwsNetwork`. None of these may be an Output."""

    network_name: str
    """Its tag `Name`; the names of its parts begin with it."""
    region: str
    tags: Mapping[str, str]
    address_space: IPv4Network
    zones: Mapping[str, IPv4Network]
    """Range of the private subnet of each availability zone."""


class AwsNetwork(Component):
    """A VPC whose machines get out and whom nobody reaches.

    Resources: a `Vpc`; a private `Subnet` per zone with one `RouteTable`; one public `Subnet` that holds nothing but the
    `NatGateway`, with its `Eip` and the `InternetGateway`; a gateway `VpcEndpoint` for S3; a `SecurityGroup`.

    One NAT gateway is the way out, for all zones: GitHub is not to be had inside AWS. What goes through it anyway needs no
    interface endpoints, so Systems Manager has none (they cost as much as the gateway, each in each zone); S3 has its
    gateway endpoint, which is free and takes package and image traffic off the gateway's bill. When the gateway's zone is
    down, starts fail with NETWORK and go to the other cloud.

    Refuses: public addresses for machines; any rule inbound, also between machines. Outbound is open, as in Azure: jobs
    run any code, and a list of ports would break some of them and stop none.
    """

    TYPE = "virt-ci:network:AwsNetwork"
    ARGUMENTS = AwsNetworkArgs

    subnet_ids: dict[str, pulumi.Output[str]]
    """Ids of the private subnets by zone."""
    security_group_id: pulumi.Output[str]
    egress_address: pulumi.Output[str]
    """The public address from which all machines appear."""

    def __init__(self, name: str, args: AwsNetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)
        self.arguments = args
        vpc = ec2.Vpc(
            self.child_name(),
            region=args["region"],
            cidr_block=str(args["address_space"]),
            enable_dns_support=True,
            enable_dns_hostnames=True,
            tags=self._tags(),
            opts=self.options(),
        )
        gateway, address = self._egress(vpc)
        routes = self._routes("private", vpc, {"cidr_block": ANYWHERE, "nat_gateway_id": gateway.id})
        self.subnet_ids = {zone: self._subnet(zone, vpc, cidr, zone, routes).id for zone, cidr in args["zones"].items()}
        ec2.VpcEndpoint(
            self.child_name("s3"),
            region=args["region"],
            vpc_id=vpc.id,
            service_name=f"com.amazonaws.{args['region']}.s3",
            vpc_endpoint_type="Gateway",
            route_table_ids=[routes.id],
            tags=self._tags("s3"),
            opts=self.options(),
        )
        self.security_group_id = self._security_group(vpc).id
        self.egress_address = address.public_ip
        self.register_outputs(
            {
                "subnet_ids": self.subnet_ids,
                "security_group_id": self.security_group_id,
                "egress_address": self.egress_address,
            }
        )

    def _tags(self, part: str = "") -> dict[str, str]:
        name = self.arguments["network_name"]
        return {**self.arguments["tags"], "Name": f"{name}-{part}" if part else name}

    def _egress(self, vpc: ec2.Vpc) -> tuple[ec2.NatGateway, ec2.Eip]:
        args = self.arguments
        cidr = last_free(args["address_space"], args["zones"].values(), EGRESS_PREFIX)
        if cidr is None:
            message = f"AwsNetwork `{args['network_name']}` has no range of /{EGRESS_PREFIX} left for its NAT gateway"
            raise ValueError(message)
        internet = ec2.InternetGateway(
            self.child_name("internet"),
            region=args["region"],
            vpc_id=vpc.id,
            tags=self._tags("internet"),
            opts=self.options(),
        )
        routes = self._routes("public", vpc, {"cidr_block": ANYWHERE, "gateway_id": internet.id})
        subnet = self._subnet("egress", vpc, cidr, next(iter(args["zones"])), routes)
        address = ec2.Eip(
            self.child_name("egress-ip"),
            region=args["region"],
            domain="vpc",
            tags=self._tags("egress"),
            opts=self.options(),
        )
        gateway = ec2.NatGateway(
            self.child_name("egress-gateway"),
            region=args["region"],
            subnet_id=subnet.id,
            allocation_id=address.id,
            tags=self._tags("egress"),
            # It is of no use, and cannot be deleted in peace, without its way to the Internet.
            opts=self.options(depends_on=[internet]),
        )
        return gateway, address

    def _subnet(self, part: str, vpc: ec2.Vpc, cidr: IPv4Network, zone: str, routes: ec2.RouteTable) -> ec2.Subnet:
        subnet = ec2.Subnet(
            self.child_name(part),
            region=self.arguments["region"],
            vpc_id=vpc.id,
            availability_zone=zone,
            cidr_block=str(cidr),
            map_public_ip_on_launch=False,
            tags=self._tags(part),
            opts=self.options(),
        )
        ec2.RouteTableAssociation(
            self.child_name(f"{part}-routes"),
            region=self.arguments["region"],
            subnet_id=subnet.id,
            route_table_id=routes.id,
            opts=self.options(),
        )
        return subnet

    def _routes(self, part: str, vpc: ec2.Vpc, default: ec2.RouteTableRouteArgsDict) -> ec2.RouteTable:
        return ec2.RouteTable(
            self.child_name(part),
            region=self.arguments["region"],
            vpc_id=vpc.id,
            routes=[default],
            tags=self._tags(part),
            opts=self.options(),
        )

    def _security_group(self, vpc: ec2.Vpc) -> ec2.SecurityGroup:
        return ec2.SecurityGroup(
            self.child_name("machines"),
            region=self.arguments["region"],
            name=f"{self.arguments['network_name']}-machines",
            description="On-demand runners: nothing in, everything out",
            vpc_id=vpc.id,
            # Said, not left out: what is left out may be added by hand without anybody seeing it.
            ingress=[],
            egress=[
                {
                    "protocol": "-1",
                    "from_port": 0,
                    "to_port": 0,
                    "cidr_blocks": [ANYWHERE],
                    "description": "GitHub, packages, images",
                }
            ],
            tags=self._tags("machines"),
            opts=self.options(delete_before_replace=True),
        )
