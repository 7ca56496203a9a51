"""The resource types of a VPC."""

from virtci.rehearsal.aws.calls import Calls
from virtci.rehearsal.aws.rows import Row, found, nothing, only, removed, words
from virtci.rehearsal.aws.things import Thing
from virtci.rehearsal.bridge import Values

GATEWAY_SECONDS = 600.0
ATTRIBUTES = {"enableDnsSupport": "EnableDnsSupport", "enableDnsHostnames": "EnableDnsHostnames"}
TARGETS = {"gatewayId": "GatewayId", "natGatewayId": "NatGatewayId"}


def routes_of(routes: list[Values]) -> list[Values]:
    """The routes that are not of the platform's making."""
    return [
        {"cidrBlock": item["DestinationCidrBlock"], **{name: item[to] for name, to in TARGETS.items() if item.get(to)}}
        for item in routes
        if item.get("DestinationCidrBlock") and item.get("GatewayId") != "local"
    ]


NETWORK = Thing(
    noun="vpc", id="VpcId", member="Vpc", plural="Vpcs", kind="vpc",
    sends={"cidrBlock": "CidrBlock"}, shows={"cidrBlock": "CidrBlock"},
)  # fmt: skip
SUBNET = Thing(
    noun="subnet", id="SubnetId", member="Subnet", plural="Subnets", kind="subnet",
    sends={"vpcId": "VpcId", "cidrBlock": "CidrBlock", "availabilityZone": "AvailabilityZone"},
    shows={
        "vpcId": "VpcId", "cidrBlock": "CidrBlock", "availabilityZone": "AvailabilityZone",
        "mapPublicIpOnLaunch": "MapPublicIpOnLaunch",
    },
)  # fmt: skip
GATEWAY = Thing(
    noun="internet_gateway", id="InternetGatewayId", member="InternetGateway", plural="InternetGateways", kind="internet-gateway",
    shows={"vpcId": lambda live: next((item["VpcId"] for item in live["Attachments"]), None)},
)  # fmt: skip
ADDRESS = Thing(
    noun="address", id="AllocationId", member="", plural="Addresses", kind="elastic-ip",
    create_by="allocate_address", describe_by="describe_addresses", delete_by="release_address",
    sends={"domain": "Domain"}, shows={"domain": "Domain", "publicIp": "PublicIp", "allocationId": "AllocationId"},
)  # fmt: skip
NAT = Thing(
    noun="nat_gateway", id="NatGatewayId", member="NatGateway", plural="NatGateways", kind="natgateway",
    sends={"subnetId": "SubnetId", "allocationId": "AllocationId"},
    shows={
        "subnetId": "SubnetId",
        "allocationId": lambda live: live["NatGatewayAddresses"][0]["AllocationId"],
        "publicIp": lambda live: live["NatGatewayAddresses"][0].get("PublicIp"),
    },
)  # fmt: skip
TABLE = Thing(
    noun="route_table", id="RouteTableId", member="RouteTable", plural="RouteTables", kind="route-table",
    sends={"vpcId": "VpcId"}, shows={"vpcId": "VpcId", "routes": lambda live: routes_of(live["Routes"])},
)  # fmt: skip
ENDPOINT = Thing(
    noun="vpc_endpoint", id="VpcEndpointId", member="VpcEndpoint", plural="VpcEndpoints", kind="vpc-endpoint",
    sends={
        "vpcId": "VpcId", "serviceName": "ServiceName", "vpcEndpointType": "VpcEndpointType", "routeTableIds": "RouteTableIds",
    },
    shows={
        "vpcId": "VpcId", "serviceName": "ServiceName", "vpcEndpointType": "VpcEndpointType",
        "routeTableIds": lambda live: live.get("RouteTableIds", []),
    },
)  # fmt: skip


def tune_network(calls: Calls, region: str, network: str, new: Values, old: Values) -> None:
    """Turns the DNS of a network on or off."""
    for name, attribute in ATTRIBUTES.items():
        if new[name] != old.get(name):
            calls("ec2", region, "modify_vpc_attribute", VpcId=network, **{attribute: {"Value": new[name]}})


def read_network(calls: Calls, region: str, network: str, _: Values) -> Values | None:
    """A network, with its attributes, which are told one by one."""
    live = NETWORK.describe(calls, region, network)
    if live is None:
        return None
    shown = {
        name: calls("ec2", region, "describe_vpc_attribute", VpcId=network, Attribute=name)[attribute]["Value"]
        for name, attribute in ATTRIBUTES.items()
    }
    return {**NETWORK.properties(live, region, network), **shown}


def tune_subnet(calls: Calls, region: str, subnet: str, new: Values, old: Values) -> None:
    """Lets a subnet give public addresses, or not."""
    public = new["mapPublicIpOnLaunch"]
    if public != old.get("mapPublicIpOnLaunch", False):
        calls("ec2", region, "modify_subnet_attribute", SubnetId=subnet, MapPublicIpOnLaunch={"Value": public})


def attach(calls: Calls, region: str, gateway: str, new: Values, old: Values) -> None:
    """Brings an internet gateway to its network."""
    before, after = old.get("vpcId"), new.get("vpcId")
    if before and before != after:
        calls("ec2", region, "detach_internet_gateway", InternetGatewayId=gateway, VpcId=before)
    if after and before != after:
        calls("ec2", region, "attach_internet_gateway", InternetGatewayId=gateway, VpcId=after)


def delete_gateway(calls: Calls, region: str, gateway: str, state: Values) -> None:
    """Takes an internet gateway away from its network and deletes it."""
    if network := state.get("vpcId"):
        removed(lambda: calls("ec2", region, "detach_internet_gateway", InternetGatewayId=gateway, VpcId=network))
    GATEWAY.delete(calls, region, gateway, state)


