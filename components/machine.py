"""A virtual machine of the fleet: the dom0 machines of environments and the runners."""

import base64
from collections.abc import Mapping
from typing import NotRequired, TypedDict

import pulumi
import pulumi_tls as tls
from pulumi_azure_native import compute, devtestlab, keyvault, network

from components.base import Component
from components.private_interface import private_address, private_interface
from virtci.boot.render import LIMIT
from virtci.core import boot_tags
from virtci.core.lifetimes import SCHEDULES, Lifetime
from virtci.core.names import named, shutdown_schedule, ssh_key_secret

ADMINISTRATOR = "azureuser"


class GalleryImage(TypedDict):
    """An image of a Compute Gallery."""

    id: str


class MarketplaceImage(TypedDict):
    """An image of the marketplace."""

    publisher: str
    offer: str
    sku: str
    version: str


class MachineArgs(TypedDict):
    """Arguments of `Machine`."""

    machine_name: str
    """Name in Azure. Must not be an Output."""
    resource_group_name: pulumi.Input[str]
    location: pulumi.Input[str]
    tags: Mapping[str, str]
    size: str
    """VM size of the table of sizes. Must not be an Output."""
    image: GalleryImage | MarketplaceImage
    os_disk_gib: int
    lifetime: Lifetime
    """Decides whether the day ends with a shutdown. Must not be an Output."""
    subnet_id: pulumi.Input[str]
    identity_id: pulumi.Input[str]
    """User-assigned identity that the machine acts as."""
    boot_text: pulumi.Input[str]
    """cloud-config; a changed text replaces the machine, because it is read at the first boot only."""
    vault_name: pulumi.Input[str]
    vault_resource_group_name: pulumi.Input[str]
    """Vault that gets the private SSH key."""
    shutdown_time: NotRequired[str]
    """Local time of the daily shutdown, HHMM. Default: 1900."""
    time_zone: NotRequired[str]
    """Windows name of the time zone of the shutdown. Default: UTC."""


