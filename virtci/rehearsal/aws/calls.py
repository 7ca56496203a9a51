"""Calls of the real AWS client to the simulated AWS, with the patience of the real provider."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, ParamValidationError

from virtci.rehearsal.bridge import Values
from virtci.rehearsal.clock import SimulatedClock
from virtci.rehearsal.journal import CloudError

UNUSABLE = "rehearsal-no-such-credential"
DELAYS = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 60.0)
THROTTLED = ("Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequestsException")
NOT_RETRIED = ("InsufficientInstanceCapacity",)
"""It comes with status 500 all the same (terraform-provider-aws, internal/service/ec2/service_package.go)."""
NOT_YET = ("Invalid IAM Instance Profile", "must allow AWS EventBridge Scheduler to assume the role")
"""What the provider takes for a change of IAM that is not known everywhere yet."""
POLL = 5.0
SESSION_LOCK = threading.Lock()


def client(url: str, service: str, region: str) -> Any:
    """The real client of a service, which can reach nothing but the simulated AWS."""
    # Sessions of boto3 are not made for several threads.
    with SESSION_LOCK:
        return session().client(  # type: ignore[call-overload]  # of any service
            service, region_name=region, endpoint_url=url, config=Config(retries={"total_max_attempts": 1})
        )


@cache
def session() -> boto3.session.Session:
    """One for all clients: it keeps the services' models, which take long to read."""
    return boto3.session.Session(aws_access_key_id=UNUSABLE, aws_secret_access_key=UNUSABLE)


@dataclass
class Calls:
    """Calls operations by name; `url` is the simulated AWS."""

    url: str
    clock: SimulatedClock
    _clients: dict[tuple[str, str], Any] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, service: str, region: str, operation: str, **parameters: Any) -> Values:
        """Calls, and again where the real provider does. Raises `CloudError`."""
        call = getattr(self._client(service, region), operation)
        for delay in (*DELAYS, None):
            try:
                found: Values = call(**{name: value for name, value in parameters.items() if value is not None})
            except ParamValidationError as error:
                raise CloudError(400, "ParamValidation", str(error)) from None
            except ClientError as error:
                refused = _refusal(error)
                if delay is None or not _is_retried(refused):
                    raise refused from None
                self.wait(delay)
            else:
                return found
        raise AssertionError("unreachable: the last try returns or raises")

    def until(self, look: Callable[[], str], wanted: str, on_the_way: tuple[str, ...], seconds: float) -> None:
        """Waits until something is in a state. Raises `CloudError` when it takes another way, or too long."""
        waited = 0.0
        while (state := look()) != wanted:
            if state not in on_the_way or waited >= seconds:
                text = f"unexpected state '{state}', wanted target '{wanted}'"
                raise CloudError(400, "UnexpectedState", text)
            self.wait(POLL)
            waited += POLL

    def wait(self, seconds: float) -> None:
        """Lets simulated time pass."""
        with self.clock.operation():
            self.clock.wait(seconds)

    def _client(self, service: str, region: str) -> Any:
        with self._lock:
            if (service, region) not in self._clients:
                self._clients[service, region] = client(self.url, service, region)
            return self._clients[service, region]


def _refusal(error: ClientError) -> CloudError:
    told = error.response
    status = told["ResponseMetadata"]["HTTPStatusCode"]
    return CloudError(status, told["Error"].get("Code", ""), told["Error"].get("Message", ""))


def _is_retried(error: CloudError) -> bool:
    if error.code in NOT_RETRIED:
        return False
    return error.status >= 500 or error.code in THROTTLED or any(words in error.message for words in NOT_YET)
