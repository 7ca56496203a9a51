"""What on-demand runners stand on in Azure, put together."""

from typing import Any, TypedDict

import pulumi
from pulumi_azure_native import operationalinsights, resources

from components.base import Component
from components.custom_role import custom_role
from components.grants import Grant
from components.identity import Identity
from components.image_gallery import ImageGallery
from components.key_vault import KeyVault
from components.network import Network
from components.runner_roles import JOINER, KEEPER, RECORDER, REGION_READER, ROLES
from components.runner_slot import RunnerSlot
from components.state_account import StateAccount
from virtci.core.lifetimes import Lifetime
from virtci.core.oidc import Repository, subjects
from virtci.core.roles import role_definition_id
from virtci.core.runners.leases import slot_names
from virtci.core.runners.substrate import (
    ENVIRONMENT,
    RECORDS_CONTAINER,
    STACKS_CONTAINER,
    kept_group,
    log_workspace,
)
from virtci.core.tags import TagSet, tags
from virtci.settings.models import Settings
from virtci.settings.runners import AzurePlace, AzureRunners

LAUNCHER_IDENTITY = "auto-runner-launcher"
IMAGE_READER = "Compute Gallery Image Reader"
MACHINES = "runners"
"""The one subnet of each network."""
LOG_DAYS = 30
SOFT_DELETE_DAYS = 7
"""A registration is worth nothing after an hour; what was deleted need not stay longer than it must."""


class AzureSubstrateArgs(TypedDict):
    """Arguments of `AzureSubstrate`. None of these may be an Output."""

    settings: Settings
    azure: AzureRunners
    image: str
    """Name of the image definition."""
    repository: Repository
    """Whose workflows may launch."""
    common_tags: TagSet


