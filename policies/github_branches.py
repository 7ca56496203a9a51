"""GitHub environments: named branches only."""

from collections.abc import Iterator

from pulumi_policy import Severity

from policies.common import Fault, Fleet, Settings, at, shown, stack_policy
from policies.kinds import GITHUB_BRANCHES, GITHUB_ENVIRONMENT

EVERY_BRANCH = ("*", "**", "**/*", "*/**")


def faults(fleet: Fleet, _: Settings) -> Iterator[Fault]:
    """Protects from deployments of any branch: a custom policy without patterns allows none, one for all allows all."""
    for environment in fleet.of(GITHUB_ENVIRONMENT):
        policies = fleet.users(environment, "environment", GITHUB_BRANCHES)
        own_mode = at(environment.properties, "deploymentBranchPolicy.protectedBranches") is True
        if not policies and not own_mode:
            yield Fault("it has no branch pattern", "at least one", "list branches in the stack file", environment)
        for policy in policies:
            pattern = at(policy.properties, "branchPattern") or at(policy.properties, "tagPattern")
            if not isinstance(pattern, str) or pattern in EVERY_BRANCH:
                fix = "name the branches in the stack file"
                yield Fault(
                    f"its pattern is {shown(pattern)}", "a pattern names branches, not all of them", fix, policy
                )


POLICY = stack_policy(
    "github-branches",
    "Every environment names the branches that may deploy to it.",
    faults,
    Severity.HIGH,
)