class Machine(Component):
    """A Linux machine without a public address, reachable by its own SSH key only.

    Resources: a `PrivateKey` (ED25519) whose private half goes into a vault `Secret`; a `NetworkInterface`; a
    `VirtualMachine` with boot diagnostics in managed storage, whose disk is deleted with it and whose interface waits
    for the next one; a `GlobalSchedule` for the daily shutdown where the lifetime class says so.

    Refuses: public addresses, passwords, a security profile (Trusted Launch would take the hypervisor away from the
    dom0 image), extensions, automatic upgrades of a special kernel, boot texts above what the platform takes.
    """

    TYPE = "virt-ci:machine:Machine"
    ARGUMENTS = MachineArgs

    name: pulumi.Output[str]
    """Name in Azure."""
    resource_id: pulumi.Output[str]
    """ARM id."""
    private_address: pulumi.Output[str]
    """Address in its subnet."""
    ssh_key_secret: pulumi.Output[str]
    """Name of the vault secret with the private key."""
    ssh_key_secret_id: pulumi.Output[str]
    """ARM id of that secret; rights are given on it."""
    ssh_private_key: pulumi.Output[str]
    """The private key itself; a secret."""

    def __init__(self, name: str, args: MachineArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)
        key, secret = self._ssh_key(args)
        interface = private_interface(self, args, args["resource_group_name"])
        machine = self._virtual_machine(args, key, interface)
        if SCHEDULES[args["lifetime"]].daily_shutdown:
            self._shutdown(args, machine)
        self.name = machine.name
        self.resource_id = machine.id
        self.private_address = private_address(interface)
        self.ssh_key_secret = secret.name
        self.ssh_key_secret_id = secret.id
        self.ssh_private_key = key.private_key_openssh
        self.register_outputs(
            {
                "name": self.name,
                "resource_id": self.resource_id,
                "private_address": self.private_address,
                "ssh_key_secret": self.ssh_key_secret,
                "ssh_key_secret_id": self.ssh_key_secret_id,
                "ssh_private_key": self.ssh_private_key,
            }
        )

    def _ssh_key(self, args: MachineArgs) -> tuple[tls.PrivateKey, keyvault.Secret]:
        key = tls.PrivateKey(self.child_name("ssh-key"), algorithm="ED25519", opts=self.options())
        secret = keyvault.Secret(
            self.child_name("ssh-secret"),
            secret_name=ssh_key_secret(args["machine_name"]),
            vault_name=args["vault_name"],
            resource_group_name=args["vault_resource_group_name"],
            tags=args["tags"],
            properties={"value": key.private_key_openssh, "content_type": "application/x-openssh-key"},
            opts=self.options(),
        )
        return key, secret

    def _virtual_machine(
        self, args: MachineArgs, key: tls.PrivateKey, interface: network.NetworkInterface
    ) -> compute.VirtualMachine:
        name = args["machine_name"]
        return compute.VirtualMachine(
            self.child_name(),
            vm_name=name,
            resource_group_name=args["resource_group_name"],
            location=args["location"],
            tags=args["tags"],
            hardware_profile={"vm_size": args["size"]},
            identity={"type": "UserAssigned", "user_assigned_identities": [args["identity_id"]]},
            network_profile={"network_interfaces": [{"id": interface.id, "primary": True, "delete_option": "Detach"}]},
            os_profile={
                "computer_name": name,
                "admin_username": ADMINISTRATOR,
                "custom_data": pulumi.Output.secret(args["boot_text"]).apply(encoded),
                "allow_extension_operations": False,
                "linux_configuration": {
                    "disable_password_authentication": True,
                    "provision_vm_agent": True,
                    "patch_settings": {"patch_mode": "ImageDefault", "assessment_mode": "ImageDefault"},
                    "ssh": {
                        "public_keys": [
                            {"path": f"/home/{ADMINISTRATOR}/.ssh/authorized_keys", "key_data": key.public_key_openssh}
                        ]
                    },
                },
            },
            storage_profile={
                "image_reference": args["image"],
                "os_disk": {
                    "name": named("disk", f"{name}-os"),
                    "create_option": "FromImage",
                    "caching": "ReadWrite",
                    "disk_size_gb": args["os_disk_gib"],
                    "delete_option": "Delete",
                    "managed_disk": {"storage_account_type": "Premium_LRS"},
                },
            },
            diagnostics_profile={"boot_diagnostics": {"enabled": True}},
            opts=self.options(
                replace_on_changes=[
                    "osProfile.customData",
                    "osProfile.linuxConfiguration.ssh",
                    "storageProfile.imageReference",
                ],
                delete_before_replace=True,
                # The machine writes these itself, at every boot.
                ignore_changes=[f"tags.{name}" for name in boot_tags.NAMES],
            ),
        )

    def _shutdown(self, args: MachineArgs, machine: compute.VirtualMachine) -> None:
        devtestlab.GlobalSchedule(
            self.child_name("shutdown"),
            name=shutdown_schedule(args["machine_name"]),
            resource_group_name=args["resource_group_name"],
            location=args["location"],
            tags=args["tags"],
            status="Enabled",
            task_type="ComputeVmShutdownTask",
            daily_recurrence={"time": args.get("shutdown_time", "1900")},
            time_zone_id=args.get("time_zone", "UTC"),
            target_resource_id=machine.id,
            notification_settings={"status": "Disabled"},
            opts=self.options(),
        )


def encoded(boot_text: str) -> str:
    """A boot text as custom data. Raises `ValueError` above what the platform takes."""
    content = boot_text.encode()
    if len(content) > LIMIT:
        message = f"the boot text has {len(content)} bytes; the platform takes {LIMIT}"
        raise ValueError(message)
    return base64.b64encode(content).decode()


def gallery_image(image_id: str) -> GalleryImage:
    """The image of a Compute Gallery by its ARM id."""
    return {"id": image_id}


def marketplace_image(urn: str) -> MarketplaceImage:
    """The image of the marketplace by `publisher:offer:sku:version`."""
    publisher, offer, sku, version = urn.split(":")
    return {"publisher": publisher, "offer": offer, "sku": sku, "version": version}
