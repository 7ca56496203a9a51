"""Rows of the network service.

Durations are typical ones seen in deployments, in simulated seconds; they are for overlap and ordering, not
promises. What a change replaces follows the force-new list of the azure-native provider
(provider/pkg/gen/replacement.go).
"""

from virtci.rehearsal.azure.resource_types import GROUP, InUse, NameRule, ResourceType, Seconds

NETWORK = f"{GROUP}/providers/Microsoft.Network"
MODELS = "azure.mgmt.network.models"
SUBNET_IN_USE = InUse(
    400,
    "InUseSubnetCannotBeDeleted",
    "Subnet {name} is in use by {users} and cannot be deleted. In order to delete the subnet, delete all the "
    "resources within the subnet. See aka.ms/deletesubnet.",
)


def _network_name(shortest: int = 1, longest: int = 80) -> NameRule:
    return NameRule(
        rf"(?=.{{{shortest},{longest}}}$)[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9_])?",
        "The name must begin with a letter or number, end with a letter, number or underscore, and may contain only "
        f"letters, numbers, underscores, periods, or hyphens. It must be {shortest}-{longest} characters long.",
    )


ROWS: tuple[ResourceType, ...] = (
    ResourceType(
        kind="azure-native:network:PublicIPAddress",
        path=f"{NETWORK}/publicIPAddresses/{{publicIpAddressName}}",
        module=MODELS,
        model="PublicIPAddress",
        name=_network_name(),
        replaced=("publicIPAddressVersion", "publicIPPrefix", "sku"),
        seconds=Seconds(4, 4, 10),
        hooks="public_ip",
        in_use=InUse(
            400,
            "PublicIPAddressCannotBeDeleted",
            "Public IP address {id} can not be deleted since it is still allocated to resource {users}.",
        ),
    ),
    ResourceType(
        kind="azure-native:network:NatGateway",
        path=f"{NETWORK}/natGateways/{{natGatewayName}}",
        module=MODELS,
        model="NatGateway",
        name=_network_name(),
        seconds=Seconds(10, 10, 10),
        hooks="networked",
        in_use=InUse(
            400,
            "CannotDeleteNatGatewayAssociatedToSubnet",
            "NAT Gateway {id} is still configured on subnets {users}. Remove NAT Gateway from all referenced subnets "
            "and then delete NAT Gateway.",
        ),
    ),
    ResourceType(
        kind="azure-native:network:NetworkSecurityGroup",
        path=f"{NETWORK}/networkSecurityGroups/{{networkSecurityGroupName}}",
        module=MODELS,
        model="NetworkSecurityGroup",
        name=_network_name(),
        seconds=Seconds(4, 4, 4),
        hooks="security_group",
        in_use=InUse(
            400,
            "InUseNetworkSecurityGroupCannotBeDeleted",
            "Network security group {id} cannot be deleted because it is in use by the following resources: {users}.",
        ),
    ),
    ResourceType(
        kind="azure-native:network:VirtualNetwork",
        path=f"{NETWORK}/virtualNetworks/{{virtualNetworkName}}",
        module=MODELS,
        model="VirtualNetwork",
        name=_network_name(2, 64),
        seconds=Seconds(5, 4, 10),
        hooks="virtual_network",
    ),
    ResourceType(
        kind="azure-native:network:Subnet",
        path=f"{NETWORK}/virtualNetworks/{{virtualNetworkName}}/subnets/{{subnetName}}",
        module=MODELS,
        model="Subnet",
        name=_network_name(),
        seconds=Seconds(4, 4, 10),
        hooks="subnet",
        in_use=SUBNET_IN_USE,
    ),
    ResourceType(
        kind="azure-native:network:NetworkInterface",
        path=f"{NETWORK}/networkInterfaces/{{networkInterfaceName}}",
        module=MODELS,
        model="NetworkInterface",
        name=_network_name(),
        seconds=Seconds(4, 4, 6),
        hooks="network_interface",
        in_use=InUse(
            400,
            "NicInUse",
            "Network Interface {id} is used by existing resource {users}. In order to delete the network interface, "
            "it must be dissociated from the resource. To learn more, see aka.ms/deletenic.",
        ),
    ),
)
