"""A GitHub Environment with its protection, variables and secrets."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import NotRequired, TypedDict

import pulumi
import pulumi_github as github

from components.base import Component
from virtci.core.names import named


class GithubEnvironmentArgs(TypedDict):
    """Arguments of `GithubEnvironment`."""

    repository: str
    """Name of the repository, without its owner. Must not be an Output."""
    environment: str
    """Name of the environment, as workflows write it. Must not be an Output."""
    reviewer_ids: Sequence[int]
    """Ids of the users of whom one must approve; at least one, none where `unattended`. Must not be an Output."""
    wait_minutes: int
    branches: Sequence[str]
    """Patterns of branches that may deploy; at least one. Must not be an Output."""
    variables: NotRequired[Mapping[str, pulumi.Input[str]]]
    """Variables by name. Default: none. The names must not be Outputs."""
    unattended: NotRequired[bool]
    """Whether workflows run without approval, as one that only reads may. Default: no. Must not be an Output."""
    secrets: NotRequired[Mapping[str, pulumi.Input[str]]]
    """Secrets by name; GitHub never shows them again. Default: none. The names must not be Outputs."""


class GithubEnvironment(Component):
    """An environment that a workflow can use only after review, and only from named branches.

    Resources: a `RepositoryEnvironment`; a `RepositoryEnvironmentDeploymentPolicy` per branch pattern; an
    `ActionsEnvironmentVariable` per variable; an `ActionsEnvironmentSecret` per secret.

    Refuses: an environment without reviewers (unless it is unattended) or without branch patterns, review of one's own run, a bypass for
    administrators, empty variables (GitHub drops them, and a test filter that is empty is a syntax error).
    Repository-wide variables and secrets are deliberately absent: every value belongs to one environment.
    """

    TYPE = "virt-ci:github:GithubEnvironment"
    ARGUMENTS = GithubEnvironmentArgs

    name: pulumi.Output[str]
    """Name of the environment."""

    def __init__(self, name: str, args: GithubEnvironmentArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)
        attended = not args.get("unattended", False)
        if bool(args["reviewer_ids"]) is not attended or not args["branches"]:
            people = "at least one reviewer" if attended else "no reviewer"
            message = f"GithubEnvironment `{name}` needs {people} and at least one branch pattern"
            raise ValueError(message)
        environment = github.RepositoryEnvironment(
            self.child_name(),
            repository=args["repository"],
            environment=named("github_environment", args["environment"]),
            reviewers=[{"users": list(args["reviewer_ids"])}] if attended else None,
            wait_timer=args["wait_minutes"],
            # GitHub keeps this with the reviewers, so without them it would read as a change for ever.
            prevent_self_review=attended,
            can_admins_bypass=False,
            deployment_branch_policy={"protected_branches": False, "custom_branch_policies": True},
            opts=self.options(),
        )
        for pattern in args["branches"]:
            github.RepositoryEnvironmentDeploymentPolicy(
                self.child_name(f"branch-{pattern}"),
                repository=args["repository"],
                environment=environment.environment,
                branch_pattern=pattern,
                opts=self.options(),
            )
        self._variables(args, environment)
        self._secrets(args, environment)
        self.name = environment.environment
        self.register_outputs({"name": self.name})

    def _variables(self, args: GithubEnvironmentArgs, environment: github.RepositoryEnvironment) -> None:
        for variable, value in args.get("variables", {}).items():
            github.ActionsEnvironmentVariable(
                self.child_name(variable),
                repository=args["repository"],
                environment=environment.environment,
                variable_name=named("github_variable", variable),
                value=pulumi.Output.from_input(value).apply(partial(not_empty, variable)),
                opts=self.options(),
            )

    def _secrets(self, args: GithubEnvironmentArgs, environment: github.RepositoryEnvironment) -> None:
        for secret, value in args.get("secrets", {}).items():
            github.ActionsEnvironmentSecret(
                self.child_name(secret),
                repository=args["repository"],
                environment=environment.environment,
                secret_name=named("github_variable", secret),
                plaintext_value=pulumi.Output.secret(value),
                opts=self.options(additional_secret_outputs=["plaintextValue"]),
            )


def not_empty(variable: str, text: str) -> str:
    """The text, unless it is empty."""
    if not text:
        message = f"GitHub variable {variable} is empty; leave it out or give it a value"
        raise ValueError(message)
    return text
