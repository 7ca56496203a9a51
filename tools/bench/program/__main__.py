"""The programs that are measured. The name of the stack says which, and with what: `interfaces-dropped-120`."""

import ast
import importlib
from pathlib import Path
from typing import Any

from virtci import collector

collector.pause()  # as in the real program

import pulumi

ROOT = Path(__file__).resolve().parents[3]
SUBSCRIPTION = "/subscriptions/00000000-0000-0000-0000-0000000000a1"
GROUP = "bench"
NETWORK = f"{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Network/virtualNetworks/bench"
SUBNET = f"{NETWORK}/subnets/bench"


def bare() -> None:
    """Nothing but the SDK."""


def empty() -> None:
    """What the real program imports, and its providers."""
    for node in ast.parse((ROOT / "__main__.py").read_text()).body:
        if isinstance(node, ast.Import):
            for item in node.names:
                importlib.import_module(item.name)
        elif isinstance(node, ast.ImportFrom) and node.module:
            importlib.import_module(node.module)
    collector.settle()
    azure_provider()
    import pulumi_github as github
    import pulumi_tls as tls

    github.Provider("github", owner="bench")
    tls.Provider("tls")


def interfaces(variant: str, count: int) -> None:
    """Network interfaces, registered in three ways."""
    from pulumi_azure_native import network

    from components.aliases import drop_version_aliases

    provider = azure_provider()
    collector.settle()
    transformations: Any = [drop_version_aliases] if variant == "dropped" else None
    for index in range(count):
        options = pulumi.ResourceOptions(provider=provider, transformations=transformations)
        name = f"interface-{index}"
        if variant == "untyped":
            configuration = {"name": "private", "privateIPAllocationMethod": "Dynamic", "subnet": {"id": SUBNET}}
            properties = {
                "networkInterfaceName": name,
                "resourceGroupName": GROUP,
                "location": "westus",
                "ipConfigurations": [configuration],
            }
            pulumi.CustomResource("azure-native:network:NetworkInterface", name, properties, options)
        else:
            network.NetworkInterface(
                name,
                network_interface_name=name,
                resource_group_name=GROUP,
                location="westus",
                ip_configurations=[
                    {"name": "private", "private_ip_allocation_method": "Dynamic", "subnet": {"id": SUBNET}}
                ],
                opts=options,
            )


def machines(count: int) -> None:
    """The machines of the fleet, as the real component makes them."""
    import pulumi_tls as tls

    from components.machine import Machine, MachineArgs, marketplace_image
    from virtci.core.lifetimes import SCHEDULES

    providers: list[Any] = [azure_provider(), tls.Provider("tls")]
    collector.settle()
    lifetime = next(lifetime for lifetime, schedule in SCHEDULES.items() if schedule.daily_shutdown)
    identity = f"{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/bench"
    for index in range(count):
        name = f"machine-{index}"
        arguments: MachineArgs = {
            "machine_name": name,
            "resource_group_name": GROUP,
            "location": "westus",
            "tags": {"owner": "bench"},
            "size": "Standard_D8s_v5",
            "image": marketplace_image("Canonical:ubuntu-24_04-lts:server:latest"),
            "os_disk_gib": 64,
            "lifetime": lifetime,
            "subnet_id": SUBNET,
            "identity_id": identity,
            "boot_text": "#cloud-config\n",
            "vault_name": "bench",
            "vault_resource_group_name": GROUP,
        }
        Machine(name, arguments, pulumi.ResourceOptions(providers=providers))


def azure_provider() -> Any:
    """An explicit provider, as in the real program."""
    import pulumi_azure_native as azure_native

    subscription = SUBSCRIPTION.rsplit("/", 1)[-1]
    return azure_native.Provider("azure", subscription_id=subscription, tenant_id=subscription)


program, *rest = pulumi.get_stack().split("-")
match program, rest:
    case "bare", []:
        bare()
    case "empty", []:
        empty()
    case "interfaces", [variant, count]:
        interfaces(variant, int(count))
    case "machines", [count]:
        machines(int(count))
    case _:
        message = f"there is no bench program for the stack `{pulumi.get_stack()}`"
        raise pulumi.RunError(message)
