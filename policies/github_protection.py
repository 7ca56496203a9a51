"""GitHub environments: somebody else approves, administrators included; unattended ones only read."""

from collections.abc import Iterator

from pulumi_policy import Severity

from policies.common import Fault, Settings, at, each, must_be, resource_policy, shown
from policies.kinds import GITHUB_ENVIRONMENT
from virtci.core.inventory import UNKNOWN, Resource

UNATTENDED = {"type": "array", "items": {"type": "string"}, "default": ["drift"]}
"""Environments whose workflows run without approval; `federated-pull-request` lets their identities only read."""


def faults(resource: Resource, settings: Settings) -> Iterator[Fault]:
    """Protects secrets and cloud identities of an environment from a single person."""
    found = resource.properties
    attended = at(found, "environment") not in settings["unattended"]
    least = int(settings["reviewers"]) if attended else 0
    people = {
        (key, who) for group in each(found, "reviewers") for key in ("users", "teams") for who in each(group, key)
    }
    count = sum(who is not UNKNOWN for _, who in people)
    if count < least:
        yield Fault(f"it has {count} known reviewers", f"at least {least}", "add reviewers in the stack file")
    if attended:
        yield from must_be(found, "preventSelfReview", [True], "nobody approves an own run")
    yield from must_be(found, "canAdminsBypass", [False], "administrators wait as well")
    modes = [at(found, f"deploymentBranchPolicy.{key}") for key in ("protectedBranches", "customBranchPolicies")]
    if sorted(map(str, modes)) != ["False", "True"]:
        words = " and ".join(shown(mode) for mode in modes)
        fix = "choose customBranchPolicies and list the branches"
        yield Fault(f"protectedBranches and customBranchPolicies are {words}", "exactly one of them is true", fix)


POLICY = resource_policy(
    "github-protection",
    "Environments need a reviewer who is not the author, and limit their branches.",
    (GITHUB_ENVIRONMENT,),
    faults,
    Severity.HIGH,
    settings={"reviewers": {"type": "number", "default": 1}, "unattended": UNATTENDED},
)
