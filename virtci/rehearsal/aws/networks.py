"""What takes time in a VPC, and what EC2 refuses there and moto does not.

Source: AWS VPC User Guide (NAT gateways; delete your VPC), as of 2026-08; durations are of the usual order.
"""

from typing import TYPE_CHECKING, Any

from virtci.rehearsal.aws.hooks import Hooks
from virtci.rehearsal.aws.wire import Asked
from virtci.rehearsal.journal import CloudError

if TYPE_CHECKING:
    from virtci.rehearsal.aws.cloud import Aws

MAKING, DELETING = 110.0, 50.0
GONE = 3_600.0
"""Seconds for which a deleted gateway is still shown."""


def made(aws: "Aws", asked: Asked) -> None:
    """A gateway is pending until it is available."""
    gateway = list(aws.backend("ec2", asked.region).nat_gateways.values())[-1]
    gateway.state = "pending"

    def available() -> None:
        if gateway.state == "pending":
            gateway.state = "available"

    aws.times.later(MAKING, available)


def deleted(aws: "Aws", asked: Asked) -> None:
    """A gateway keeps its address and its interface until it is gone."""
    backend = aws.backend("ec2", asked.region)
    gateway = backend.nat_gateways[asked.parameters["NatGatewayId"]]
    gateway.state = "deleting"

    def gone() -> None:
        gateway.state = "deleted"
        for address in gateway.address_set:
            if association := address.get("associationId"):
                backend.disassociate_address(association_id=association)
        backend.delete_network_interface(gateway._eni.id)
        aws.times.later(GONE, lambda: backend.nat_gateways.pop(gateway.id, None))

    aws.times.later(DELETING, gone)


def released(aws: "Aws", asked: Asked) -> Asked:
    """An address that is in use cannot be released."""
    for address in aws.backend("ec2", asked.region).addresses:
        if address.allocation_id == asked.parameters.get("AllocationId") and address.association_id:
            raise CloudError(400, "InvalidIPAddress.InUse", f"Address {address.public_ip} is in use.")
    return asked


def subnet_deleted(aws: "Aws", asked: Asked) -> Asked:
    """A subnet with interfaces in it cannot be deleted."""
    subnet = asked.parameters["SubnetId"]
    if any(item.subnet.id == subnet for item in _interfaces(aws, asked)):
        raise CloudError(400, "DependencyViolation", f"The subnet '{subnet}' has dependencies and cannot be deleted.")
    return asked


def gateway_detached(aws: "Aws", asked: Asked) -> Asked:
    """An internet gateway stays while public addresses of its network are mapped."""
    network = asked.parameters["VpcId"]
    for item in _interfaces(aws, asked):
        if item.subnet.vpc_id == network and item.public_ip:
            text = f"Network {network} has some mapped public address(es). Please unmap those before detaching the gateway."
            raise CloudError(400, "DependencyViolation", text)
    return asked


def vpc_deleted(aws: "Aws", asked: Asked) -> Asked:
    """A network with a gateway attached, a further security group or an endpoint cannot be deleted."""
    backend, network = aws.backend("ec2", asked.region), asked.parameters["VpcId"]
    gateways = [item for item in backend.internet_gateways.values() if item.vpc and item.vpc.id == network]
    groups = [item for item in backend.groups.get(network, {}).values() if item.name != "default"]
    endpoints = [item for item in backend.vpc_end_points.values() if item.vpc_id == network]
    if gateways or groups or endpoints:
        raise CloudError(400, "DependencyViolation", f"The vpc '{network}' has dependencies and cannot be deleted.")
    return asked


def endpoints_deleted(aws: "Aws", asked: Asked) -> None:
    """Moto shows them for ever."""
    for endpoint in asked.parameters["VpcEndpointIds"]:
        aws.backend("ec2", asked.region).vpc_end_points.pop(endpoint, None)


HOOKS = Hooks(
    before={
        "ec2:ReleaseAddress": released,
        "ec2:DeleteSubnet": subnet_deleted,
        "ec2:DetachInternetGateway": gateway_detached,
        "ec2:DeleteVpc": vpc_deleted,
    },
    after={
        "ec2:CreateNatGateway": made,
        "ec2:DeleteNatGateway": deleted,
        "ec2:DeleteVpcEndpoints": endpoints_deleted,
    },
)


def _interfaces(aws: "Aws", asked: Asked) -> list[Any]:
    return list(aws.backend("ec2", asked.region).enis.values())
