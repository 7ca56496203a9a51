"""The providers of the program, pinned: what a laptop happens to be logged into is no input."""

from typing import NamedTuple

import pulumi_azure_native as azure_native
import pulumi_github as github
import pulumi_tls as tls

from virtci.settings.models import Settings


class Providers(NamedTuple):
    """One explicit provider per cloud."""

    azure: azure_native.Provider
    github: github.Provider
    tls: tls.Provider


def explicit_providers(settings: Settings) -> Providers:
    """The providers for the subscription, tenant and GitHub owner of the settings."""
    return Providers(
        azure_provider(settings),
        github.Provider("github", owner=settings.repository.split("/")[0]),
        tls.Provider("tls"),
    )


def azure_provider(settings: Settings) -> azure_native.Provider:
    """The provider for the subscription alone, for stacks that have nothing elsewhere."""
    return azure_native.Provider("azure", subscription_id=settings.subscription, tenant_id=settings.tenant)
