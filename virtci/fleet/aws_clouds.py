"""The clients of AWS of commands that act while the fleet runs: of the real account, or of that which a rehearsal names.

`VIRTCI_CLOUDS` as in `virtci.fleet.clouds`. Without it, the clients have the login of this shell. In a rehearsal they have
one that opens nothing, and where the rehearsal has no AWS they are refused: nobody falls back to a real account.
"""

import os
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from virtci.core.problems import Refusal
from virtci.fleet.clouds import VARIABLE, read_rehearsed

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_scheduler import EventBridgeSchedulerClient
    from mypy_boto3_ssm import SSMClient

UNUSABLE = "rehearsal-no-such-credential"
ATTEMPTS = 5
"""Tries of a call that is throttled or answered with 5xx: some 15 seconds (botocore, retry mode `standard`)."""
CONNECT_SECONDS, READ_SECONDS = 5, 30


@dataclass(frozen=True)
class AwsClouds:
    """The clients of one account, each made when it is first asked for. `endpoint`: that of a rehearsal."""

    endpoint: str = ""
    _clients: dict[tuple[str, str], Any] = field(default_factory=dict, repr=False, compare=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def ec2(self, region: str) -> "EC2Client":
        """Instances."""
        found: EC2Client = self._client("ec2", region)
        return found

    def parameters(self, region: str) -> "SSMClient":
        """Parameter Store."""
        found: SSMClient = self._client("ssm", region)
        return found

    def schedules(self, region: str) -> "EventBridgeSchedulerClient":
        """One-shot schedules."""
        found: EventBridgeSchedulerClient = self._client("scheduler", region)
        return found

    def quotas(self, region: str) -> Any:
        """Service Quotas."""
        return self._client("service-quotas", region)

    def _client(self, service: str, region: str) -> Any:
        # Clients may be shared by threads, the session that makes them may not (boto3, "Multithreading").
        with self._lock:
            if (service, region) not in self._clients:
                self._clients[service, region] = self._made(service, region)
            return self._clients[service, region]

    def _made(self, service: str, region: str) -> Any:
        import boto3
        from botocore.config import Config

        if not self.endpoint:
            patience = Config(
                retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
                connect_timeout=CONNECT_SECONDS,
                read_timeout=READ_SECONDS,
            )
            return boto3.client(service, region_name=region, config=patience)  # type: ignore[call-overload]  # of any service
        return boto3.client(  # type: ignore[call-overload]  # of any service
            service,
            region_name=region,
            endpoint_url=self.endpoint,
            aws_access_key_id=UNUSABLE,
            aws_secret_access_key=UNUSABLE,
            config=Config(retries={"total_max_attempts": 1}, proxies={}),
        )


def connect() -> AwsClouds:
    """The clients of the account of this shell, or of the rehearsal. Raises `Refusal` for a rehearsal that has no AWS."""
    name = os.environ.get(VARIABLE)
    if not name:
        return AwsClouds()
    endpoint = read_rehearsed(Path(name)).aws
    if endpoint is None:
        raise Refusal(
            f"the rehearsal of {VARIABLE} has an AWS account",
            "there is nothing to ask; a real account is never asked in a rehearsal",
            "rehearse a stack that has runners in AWS",
        )
    return AwsClouds(endpoint)
