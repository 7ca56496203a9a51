"""A cloud identity without a stored secret."""

from collections.abc import Mapping, Sequence
from typing import NotRequired, TypedDict

import pulumi
from pulumi_azure_native import managedidentity

from components.base import Component
from components.grants import Grant, grant
from virtci.core.names import named
from virtci.core.oidc import AUDIENCE, ISSUER, MAXIMUM_CREDENTIALS


class IdentityArgs(TypedDict):
    """Arguments of `Identity`."""

    identity_name: str
    """Name in Azure. Must not be an Output."""
    resource_group_name: pulumi.Input[str]
    location: pulumi.Input[str]
    tags: Mapping[str, str]
    subjects: NotRequired[Mapping[str, str]]
    """OIDC subjects by the name of their credential. Default: none. Must not be an Output."""
    grants: NotRequired[Sequence[tuple[str, Grant]]]
    """Roles, each with a suffix for its logical name. Default: none. Must not be an Output."""


class Identity(Component):
    """A user-assigned managed identity that GitHub workflows or machines act as.

    Resources: one `UserAssignedIdentity`; a `FederatedIdentityCredential` per subject, made one after the other,
    because the platform refuses concurrent writes under one identity; a `RoleAssignment` per grant.

    Refuses: more than 20 subjects (the platform's limit); client secrets and certificates (there is no way to ask
    for one).
    """

    TYPE = "virt-ci:identity:Identity"
    ARGUMENTS = IdentityArgs

    resource_id: pulumi.Output[str]
    """ARM id."""
    client_id: pulumi.Output[str]
    """What workflows log in as."""
    principal_id: pulumi.Output[str]
    """What roles are assigned to."""

    def __init__(self, name: str, args: IdentityArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)
        subjects = args.get("subjects", {})
        if len(subjects) > MAXIMUM_CREDENTIALS:
            message = f"Identity `{name}` has {len(subjects)} subjects; an identity takes {MAXIMUM_CREDENTIALS}"
            raise ValueError(message)
        identity = managedidentity.UserAssignedIdentity(
            self.child_name(),
            resource_name_=named("identity", args["identity_name"]),
            resource_group_name=args["resource_group_name"],
            location=args["location"],
            tags=args["tags"],
            opts=self.options(),
        )
        self._trust(args, identity, subjects)
        for suffix, given in args.get("grants", ()):
            grant(self, suffix, identity.principal_id, given)
        self.resource_id = identity.id
        self.client_id = identity.client_id
        self.principal_id = identity.principal_id
        self.register_outputs(
            {"resource_id": self.resource_id, "client_id": self.client_id, "principal_id": self.principal_id}
        )

    def _trust(
        self, args: IdentityArgs, identity: managedidentity.UserAssignedIdentity, subjects: Mapping[str, str]
    ) -> None:
        previous: pulumi.Resource = identity
        for suffix, subject in subjects.items():
            previous = managedidentity.FederatedIdentityCredential(
                self.child_name(suffix),
                federated_identity_credential_resource_name=named("federated_credential", suffix),
                resource_name_=identity.name,
                resource_group_name=args["resource_group_name"],
                issuer=ISSUER,
                subject=subject,
                audiences=[AUDIENCE],
                opts=self.options(depends_on=[previous]),
            )
