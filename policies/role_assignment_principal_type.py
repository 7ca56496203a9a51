"""Role assignments: to identities of workloads, said in advance."""

from collections.abc import Iterator

from pulumi_policy import Severity

from policies.common import Fault, Settings, must_be, resource_policy
from policies.kinds import ASSIGNMENT
from virtci.core.inventory import Resource


def faults(resource: Resource, _: Settings) -> Iterator[Fault]:
    """Protects from rights of people, and from PrincipalNotFound while the directory learns of a new identity."""
    fix = "say what the principal is; people get their rights from groups, outside this project"
    yield from must_be(resource.properties, "principalType", ["ServicePrincipal"], fix)


POLICY = resource_policy(
    "role-assignment-principal-type",
    "Roles go to service principals, and say so.",
    (ASSIGNMENT,),
    faults,
    Severity.MEDIUM,
    covers=("Azure.RBAC.UseGroups",),
)