def await_nat(calls: Calls, region: str, gateway: str, _new: Values, _old: Values) -> None:
    """Waits until a NAT gateway works."""
    calls.until(lambda: _nat_state(calls, region, gateway), "available", ("pending",), GATEWAY_SECONDS)


def read_nat(calls: Calls, region: str, gateway: str, _: Values) -> Values | None:
    """A NAT gateway that works or will; those that are going are gone."""
    live = NAT.describe(calls, region, gateway)
    there = live is not None and live["State"] in ("pending", "available")
    return NAT.properties(live, region, gateway) if live and there else None


def delete_nat(calls: Calls, region: str, gateway: str, state: Values) -> None:
    """Deletes a NAT gateway and waits until its address is free."""
    NAT.delete(calls, region, gateway, state)
    calls.until(lambda: _nat_state(calls, region, gateway), "deleted", ("deleting",), GATEWAY_SECONDS)


def tune_routes(calls: Calls, region: str, table: str, new: Values, old: Values) -> None:
    """Brings the routes of a table up to date; they are known by their destination."""
    before, after = ({item["cidrBlock"]: item for item in values.get("routes") or ()} for values in (old, new))
    for cidr in before.keys() - after.keys():
        calls("ec2", region, "delete_route", RouteTableId=table, DestinationCidrBlock=cidr)
    for cidr, route in after.items():
        only(route, {"cidrBlock", *TARGETS}, "a route")
        if route != before.get(cidr):
            operation = "replace_route" if cidr in before else "create_route"
            to = {member: route.get(name) for name, member in TARGETS.items()}
            calls("ec2", region, operation, RouteTableId=table, DestinationCidrBlock=cidr, **to)


def associate(calls: Calls, region: str, inputs: Values) -> str:
    """Gives a subnet its routes."""
    table, subnet = inputs["routeTableId"], inputs["subnetId"]
    made = calls("ec2", region, "associate_route_table", RouteTableId=table, SubnetId=subnet)
    return str(made["AssociationId"])


def read_association(calls: Calls, region: str, association: str, _: Values) -> Values | None:
    """Which table a subnet has."""
    chosen = [{"Name": "association.route-table-association-id", "Values": [association]}]
    live = found(lambda: calls("ec2", region, "describe_route_tables", Filters=chosen), "RouteTables")
    for item in live["Associations"] if live else ():
        if item["RouteTableAssociationId"] == association:
            return {"routeTableId": item["RouteTableId"], "subnetId": item.get("SubnetId")}
    return None


def dissociate(calls: Calls, region: str, association: str, _: Values) -> None:
    """Takes a subnet its routes away."""
    removed(lambda: calls("ec2", region, "disassociate_route_table", AssociationId=association))


def tune_endpoint(calls: Calls, region: str, endpoint: str, new: Values, old: Values) -> None:
    """Brings the route tables of an endpoint up to date."""
    before, after = (set(values.get("routeTableIds") or ()) for values in (old, new))
    if before != after:
        added, gone = sorted(after - before) or None, sorted(before - after) or None
        calls(
            "ec2", region, "modify_vpc_endpoint", VpcEndpointId=endpoint, AddRouteTableIds=added, RemoveRouteTableIds=gone
        )  # fmt: skip


def delete_endpoint(calls: Calls, region: str, endpoint: str, _: Values) -> None:
    """Deletes an endpoint."""
    removed(lambda: calls("ec2", region, "delete_vpc_endpoints", VpcEndpointIds=[endpoint]))


ROWS: dict[str, Row] = {
    "aws:ec2/vpc:Vpc": NETWORK.row(
        knows="cidrBlock enableDnsSupport enableDnsHostnames",
        replaces="cidrBlock",
        tune=tune_network,
        read=read_network,
        defaults={"enableDnsSupport": True, "enableDnsHostnames": False},
    ),
    "aws:ec2/subnet:Subnet": SUBNET.row(
        knows="vpcId cidrBlock availabilityZone mapPublicIpOnLaunch",
        replaces="vpcId cidrBlock availabilityZone",
        tune=tune_subnet,
        defaults={"mapPublicIpOnLaunch": False},
    ),
    "aws:ec2/internetGateway:InternetGateway": GATEWAY.row(knows="vpcId", tune=attach, delete=delete_gateway),
    "aws:ec2/eip:Eip": ADDRESS.row(knows="domain", replaces="domain", computed=("publicIp", "allocationId", "tagsAll")),
    "aws:ec2/natGateway:NatGateway": NAT.row(
        knows="subnetId allocationId",
        replaces="subnetId allocationId",
        computed=("publicIp", "tagsAll"),
        finish=await_nat,
        read=read_nat,
        delete=delete_nat,
    ),
    "aws:ec2/routeTable:RouteTable": TABLE.row(knows="vpcId routes", replaces="vpcId", tune=tune_routes),
    # The real provider can give a subnet another table by the same association; then its id changes, so here it is replaced.
    "aws:ec2/routeTableAssociation:RouteTableAssociation": Row(
        knows=words("routeTableId subnetId region"),
        replaces=words("routeTableId subnetId region"),
        computed=(),
        create=associate,
        read=read_association,
        delete=dissociate,
    ),
    "aws:ec2/vpcEndpoint:VpcEndpoint": ENDPOINT.row(
        knows="vpcId serviceName vpcEndpointType routeTableIds",
        replaces="vpcId serviceName vpcEndpointType",
        tune=tune_endpoint,
        finish=nothing,
        delete=delete_endpoint,
        defaults={"vpcEndpointType": "Gateway"},
    ),
}


def _nat_state(calls: Calls, region: str, gateway: str) -> str:
    live = NAT.describe(calls, region, gateway)
    return str(live["State"]) if live else "deleted"
