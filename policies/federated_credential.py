"""Federated credentials: GitHub's tokens, of exactly one environment or of pull requests."""

from collections.abc import Iterator

from pulumi_policy import Severity

from policies.common import Fault, Settings, at, must_be, resource_policy, shown
from policies.kinds import CREDENTIAL
from virtci.core.inventory import Resource
from virtci.core.oidc import AUDIENCE, ISSUER, environment_of

PULL_REQUEST = ":pull_request"


def is_pull_request(subject: object) -> bool:
    """Whether a subject is that of all pull requests of one repository."""
    return (
        isinstance(subject, str) and subject.count(":") == 2 and subject.endswith(PULL_REQUEST) and "*" not in subject
    )


def faults(resource: Resource, _: Settings) -> Iterator[Fault]:
    """Protects identities from other repositories, branches and token issuers."""
    fix = "build it with virtci.core.oidc.subjects() for the environment"
    yield from must_be(resource.properties, "issuer", [ISSUER], "trust GitHub only")
    yield from must_be(resource.properties, "audiences", [[AUDIENCE]], "use the one audience of Entra")
    subject = at(resource.properties, "subject")
    if not is_pull_request(subject) and not (isinstance(subject, str) and environment_of(subject)):
        yield Fault(
            f"subject is {shown(subject)}", "a subject is bound to exactly one environment, or to pull_request", fix
        )


POLICY = resource_policy(
    "federated-credential",
    "Identities trust one GitHub environment, or the pull requests of one repository.",
    (CREDENTIAL,),
    faults,
    Severity.CRITICAL,
)
