"""Federated credentials: pull requests and workflows that nobody approves read, and do little else."""

from collections.abc import Iterator, Sequence

from pulumi_policy import Severity

from policies.common import Fault, Fleet, Settings, at, shown, stack_policy
from policies.federated_credential import is_pull_request
from policies.github_protection import UNATTENDED
from policies.kinds import ASSIGNMENT, CREDENTIAL, IDENTITY, ROLE
from virtci.core.inventory import UNKNOWN
from virtci.core.oidc import environment_of
from virtci.core.tables import table


def faults(fleet: Fleet, settings: Settings) -> Iterator[Fault]:
    """Protects the fleet from code that nobody has reviewed: anybody can open a pull request.

    A role whose id is unknown is one that this stack makes: it is known by its name. Roles that another stack gives to
    the same identity cannot be seen here; the condition on the deploy identity limits them.
    """
    guids = {table("roles")["roles"][name] for name in settings["roles"]}
    for credential in fleet.of(CREDENTIAL):
        subject = at(credential.properties, "subject")
        if not is_unreviewed(subject, settings["unattended"]):
            continue
        who = "pull requests" if subject is UNKNOWN or is_pull_request(subject) else "unattended workflows"
        for identity in fleet.sources(credential, "resourceName", IDENTITY):
            for assignment in fleet.users(identity, "principalId", ASSIGNMENT):
                role = at(assignment.properties, "roleDefinitionId")
                made = fleet.sources(assignment, "roleDefinitionId", ROLE)
                names = {at(item.properties, "roleName") for item in made}
                own = bool(names) and names <= set(settings["customRoles"])
                if not own and str(role).rsplit("/", 1)[-1] not in guids:
                    yield Fault(
                        f"it gives {', '.join(map(str, names)) or shown(role)} to {identity.name}, which {who} act as",
                        f"{who} have {', '.join([*settings['roles'], *settings['customRoles']])} only",
                        "give the role to the identity of an environment",
                        assignment,
                    )


def is_unreviewed(subject: object, unattended: Sequence[str]) -> bool:
    """Whether nobody has approved what acts with the subject; one that is not known could be any."""
    if subject is UNKNOWN or is_pull_request(subject):
        return True
    return isinstance(subject, str) and environment_of(subject) in unattended


POLICY = stack_policy(
    "federated-pull-request",
    "Identities that pull requests or unattended workflows act as read, and do what their configured roles say.",
    faults,
    Severity.CRITICAL,
    settings={
        "roles": {"type": "array", "items": {"type": "string"}, "default": ["Reader"]},
        "customRoles": {"type": "array", "items": {"type": "string"}, "default": []},
        "unattended": UNATTENDED,
    },
)
