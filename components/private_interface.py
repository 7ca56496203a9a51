"""The network interface of a machine that nobody outside its network reaches."""

from collections.abc import Mapping
from typing import TypedDict

import pulumi
from pulumi_azure_native import network

from components.base import Component
from virtci.core.names import named
from virtci.core.sizes import size


class Attached(TypedDict):
    """What an interface has of its machine. Name and size must not be Outputs."""

    machine_name: str
    size: str
    location: pulumi.Input[str]
    subnet_id: pulumi.Input[str]
    tags: Mapping[str, str]


def private_interface(
    owner: Component, machine: Attached, resource_group_name: pulumi.Input[str]
) -> network.NetworkInterface:
    """The interface of a machine, as a child of the component that declares both; it never has a public address."""
    return network.NetworkInterface(
        owner.child_name("nic"),
        network_interface_name=named("network_interface", f"{machine['machine_name']}-nic"),
        resource_group_name=resource_group_name,
        location=machine["location"],
        tags=machine["tags"],
        enable_accelerated_networking=size(machine["size"]).accelerated_networking,
        enable_ip_forwarding=False,
        ip_configurations=[
            {
                "name": "private",
                "primary": True,
                "private_ip_allocation_method": "Dynamic",
                "subnet": {"id": machine["subnet_id"]},
            }
        ],
        opts=owner.options(),
    )


def private_address(interface: network.NetworkInterface) -> pulumi.Output[str]:
    """The address that the platform gave to it; empty while it has none."""
    address: pulumi.Output[str] = interface.ip_configurations.apply(
        lambda found: (found[0].private_ip_address if found else None) or ""
    )
    return address
