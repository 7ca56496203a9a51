"""A place for one on-demand machine in Azure, made before any machine."""

from collections.abc import Mapping
from typing import Any, TypedDict

import pulumi
from pulumi_azure_native import resources

from components.base import Component
from components.grants import Grant, grant
from components.identity import Identity
from components.published_secret import PublishedSecret, published_secret
from components.runner_roles import BOOT_TAGGER, LAUNCHER, REGISTRAR, REGISTRATION
from virtci.core.names import registration_secret

NOT_REGISTERED = "none"


class RunnerSlotArgs(TypedDict):
    """Arguments of `RunnerSlot`."""

    slot_name: str
    """Name of the slot; its resource group and its identity are called the same. Must not be an Output."""
    location: pulumi.Input[str]
    tags: Mapping[str, str]
    vault_name: pulumi.Input[str]
    vault_resource_group_name: pulumi.Input[str]
    launcher_principal_id: pulumi.Input[str]
    """Who makes the machine and writes its registration."""
    role_ids: Mapping[str, pulumi.Input[str]]
    """Ids of the roles of `components.runner_roles` by name. Must not be an Output."""


class RunnerSlot(Component):
    """What a machine needs that takes minutes to work: rights are given here, so that no start waits for them.

    Resources: a `ResourceGroup` for the machine and its disk and interface; the `Identity` that the machine acts as; a
    vault `Secret` for its registration; role assignments.

    Refuses: rights beyond the slot. The machine reads and overwrites its own registration, tags what is in its group, and
    nothing else; the launcher writes that registration and never reads it, and makes machines in the group.
    """

    TYPE = "virt-ci:runner:RunnerSlot"
    ARGUMENTS = RunnerSlotArgs

    outputs: dict[str, Any]
    """The slot in the output contract."""

    def __init__(self, name: str, args: RunnerSlotArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)
        slot = args["slot_name"]
        group = resources.ResourceGroup(
            self.child_name("group"),
            resource_group_name=slot,
            location=args["location"],
            tags=args["tags"],
            opts=self.options(),
        )
        identity = Identity(
            self.child_name("identity"),
            {
                "identity_name": slot,
                "resource_group_name": group.name,
                "location": args["location"],
                "tags": args["tags"],
            },
            self.options(),
        )
        secret = published_secret(
            self,
            "registration",
            PublishedSecret(
                name=registration_secret(slot),
                vault_name=args["vault_name"],
                resource_group_name=args["vault_resource_group_name"],
                tags=args["tags"],
                placeholder=NOT_REGISTERED,
                content_type="text/plain",
            ),
        )
        launcher = args["launcher_principal_id"]
        for suffix, principal, role, scope in (
            ("launches", launcher, LAUNCHER.name, group.id),
            ("registers", launcher, REGISTRAR.name, secret.id),
            ("reads-registration", identity.principal_id, REGISTRATION.name, secret.id),
            ("tags-boot", identity.principal_id, BOOT_TAGGER.name, group.id),
        ):
            given = Grant(role=role, role_definition_id=args["role_ids"][role], scope=scope)
            grant(self, suffix, principal, given)
        self.outputs = {
            "resourceGroup": group.name,
            "identityId": identity.resource_id,
            "clientId": identity.client_id,
            "secret": registration_secret(slot),
        }
        self.register_outputs({"outputs": self.outputs})
