"""A vault secret that the program makes and somebody else fills."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_azure_native import keyvault

from components.base import Component


@dataclass(frozen=True, kw_only=True, slots=True)
class PublishedSecret:
    """What is known before the first value: the place, and a placeholder that keeps it."""

    name: str
    vault_name: pulumi.Input[str]
    resource_group_name: pulumi.Input[str]
    tags: Mapping[str, str]
    placeholder: str
    content_type: str


def published_secret(component: Component, suffix: str, secret: PublishedSecret) -> keyvault.Secret:
    """Makes the secret as a child of the component, because rights are given on the secret itself.

    It is never updated: an update sends the whole secret, and would put the placeholder over the published value.
    """
    return keyvault.Secret(
        component.child_name(suffix),
        secret_name=secret.name,
        vault_name=secret.vault_name,
        resource_group_name=secret.resource_group_name,
        tags=secret.tags,
        properties={"value": pulumi.Output.secret(secret.placeholder), "content_type": secret.content_type},
        opts=component.options(ignore_changes=["properties", "tags"]),
    )
