"""What the clients of clouds and clusters raise, as one refusal with a fix."""

from collections.abc import Iterator
from contextlib import contextmanager

from virtci.core.problems import Refusal

CLIENTS = ("azure", "botocore", "kubernetes", "urllib3", "httpx", "requests", "msal")
LOGIN = "log in: `az login`, or the step azure/login in a workflow"
AWS_LOGIN = "log in: `aws sso login`, or AWS_ROLE_ARN and AWS_WEB_IDENTITY_TOKEN_FILE in a workflow"
RIGHTS = (
    "give this login its role (docs/architecture.md, Identities and their rights); a new role needs up to 10 minutes"
)
FIREWALL = "run this on a runner: the vault lets in the subnets of the fleet and nobody else"
FIXES = {
    401: LOGIN,
    403: RIGHTS,
    404: "deploy the stack, or read its outputs again if it was deployed since",
    409: "wait for the other operation to end, then run this again",
    429: "wait a minute, then run this again",
}
UNREACHED = "look at the network and the address; clusters and the vault answer on the runners' network only"
AGAIN = "run this again; then look at the service"
NO_LOGIN = ("CredentialUnavailableError", "ClientAuthenticationError")
NO_AWS_LOGIN = ("NoCredentialsError", "PartialCredentialsError", "TokenRetrievalError", "SSOTokenLoadError")
DENIED = (401, 403, 404)
SHOWN = 200


class Denied(Refusal):
    """Raised when somebody answered and said no: a login, a right, or the thing itself is missing."""


@contextmanager
def asking(what: str) -> Iterator[None]:
    """Turns whatever a client raises inside the block into a `Refusal` that names what was asked."""
    try:
        yield
    except Exception as error:
        if isinstance(error, Refusal) or not _of_a_client(error):
            raise
        raise refusal_of(error, what) from None


def refusal_of(error: Exception, what: str) -> Refusal:
    """The error of a client as a refusal."""
    status, said = status_of(error), _said(error)
    for names, fix in ((NO_LOGIN, LOGIN), (NO_AWS_LOGIN, AWS_LOGIN)):
        if status is None and type(error).__name__ in names:
            return Denied(f"{what} answers this login", f"there is none: {said}", fix)
    if status is None:
        return Refusal(f"{what} answers", f"it was not reached: {said}", UNREACHED)
    fix = FIREWALL if "ForbiddenByFirewall" in str(error) else FIXES.get(status, AGAIN)
    kind = Denied if status in DENIED else Refusal
    return kind(f"{what} answers this login", f"it said {status}: {said}", fix)


def status_of(error: Exception) -> int | None:
    """The HTTP status in an error; nothing when there was no answer."""
    response = getattr(error, "response", None)
    of_aws = response.get("ResponseMetadata", {}) if isinstance(response, dict) else {}
    for value in (
        getattr(error, "status_code", None),
        getattr(error, "status", None),
        getattr(response, "status_code", None),
        of_aws.get("HTTPStatusCode"),
    ):
        if isinstance(value, int) and value:
            return value
    return None


def _of_a_client(error: Exception) -> bool:
    return type(error).__module__.partition(".")[0] in CLIENTS or isinstance(error, OSError)


def _said(error: Exception) -> str:
    """The first line of what was said; bodies of answers are left out."""
    text = str(getattr(error, "reason", "") or getattr(error, "message", "") or error)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:SHOWN]
