"""GitHub variables: no credential in plain sight."""

from collections.abc import Iterator

from pulumi_policy import Severity

from policies.common import Fault, Settings, at, resource_policy
from policies.kinds import GITHUB_VARIABLE
from virtci.core.credentials import credentials_in
from virtci.core.inventory import Resource


def faults(resource: Resource, _: Settings) -> Iterator[Fault]:
    """Protects from variables that every reader of the repository, and every log, can show.

    Whether the program marked a value as secret cannot be seen here: the SDK takes the marks off. Values that the
    deployment makes are judged in the update.
    """
    value = at(resource.properties, "value")
    for kind in sorted(set(credentials_in(value))) if isinstance(value, str) else ():
        yield Fault(f"its value holds {kind}", "variables hold no credential", "make it an environment secret")


POLICY = resource_policy(
    "github-no-plain-secret",
    "Variables of GitHub environments hold no credential.",
    (GITHUB_VARIABLE,),
    faults,
    Severity.CRITICAL,
)
