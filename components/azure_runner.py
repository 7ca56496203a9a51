"""One on-demand machine in Azure."""

from collections.abc import Mapping, Sequence
from typing import Any, NotRequired, TypedDict

import pulumi
from pulumi_azure_native import compute, network

from components.base import Component
from components.machine import encoded, gallery_image
from virtci.core import boot_tags
from virtci.core.names import named
from virtci.core.sizes import size

USER = "kontain"
"""Who people log in as on a machine that was kept."""
OS_DISK_GIB = 128


class AzureRunnerArgs(TypedDict):
    """Arguments of `AzureRunner`."""

    machine_name: str
    """Name in Azure, and what the machine calls itself; its interface and disk are called after it. Must not be an Output."""
    slot: str
    """The slot whose resource group it is in and whose identity it acts as. Must not be an Output."""
    subscription_id: str
    location: pulumi.Input[str]
    zone: NotRequired[str]
    """Availability zone. Default: the platform's choice."""
    size: str
    """VM size of the table of sizes. Must not be an Output."""
    image_id: str
    """ARM id of an image version."""
    subnet_id: pulumi.Input[str]
    spot: NotRequired[bool]
    """Whether the platform may take the machine back, which then is gone with its disk. Default: no."""
    boot_text: pulumi.Input[str]
    """cloud-config."""
    ssh_keys: Sequence[str]
    """Public keys of those who may log in; at least one. Must not be an Output."""
    tags: Mapping[str, str]


class AzureRunner(Component):
    """The machine of one runner, in a slot that was made before: nothing here waits for a right to work.

    Resources: a `NetworkInterface`; a `VirtualMachine` with boot diagnostics in managed storage. Whoever deletes the
    machine, the launcher, the platform or a person, deletes disk and interface with it.

    Refuses: public addresses, passwords, a machine without a key, a security profile (Trusted Launch would take the
    hypervisor away), extensions, boot texts above what the platform takes.
    """

    TYPE = "virt-ci:runner:AzureRunner"
    ARGUMENTS = AzureRunnerArgs

    outputs: dict[str, Any]
    """What the launcher reads of it."""

    def __init__(self, name: str, args: AzureRunnerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)
        if not args["ssh_keys"]:
            message = (
                f"AzureRunner `{name}` needs at least one SSH key; the platform refuses Linux without key and password"
            )
            raise ValueError(message)
        interface = self._interface(args)
        machine = self._machine(args, interface)
        self.outputs = {
            "id": machine.id,
            "name": machine.name,
            "slot": args["slot"],
            "privateAddress": interface.ip_configurations.apply(
                lambda found: (found[0].private_ip_address if found else None) or ""
            ),
        }
        self.register_outputs({"outputs": self.outputs})

    def _interface(self, args: AzureRunnerArgs) -> network.NetworkInterface:
        return network.NetworkInterface(
            self.child_name("nic"),
            network_interface_name=named("network_interface", f"{args['machine_name']}-nic"),
            resource_group_name=args["slot"],
            location=args["location"],
            tags=args["tags"],
            enable_accelerated_networking=size(args["size"]).accelerated_networking,
            enable_ip_forwarding=False,
            ip_configurations=[
                {
                    "name": "private",
                    "primary": True,
                    "private_ip_allocation_method": "Dynamic",
                    "subnet": {"id": args["subnet_id"]},
                }
            ],
            opts=self.options(),
        )

    def _machine(self, args: AzureRunnerArgs, interface: network.NetworkInterface) -> compute.VirtualMachine:
        name = named("virtual_machine", args["machine_name"])
        zone, spot = args.get("zone", ""), args.get("spot", False)
        return compute.VirtualMachine(
            self.child_name(),
            vm_name=name,
            resource_group_name=args["slot"],
            location=args["location"],
            zones=[zone] if zone else None,
            tags=args["tags"],
            hardware_profile={"vm_size": args["size"]},
            priority="Spot" if spot else None,
            eviction_policy="Delete" if spot else None,
            # Never taken back for its price: it costs at most what it costs on demand.
            billing_profile={"max_price": -1} if spot else None,
            identity={"type": "UserAssigned", "user_assigned_identities": [slot_identity(args)]},
            network_profile={"network_interfaces": [{"id": interface.id, "primary": True, "delete_option": "Delete"}]},
            os_profile={
                "computer_name": name,
                "admin_username": USER,
                "custom_data": pulumi.Output.secret(args["boot_text"]).apply(encoded),
                "allow_extension_operations": False,
                "linux_configuration": {
                    "disable_password_authentication": True,
                    "provision_vm_agent": True,
                    "patch_settings": {"patch_mode": "ImageDefault", "assessment_mode": "ImageDefault"},
                    "ssh": {
                        "public_keys": [
                            {"path": f"/home/{USER}/.ssh/authorized_keys", "key_data": key} for key in args["ssh_keys"]
                        ]
                    },
                },
            },
            storage_profile={
                "image_reference": gallery_image(args["image_id"]),
                "os_disk": {
                    "name": named("disk", f"{name}-os"),
                    "create_option": "FromImage",
                    "caching": "ReadWrite",
                    "disk_size_gb": OS_DISK_GIB,
                    "delete_option": "Delete",
                    "managed_disk": {"storage_account_type": "Premium_LRS"},
                },
            },
            diagnostics_profile={"boot_diagnostics": {"enabled": True}},
            opts=self.options(
                # The machine writes these itself, at every boot.
                ignore_changes=[f"tags.{name}" for name in boot_tags.NAMES],
            ),
        )


def slot_identity(args: AzureRunnerArgs) -> str:
    """The identity of the slot, which is called like it."""
    group = f"/subscriptions/{args['subscription_id']}/resourceGroups/{args['slot']}"
    return f"{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{args['slot']}"