class AzureSubstrate(Component):
    """Everything of on-demand runners in Azure that stays, so that a start only makes a machine.

    Resources: a `ResourceGroup` for all that is shared and one for what is kept of failed runs; a log `Workspace`; per
    region a `Network` and a `RunnerSlot` for each unit; a `KeyVault` for registrations; an `ImageGallery`; a
    `StateAccount`; the `Identity` of the launcher, the custom roles and their assignments.

    Refuses: rights of the launcher on a subscription, beyond reading what a region offers; on a network, beyond joining its
    subnet; on roles, at all. Machines in the slots have no public address and nobody reaches them.
    """

    TYPE = "virt-ci:runner:AzureSubstrate"
    ARGUMENTS = AzureSubstrateArgs

    outputs: dict[str, Any]
    """Its part of the output contract."""
    client_id: pulumi.Output[str]
    """What workflows log in as."""

    def __init__(self, name: str, args: AzureSubstrateArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)
        self.settings, self.azure = args["settings"], args["azure"]
        self.tags = tags(args["common_tags"], ENVIRONMENT, Lifetime.DURABLE)
        self.subscription_scope = f"/subscriptions/{self.settings.subscription}"
        self.group = self._group("", self.azure.resource_group)
        self.kept = self._group("kept", kept_group(self.azure.resource_group))
        self.role_ids = {
            role.name: custom_role(self, f"{role.short}-role", self.settings.subscription, role).id for role in ROLES
        }
        networks = {region: self._network(region, place) for region, place in self.azure.regions.items()}
        vault = self._vault(networks)
        gallery = self._gallery(args)
        state = self._state()
        launcher = self._launcher(args["repository"], networks, gallery, state)
        self.client_id = launcher.client_id
        self.outputs = {
            "subscription": self.settings.subscription,
            "resourceGroup": self.group.name,
            "keptGroup": self.kept.name,
            "launcher": {"clientId": launcher.client_id, "principalId": launcher.principal_id},
            "galleryImageId": gallery.image_id,
            "vault": {
                "name": vault.name,
                "resourceGroup": self.group.name,
                "resourceId": vault.resource_id,
                "uri": vault.uri,
            },
            "state": {
                "account": state.name,
                "endpoint": state.endpoint,
                "stacks": STACKS_CONTAINER,
                "records": RECORDS_CONTAINER,
            },
            "sizes": list(self.azure.sizes),
            "regions": {
                region: self._region(region, place, networks[region], vault, launcher)
                for region, place in self.azure.regions.items()
            },
        }
        self.register_outputs({"outputs": self.outputs})

    def _group(self, suffix: str, name: str) -> resources.ResourceGroup:
        return resources.ResourceGroup(
            self.child_name(suffix),
            resource_group_name=name,
            location=self.settings.region,
            tags=self.tags,
            opts=self.options(),
        )

    def _network(self, region: str, place: AzurePlace) -> Network:
        return Network(
            self.child_name(f"{region}-network"),
            {
                "network_name": place.network,
                "resource_group_name": self.group.name,
                "location": region,
                "tags": self.tags,
                "address_space": place.address_space,
                "subnets": {MACHINES: place.subnet},
                "runners": MACHINES,
                "entry": place.entry,
            },
            self.options(),
        )

    def _vault(self, networks: dict[str, Network]) -> KeyVault:
        workspace = operationalinsights.Workspace(
            self.child_name("logs"),
            workspace_name=log_workspace(self.azure.resource_group),
            resource_group_name=self.group.name,
            location=self.settings.region,
            tags=self.tags,
            sku={"name": "PerGB2018"},
            retention_in_days=LOG_DAYS,
            features={"disable_local_auth": True},
            opts=self.options(),
        )
        return KeyVault(
            self.child_name("vault"),
            {
                "vault_name": self.azure.vault,
                "resource_group_name": self.group.name,
                "location": self.settings.region,
                "tags": self.tags,
                "tenant_id": self.settings.tenant,
                "soft_delete_days": SOFT_DELETE_DAYS,
                "allowed_subnet_ids": [network.subnet_resource_ids[MACHINES] for network in networks.values()],
                "workspace_id": workspace.id,
                "protect": self.settings.protect,
            },
            self.options(),
        )

    def _gallery(self, args: AzureSubstrateArgs) -> ImageGallery:
        return ImageGallery(
            self.child_name("gallery"),
            {
                "gallery_name": self.azure.gallery,
                "image_name": args["image"],
                "publisher": self.settings.system,
                "resource_group_name": self.group.name,
                "location": self.settings.region,
                "tags": self.tags,
            },
            self.options(),
        )

    def _state(self) -> StateAccount:
        return StateAccount(
            self.child_name("state"),
            {
                "account_name": self.azure.state_account,
                "resource_group_name": self.group.name,
                "location": self.settings.region,
                "tags": self.tags,
                "containers": (STACKS_CONTAINER, RECORDS_CONTAINER),
                "protect": self.settings.protect,
            },
            self.options(),
        )

    def _launcher(
        self, repository: Repository, networks: dict[str, Network], gallery: ImageGallery, state: StateAccount
    ) -> Identity:
        """Who makes and removes machines; what it may do in a slot, the slot says."""
        image_reader = role_definition_id(self.settings.subscription, IMAGE_READER)
        grants = [
            ("reads-regions", self._own(REGION_READER.name, self.subscription_scope)),
            ("keeps", self._own(KEEPER.name, self.kept.id)),
            ("reads-images", Grant(role=IMAGE_READER, role_definition_id=image_reader, scope=gallery.image_id)),
            *(
                (f"joins-{region}", self._own(JOINER.name, network.subnet_resource_ids[MACHINES]))
                for region, network in networks.items()
            ),
            *(
                (f"writes-{container}", self._own(RECORDER.name, container_id))
                for container, container_id in state.container_ids.items()
            ),
        ]
        return Identity(
            self.child_name("launcher"),
            {
                "identity_name": LAUNCHER_IDENTITY,
                "resource_group_name": self.group.name,
                "location": self.settings.region,
                "tags": self.tags,
                "subjects": subjects(repository, f"environment:{ENVIRONMENT}"),
                "grants": grants,
            },
            self.options(),
        )

    def _own(self, role: str, scope: pulumi.Input[str]) -> Grant:
        return Grant(role=role, role_definition_id=self.role_ids[role], scope=scope)

    def _region(
        self, region: str, place: AzurePlace, network: Network, vault: KeyVault, launcher: Identity
    ) -> dict[str, Any]:
        slots = {
            slot: RunnerSlot(
                slot,
                {
                    "slot_name": slot,
                    "location": region,
                    "tags": self.tags,
                    "vault_name": vault.name,
                    "vault_resource_group_name": self.group.name,
                    "launcher_principal_id": launcher.principal_id,
                    "role_ids": self.role_ids,
                },
                self.options(),
            )
            for slot in slot_names(region, place.units)
        }
        return {
            "subnetId": network.subnet_resource_ids[MACHINES],
            "egressAddress": network.egress_address,
            "entry": str(place.entry or ""),
            "cores": place.cores,
            "families": dict(place.families),
            "reserve": place.reserve,
            "zones": [str(zone) for zone in place.zones],
            "slots": {name: slot.outputs for name, slot in slots.items()},
        }
