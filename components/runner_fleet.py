"""The section of a stack file that is about on-demand runners: what they stand on in both clouds."""

from typing import Any

import pulumi

from components.directory import look_up
from components.github_environment import GithubEnvironment
from components.hub import fleet_budget
from components.providers import explicit_providers
from components.runner_leases import declare_leases
from components.runner_substrate_azure import AzureSubstrate
from virtci.core.oidc import Repository
from virtci.core.runners.substrate import ENVIRONMENT
from virtci.core.tags import TagSet
from virtci.settings.models import Settings
from virtci.settings.runners import AwsRunners, RunnerFleet


def declare_runners(settings: Settings, runners: RunnerFleet, stack: str) -> dict[str, Any]:
    """Declares what on-demand runners of a repository stand on and returns the outputs.

    Raises `ProblemsError` when GitHub does not know the repository.
    """
    providers = explicit_providers(settings)
    repository = look_up(settings, providers.github).repositories[settings.repository]
    common_tags = TagSet(owner=settings.owner, system=settings.system, stack=stack)
    options = pulumi.ResourceOptions(providers=list(providers))
    fleet_budget(settings, stack, options)
    outputs = {**policy_of(settings, runners), "leases": declare_leases(runners)}
    variables: dict[str, pulumi.Input[str]] = {}
    if runners.azure:
        azure = AzureSubstrate(
            "azure",
            {
                "settings": settings,
                "azure": runners.azure,
                "image": runners.image,
                "repository": repository,
                "common_tags": common_tags,
            },
            options,
        )
        outputs["azure"] = azure.outputs
        variables |= {
            "AZURE_CLIENT_ID": azure.client_id,
            "AZURE_TENANT_ID": settings.tenant,
            "AZURE_SUBSCRIPTION_ID": settings.subscription,
        }
    if runners.aws:
        found, aws_variables = declare_aws(settings, runners.aws, repository, common_tags)
        outputs["aws"] = found
        variables |= aws_variables
    # Unattended, because every run starts machines: what its identities may do is what keeps it narrow.
    GithubEnvironment(
        "github",
        {
            "repository": repository.name,
            "environment": ENVIRONMENT,
            "reviewer_ids": [],
            "wait_minutes": 0,
            "branches": runners.branches,
            "unattended": True,
            "variables": variables,
        },
        options,
    )
    return {"runners": outputs}


def declare_aws(
    settings: Settings, aws: AwsRunners, repository: Repository, common_tags: TagSet
) -> tuple[dict[str, Any], dict[str, pulumi.Input[str]]]:
    """The AWS half: its outputs, and what workflows log in with. Its SDK is imported by the stacks that need it only."""
    from components.aws_provider import aws_provider
    from components.runner_substrate_aws import AwsSubstrate

    first = next(iter(aws.regions))
    substrate = AwsSubstrate(
        "aws",
        {"settings": settings, "aws": aws, "repository": repository, "common_tags": common_tags},
        pulumi.ResourceOptions(providers=[aws_provider(first, aws.account)]),
    )
    return substrate.outputs, {"AWS_ROLE_ARN": substrate.launcher_role_arn, "AWS_REGION": first}


def policy_of(settings: Settings, runners: RunnerFleet) -> dict[str, Any]:
    """The rules of a machine's life, as the launcher reads them."""
    return {
        "repository": settings.repository,
        "image": runners.image,
        "agent": {"version": runners.agent.version, "sha256": runners.agent.sha256},
        "keys": runners.keys,
        "serves": runners.serves.value,
        "labels": list(runners.labels),
        "retentionDays": runners.retention_days,
        "maximumHours": runners.maximum_hours,
        "dailyBudgetUsd": runners.daily_budget_usd,
    }
