"""One on-demand machine in Azure: a new one, or one that comes back from the snapshot of its disk.

Around a disk that exists, the platform takes neither `osProfile` (`Parameter 'osProfile' is not allowed`,
hashicorp/terraform-provider-azurerm#3247) nor an image (Azure/azure-powershell#29158): host name, user and keys are those
that are on the disk. The disk is a copy of the snapshot (azure-cli-samples, create-vm-from-snapshot.sh, 2022-02-23).
"""

from collections.abc import Mapping, Sequence
from typing import Any, NotRequired, TypedDict

import pulumi
from pulumi_azure_native import compute, network

from components.base import Component
from components.machine import encoded, gallery_image
from components.private_interface import private_address, private_interface
from virtci.core import boot_tags
from virtci.core.names import named

USER = "kontain"
"""Who people log in as on a machine that was kept."""
OS_DISK_GIB = 128
DISK_TYPE = "Premium_LRS"


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
    image_id: NotRequired[str]
    """ARM id of the image version that a new machine is made from."""
    snapshot_id: NotRequired[str]
    """ARM id of the snapshot that a machine comes back from, without its boot text, keys and identity. Either this or
    `image_id`, not both."""
    subnet_id: pulumi.Input[str]
    spot: NotRequired[bool]
    """Whether the platform may take the machine back, which then is gone with its disk. Default: no."""
    boot_text: NotRequired[pulumi.Input[str]]
    """cloud-config of a new machine."""
    ssh_keys: NotRequired[Sequence[str]]
    """Public keys of those who may log in to a new machine; at least one. Must not be an Output."""
    tags: Mapping[str, str]


class AzureRunner(Component):
    """The machine of one runner, in a slot that was made before: nothing here waits for a right to work.

    Resources: a `NetworkInterface`; a `VirtualMachine` with boot diagnostics in managed storage; a `Disk` where it comes
    back from a snapshot. Whoever deletes the machine, the launcher, the platform or a person, deletes disk and interface
    with it.

    Refuses: public addresses, passwords, a new machine without a key, a security profile (Trusted Launch would take the
    hypervisor away), extensions, boot texts above what the platform takes; an identity of a machine that comes back, whose
    people are root.
    """

    TYPE = "virt-ci:runner:AzureRunner"
    ARGUMENTS = AzureRunnerArgs

    outputs: dict[str, Any]
    """What the launcher reads of it."""

    def __init__(self, name: str, args: AzureRunnerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)
        if bool(args.get("image_id")) is bool(args.get("snapshot_id")):
            raise ValueError(f"AzureRunner `{name}` needs an image or a snapshot, and not both")
        if args.get("image_id") and not args.get("ssh_keys"):
            message = (
                f"AzureRunner `{name}` needs at least one SSH key; the platform refuses Linux without key and password"
            )
            raise ValueError(message)
        interface = private_interface(self, args, args["slot"])
        machine = self._machine(args, interface, self._kept(args) if args.get("snapshot_id") else _new(args))
        self.outputs = {
            "id": machine.id,
            "name": machine.name,
            "slot": args["slot"],
            "privateAddress": private_address(interface),
        }
        self.register_outputs({"outputs": self.outputs})

    def _kept(self, args: AzureRunnerArgs) -> dict[str, Any]:
        """What a machine has that comes back: a disk of its own, and nothing that is on it already."""
        disk = compute.Disk(
            self.child_name("disk"),
            disk_name=named("disk", f"{args['machine_name']}-os"),
            resource_group_name=args["slot"],
            location=args["location"],
            zones=_zones(args),
            tags=args["tags"],
            sku={"name": DISK_TYPE},
            os_type="Linux",
            disk_size_gb=OS_DISK_GIB,
            creation_data={"create_option": "Copy", "source_resource_id": args["snapshot_id"]},
            network_access_policy="DenyAll",
            public_network_access="Disabled",
            opts=self.options(),
        )
        return {
            "storage_profile": {
                "os_disk": {
                    "create_option": "Attach",
                    "os_type": "Linux",
                    "caching": "ReadWrite",
                    "delete_option": "Delete",
                    "managed_disk": {"id": disk.id},
                },
            },
        }

    def _machine(
        self, args: AzureRunnerArgs, interface: network.NetworkInterface, source: dict[str, Any]
    ) -> compute.VirtualMachine:
        spot = args.get("spot", False)
        return compute.VirtualMachine(
            self.child_name(),
            vm_name=named("virtual_machine", args["machine_name"]),
            resource_group_name=args["slot"],
            location=args["location"],
            zones=_zones(args),
            tags=args["tags"],
            hardware_profile={"vm_size": args["size"]},
            priority="Spot" if spot else None,
            eviction_policy="Delete" if spot else None,
            # Never taken back for its price: it costs at most what it costs on demand.
            billing_profile={"max_price": -1} if spot else None,
            network_profile={"network_interfaces": [{"id": interface.id, "primary": True, "delete_option": "Delete"}]},
            diagnostics_profile={"boot_diagnostics": {"enabled": True}},
            **source,
            opts=self.options(
                # The machine writes these itself, at every boot.
                ignore_changes=[f"tags.{name}" for name in boot_tags.NAMES],
            ),
        )


def _new(args: AzureRunnerArgs) -> dict[str, Any]:
    """What a new machine has: an image, its first boot, its user and keys, and the identity of its slot."""
    name = named("virtual_machine", args["machine_name"])
    return {
        "identity": {"type": "UserAssigned", "user_assigned_identities": [slot_identity(args)]},
        "os_profile": {
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
        "storage_profile": {
            "image_reference": gallery_image(args["image_id"]),
            "os_disk": {
                "name": named("disk", f"{name}-os"),
                "create_option": "FromImage",
                "caching": "ReadWrite",
                "disk_size_gb": OS_DISK_GIB,
                "delete_option": "Delete",
                "managed_disk": {"storage_account_type": DISK_TYPE},
            },
        },
    }


def _zones(args: AzureRunnerArgs) -> list[str] | None:
    """A machine and its disk are in one zone, or both in none."""
    zone = args.get("zone", "")
    return [zone] if zone else None


def slot_identity(args: AzureRunnerArgs) -> str:
    """The identity of the slot, which is called like it."""
    group = f"/subscriptions/{args['subscription_id']}/resourceGroups/{args['slot']}"
    return f"{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{args['slot']}"
