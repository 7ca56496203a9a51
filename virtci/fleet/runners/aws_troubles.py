"""What AWS refuses or does not answer, in the terms of a runner's life.

Sources: EC2 API Reference, "Error codes"; Systems Manager, EventBridge Scheduler and Service Quotas API References (common
errors), as of 2026-08.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NotConnected

from virtci.core.problems import Refusal
from virtci.core.runners.failures import Code, classified
from virtci.fleet.runners.ports import StartFailed, Unanswered
from virtci.fleet.troubles import AWS_LOGIN, Denied, refusal_of, status_of

THROTTLED = (
    "RequestLimitExceeded",
    "RequestThrottled",
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "TooManyRequestsException",
    "TooManyUpdates",
)
DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation")
LOGGED_OUT = (
    "AuthFailure",
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidClientTokenId",
    "RequestExpired",
    "UnrecognizedClientException",
)
ABSENT = ("InvalidInstanceID.NotFound", "ParameterNotFound", "ResourceNotFoundException")
Found = TypeVar("Found")


@contextmanager
def answering(service: str, what: str) -> Iterator[None]:
    """Names what was asked of which service, by its prefix in policies.

    Raises `StartFailed` for what the platform refuses, `Unanswered` for what it did not answer after the client's retries,
    and `Refusal` where the launcher lacks a right or its login has ended, which no other place would cure.
    """
    try:
        yield
    except ClientError as error:
        raise _of_answer(error, service, what) from None
    except (HTTPClientError, NotConnected) as error:
        raise Unanswered(Code.NETWORK, f"{what}: {service} was not reached: {error}") from None
    except BotoCoreError as error:
        raise refusal_of(error, what) from None


def unless_absent(task: Callable[[], Found]) -> Found | None:
    """What a call gives; nothing when what it is about is not there."""
    try:
        return task()
    except ClientError as error:
        if code_of(error) in ABSENT:
            return None
        raise


def code_of(error: ClientError) -> str:
    """AWS's code of a refusal."""
    return error.response.get("Error", {}).get("Code", "")


def _of_answer(error: ClientError, service: str, what: str) -> StartFailed | Refusal:
    code = code_of(error)
    said = f"{what}: {code}: {error.response.get('Error', {}).get('Message', '')}"
    action = f"{service}:{error.operation_name}"
    if code in DENIED:
        return Denied(
            f"the launcher may do {action} ({what})",
            f"AWS refuses it: {said}",
            "deploy the stack of the runners, whose role for the launcher has what it needs; then act as that role",
        )
    if code in LOGGED_OUT:
        return Denied(f"{action} answers this login ({what})", f"it is not valid any more: {said}", AWS_LOGIN)
    # Too little capacity comes with status 500 as well, and is an answer.
    if (known := classified(code)) is not Code.INTERNAL:
        return StartFailed(known, said)
    if code in THROTTLED or (status_of(error) or 0) >= 500:
        return Unanswered(Code.NETWORK, f"{action} did not answer after all tries: {said}")
    return StartFailed(Code.INTERNAL, f"{action}: {said}")
